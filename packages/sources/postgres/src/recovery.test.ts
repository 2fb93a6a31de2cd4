import { expect, test } from 'vitest'
import type { ControlData } from './control-data.ts'
import { testPlace } from './place.test-support.ts'
import { checkReachable, recoverySettings } from './recovery.ts'
import type { PostgresState } from './state.ts'

const place = testPlace('/v')
const roots = ['/p 2', "/p'3"]

function settingsFor(target: Parameters<typeof recoverySettings>[1]['target']): unknown {
  return recoverySettings(place, { target, logDirectories: roots })
}

test('a time keeps its microseconds', () => {
  expect(
    settingsFor({ kind: 'time', atMs: Date.UTC(2026, 10, 22, 21, 8, 0) + 0.25 }),
  ).toMatchObject({
    recovery_target_time: '2026-11-22 21:08:00.000250+00',
    recovery_target_inclusive: 'on',
    recovery_target_action: 'promote',
  })
  expect(settingsFor({ kind: 'time', atMs: 999.9999 })).toMatchObject({
    recovery_target_time: '1970-01-01 00:00:01.000000+00',
  })
})

test('a transaction is named without its epoch, and must be a number', () => {
  const id = String(3n * 2n ** 32n + 806n)
  expect(settingsFor({ kind: 'transaction', id })).toMatchObject({ recovery_target_xid: '806' })
  for (const none of ["1'; --", '0', '2', '4294967296', '99999999999999999999']) {
    expect(() => settingsFor({ kind: 'transaction', id: none }), none).toThrow(
      expect.objectContaining({ code: 'REQUEST_INVALID' }),
    )
  }
})

test('a transaction of another epoch is none of this database', () => {
  const check = (id: bigint) => () =>
    checkReachable({ kind: 'transaction', id: String(id) }, stateWith([]), control)
  const refused = expect.objectContaining({ code: 'REQUEST_INVALID' })
  expect(check(1001n)).not.toThrow()
  expect(check(3n * 2n ** 32n + 1001n)).not.toThrow()
  expect(check(3n * 2n ** 32n - 5n)).not.toThrow()
  expect(check(7n * 2n ** 32n + 1001n)).toThrow(refused)
})

test('a position is an LSN or the name of a restore point', () => {
  expect(settingsFor({ kind: 'position', position: '0/3000148' })).toMatchObject({
    recovery_target_lsn: '0/3000148',
  })
  expect(settingsFor({ kind: 'position', position: 'before upgrade' })).toMatchObject({
    recovery_target_name: 'before upgrade',
  })
})

test('log is looked for whole in every point, then in part in the newest first', () => {
  const { restore_command: command } = recoverySettings(place, {
    target: { kind: 'end' },
    logDirectories: roots,
  })
  const files = [
    `'/v/log'/%f '/p 2/log'/%f '/p'\\''3/log'/%f`,
    `'/p'\\''3/log'/%f.partial '/p 2/log'/%f.partial '/v/log'/%f.partial`,
  ]
  expect(command).toContain(`for f in ${files.join(' ')};`)
})

const control = {
  redo: '0/5000000',
  minimumRecovery: '0/6000000',
  checkpointAtMs: 100_000,
  nextXid: 3n * 2n ** 32n + 1000n,
} as ControlData

function stateWith(marks: readonly { atMs: number; lsn: string }[]): PostgresState {
  const whole = marks.map((mark) => ({ ...mark, timeline: 1, segment: '' }))
  return { marks: whole } as unknown as PostgresState
}

test('a time before what the clone holds is refused before anything is replayed', () => {
  const check = (atMs: number, state: PostgresState) => () =>
    checkReachable({ kind: 'time', atMs }, state, control)
  const refused = expect.objectContaining({ code: 'DATABASE_TARGET_UNREACHABLE' })
  // pg_control tells whole seconds, so the second of the checkpoint itself is not certain…
  expect(check(100_999, stateWith([]))).toThrow(refused)
  expect(check(101_000, stateWith([]))).not.toThrow()
  // …unless a mark of that second lies behind the point where replay begins.
  expect(check(100_500, stateWith([{ atMs: 100_400, lsn: '0/5000100' }]))).not.toThrow()
  expect(check(100_500, stateWith([{ atMs: 100_400, lsn: '0/4000100' }]))).toThrow(refused)
})

test('a position before what the clone holds is refused', () => {
  const check = (position: string) => () =>
    checkReachable({ kind: 'position', position }, stateWith([]), control)
  expect(check('0/5FFFFFF')).toThrow(
    expect.objectContaining({ code: 'DATABASE_TARGET_UNREACHABLE' }),
  )
  expect(check('0/6000000')).not.toThrow()
})

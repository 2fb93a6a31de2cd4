import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RecoveryTarget } from '@openmaas/protocols/channel/database-orders'
import { MARIADB_GTIDS, MYSQL_GTIDS } from '../gtid.ts'
import { mariadbGtid, mariadbList, writeLog, xid } from './binlog.test-support.ts'
import { checkTarget, lastTransaction, listLogFiles, planReplay } from './plan.ts'
import type { PlanRequest, ReplayPlan } from './plan.ts'

const directory = mkdtempSync(join(tmpdir(), 'openmaas-plan-'))
const [early, late] = [join(directory, 'early'), join(directory, 'late')]
afterAll(() => rmSync(directory, { recursive: true }))

/** Transaction n commits in second n; three files of ten. */
beforeAll(() => {
  for (const root of [early, late]) mkdirSync(root)
  const write = (root: string, file: number, count: number): void => {
    const first = (file - 1) * 10 + 1
    const numbers = Array.from({ length: count }, (_, index) => first + index)
    writeLog(join(root, `binlog.00000${file}`), [
      mariadbList(first === 1 ? [] : [[0, 1, first - 1]]),
      ...numbers.flatMap((number) => [mariadbGtid(number, number), xid()]),
    ])
  }
  write(early, 1, 10)
  write(early, 2, 4)
  for (const file of [1, 2, 3]) write(late, file, 10)
})

function plan(target: RecoveryTarget, change: Partial<PlanRequest> = {}): ReplayPlan {
  return planReplay(listLogFiles([late]), {
    from: '0-1-14',
    lastHeld: lastTransaction(listLogFiles([early])),
    target,
    gtids: MARIADB_GTIDS,
    coveredMs: 31_000,
    ...change,
  })
}

const at = (atMs: number): RecoveryTarget => ({ kind: 'time', atMs })
const id = (number: number): RecoveryTarget => ({ kind: 'transaction', id: `0-1-${number}` })

describe('a moment', () => {
  test.each([
    // A second is over when its last millisecond is.
    [15_999, 15, 1],
    [15_998, null, 0],
    [16_000, 15, 1],
    [25_999, 25, 11],
    [30_999, 30, 16],
    [31_000, 30, 16],
  ])('at %i ms ends with transaction %s, after %i', (atMs, last, count) => {
    const found = plan(at(atMs))
    expect(found.last?.gtid ?? null).toBe(last === null ? null : `0-1-${last}`)
    expect(found.count).toBe(count)
    expect(found.files.map((path) => path.slice(-1))).toEqual(
      last === null ? [] : last <= 20 ? ['2'] : ['2', '3'],
    )
  })

  test('that the log does not cover is refused', () => {
    expect(() => plan(at(31_001))).toThrow('the log ends before')
    expect(() => plan(at(31_000), { coveredMs: null })).toThrow('the log ends before')
  })

  test('that the clone is past is refused', () => {
    expect(() => plan(at(14_500))).toThrow('take an earlier point')
  })
})

describe('a transaction', () => {
  test('is the last one', () => {
    expect(plan(id(20))).toMatchObject({ count: 6, last: { gtid: '0-1-20' } })
    expect(plan(id(21)).files).toHaveLength(2)
  })

  test('that the clone ends with needs no log', () => {
    expect(plan(id(14))).toMatchObject({ files: [], count: 0 })
  })

  test('that the clone is past, that is not there, or that is none is refused', () => {
    expect(() => plan(id(13))).toThrow('take an earlier point')
    expect(() => plan(id(31))).toThrow('not in the log')
    expect(() => plan({ kind: 'transaction', id: 'latest' })).toThrow('no GTID')
  })
})

test.each([
  [{ kind: 'transaction', id: 'latest' }, MARIADB_GTIDS],
  [{ kind: 'transaction', id: '' }, MARIADB_GTIDS],
  [{ kind: 'transaction', id: '0-1-5' }, MYSQL_GTIDS],
  [{ kind: 'transaction', id: `${'0'.repeat(8)}-0000-0000-0000-${'0'.repeat(12)}:0` }, MYSQL_GTIDS],
  [{ kind: 'position', position: '0-1' }, MARIADB_GTIDS],
] as const)('%o is no target at all, and refused before a server starts', (target, gtids) => {
  expect(() => checkTarget(target, gtids)).toThrow(
    expect.objectContaining({ code: 'REQUEST_INVALID' }),
  )
})

test('a position is reached with its last transaction', () => {
  expect(plan({ kind: 'position', position: '0-1-22' }).last?.gtid).toBe('0-1-22')
  expect(plan({ kind: 'position', position: '0-1-14' }).files).toEqual([])
  expect(() => plan({ kind: 'position', position: '0-1-3' })).toThrow('take an earlier point')
})

test('a clone as it is needs no log at all', () => {
  expect(planReplay([], { ...REQUEST, target: { kind: 'snapshot' } }).files).toEqual([])
})

test('log that is missing in between is told', () => {
  const files = listLogFiles([late]).slice(2)
  expect(() => planReplay(files, { ...REQUEST, target: id(25) })).toThrow('is missing')
})

test('of each number the longest file counts, in the order of their numbers', () => {
  const files = listLogFiles([early, late, join(directory, 'absent')])
  expect(files.map((path) => path.slice(directory.length))).toEqual([
    '/early/binlog.000001',
    '/late/binlog.000002',
    '/late/binlog.000003',
  ])
})

const REQUEST: PlanRequest = {
  from: '0-1-14',
  lastHeld: null,
  target: { kind: 'snapshot' },
  gtids: MARIADB_GTIDS,
  coveredMs: null,
}

/** A standby without room is stopped; its log is bounded, in turn with the orders about it. */
import type { SourcePlugin } from '@openmaas/source-kit/plugin'
import { MiB } from '@openmaas/kernel/units'
import type { DatabaseStatus } from '@openmaas/protocols/channel/database-orders'
import { expect, test } from 'vitest'
import { Turns } from './turns.ts'
import { type Guarded, VolumeGuard } from './volume-guard.ts'
import { isFull, reserveOf, withRoom } from './volume-room.ts'

const GUARDED: Guarded = {
  engine: 'some',
  id: 'src_1',
  directory: '/volume',
  connection: { host: 'db', port: 1, user: 'u', password: null, tls: 'off', ca: null },
  retainedLimitBytes: 1,
  synchronous: false,
}

function makeGuard(freeBytes: () => number, methods: Partial<SourcePlugin> = {}) {
  const seen: string[] = []
  const said = (what: string) => () => {
    seen.push(what)
    return Promise.resolve({})
  }
  const plugin = {
    unfollow: said('unfollow'),
    boundLog: async () => void seen.push('boundLog'),
    ...methods,
  }
  const turns = new Turns()
  const lookAt = () => Promise.resolve({ sizeBytes: 1024 * MiB, freeBytes: freeBytes() })
  const plugins = { of: () => plugin as unknown as SourcePlugin }
  return { guard: new VolumeGuard({ plugins, turns, lookAt }), seen, turns }
}

test('a standby is stopped once, when less is free than it needs to stop well', async () => {
  let free = 33 * MiB
  const { guard, seen } = makeGuard(() => free)
  guard.watch(GUARDED)
  await guard.look()
  expect(seen).toEqual(['boundLog'])
  free = 31 * MiB
  await guard.look()
  await guard.look()
  expect(seen).toEqual(['boundLog', 'boundLog', 'unfollow'])
  await guard[Symbol.asyncDispose]()
})

test('a plug-in that can hold its standby does that instead', async () => {
  const held: unknown[] = []
  const hold = (params: Guarded) => Promise.resolve(void held.push(params))
  const { guard, seen } = makeGuard(() => 0, { hold })
  await guard.stop(GUARDED)
  expect([held, seen]).toEqual([[GUARDED], []])
})

test('an order about the database is not kept from stopping, nor disturbed by a pruning', async () => {
  const { guard, seen, turns } = makeGuard(() => 0)
  const order = Promise.withResolvers<void>()
  const ended = turns.take(GUARDED.id, new AbortController().signal, () => order.promise)
  guard.watch(GUARDED)
  const looked = guard.look()
  while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve))
  expect(seen).toEqual(['unfollow'])
  order.resolve()
  await Promise.all([ended, looked])
  expect(seen).toEqual(['unfollow', 'boundLog'])
  await guard[Symbol.asyncDispose]()
})

test('the lack of room is the reason why a standby stands, and hides no broken chain', () => {
  const status: DatabaseStatus = {
    state: 'stopped',
    reason: 'the standby does not run',
    mustReseed: false,
    received: null,
    applied: null,
    lagBytes: null,
    lagMs: null,
    retainedBytes: 5,
    retainedLimitBytes: 6,
    logBytes: 0,
  }
  const room = { sizeBytes: 1024 * MiB, freeBytes: 12 * MiB }
  expect(isFull(room)).toBe(true)
  const told = withRoom(status, room)
  expect(told.reason).toMatch(/12 MiB of 1024 MiB are free.*database change.*does not run$/)
  expect(told).toMatchObject({ retainedBytes: 5, volume: { full: true } })
  expect(withRoom({ ...status, mustReseed: true }, room).reason).toBe(status.reason)
  expect(withRoom(status, null)).toBe(status)
  expect(reserveOf(1024 ** 4)).toBe(2048 * MiB)
})

/**
 * Recovery of clones to random times and random transactions, compared with an oracle: the order
 * of commits as PostgreSQL's own pg_waldump reads it from production's log, and what the writers
 * were told was committed.
 */
import { rmSync } from 'node:fs'
import { expect } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { RecoveryTarget } from '@openmaas/protocols/channel/database-orders'
import type { PostgresFixture } from './fixture.test-support.ts'
import { Load } from './load.test-support.ts'

const WRITERS = 3
const CONTEXT = { signal: new AbortController().signal, progress: () => {} }
const USER = { user: 'dev', password: 'a secret' }
const SOURCE = 'src_00000000000000000000000002'

export interface AnySecond {
  /** Of each kind. */
  readonly targets: number
  readonly seed: number
  /** Commits before the first point, and again between it and the last. */
  readonly commits: number
}

export async function recoverAnySecond(
  fixture: PostgresFixture,
  { targets, seed, commits }: AnySecond,
): Promise<void> {
  const { plugin, connection, production } = fixture
  const directory = await fixture.makeVolume()
  const place = { engine: 'postgres', id: SOURCE, directory }
  await plugin.seed({ ...place, connection, bytesPerSecond: null }, CONTEXT)
  const limits = { retainedLimitBytes: 1024 ** 3, synchronous: false }
  await plugin.follow({ ...place, connection, ...limits }, CONTEXT)

  const load = new Load(production, WRITERS)
  const reach = (count: number): Promise<unknown> =>
    waitFor(`${count} commits`, () => load.count >= count, { timeoutMs: 120_000 })
  await reach(commits)
  await plugin.mark({ ...place, connection }, CONTEXT)
  const point = await fixture.copyVolume(directory)
  const beginMs = Number(await production.sql('select extract(epoch from now()) * 1000'))
  await reach(load.count + commits)
  const written = await load.stop()
  expect(load.broken).toBeUndefined()
  const { atMs: endMs } = await plugin.mark({ ...place, connection }, CONTEXT)
  const later = await fixture.copyVolume(directory)
  await plugin.unfollow({ ...place, connection, forget: true }, CONTEXT)

  const rowOf = new Map(written.map((one) => [one.xid, one.row]))
  const order = (await production.commits()).filter((one) => rowOf.has(one.xid))
  // Whatever was acknowledged is in the log, once.
  expect(new Set(order.map((one) => one.xid))).toEqual(new Set(rowOf.keys()))
  const rowsUntil = (count: number): number[] =>
    order
      .slice(0, count)
      .map((one) => rowOf.get(one.xid)!)
      .toSorted((a, b) => a - b)
  const recover = async (target: RecoveryTarget, count: number): Promise<void> => {
    const rows = await recoverRows(fixture, { point, later, target })
    expect(rows, `${JSON.stringify(target)} with seed ${seed}`).toEqual(rowsUntil(count))
  }

  const random = new SeededRandom(seed)
  const after = order.findIndex((one) => one.atMs > beginMs)
  for (let index = 0; index < targets; index += 1) {
    const atMs = beginMs + (random.uint32() / 2 ** 32) * (endMs - beginMs)
    const beyond = order.findIndex((one) => one.atMs > atMs)
    await recover({ kind: 'time', atMs }, beyond < 0 ? order.length : beyond)
    const last = after + random.below(order.length - after)
    await recover({ kind: 'transaction', id: order[last]!.xid }, last + 1)
  }
}

let clones = 0

async function recoverRows(
  fixture: PostgresFixture,
  { point, later, target }: { point: string; later: string; target: RecoveryTarget },
): Promise<number[]> {
  clones += 1
  const directory = await fixture.copyVolume(point)
  const id = `vdb_${String(clones).padStart(26, '0')}`
  const clone = { engine: 'postgres', id, directory }
  const how = { target, port: null, listen: ['127.0.0.1'], settings: {}, follow: null }
  try {
    const request = { ...clone, ...USER, ...how, logDirectories: [later] }
    const { port } = await fixture.plugin.activate(request, CONTEXT)
    return await fixture.rows({ ...USER, port })
  } finally {
    await fixture.plugin.deactivate({ ...clone, immediate: true }, CONTEXT)
    rmSync(directory, { recursive: true, force: true })
  }
}

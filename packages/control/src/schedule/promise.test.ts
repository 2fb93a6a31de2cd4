/**
 * The promise of the product: a label policy with an RPO of one minute, an hour of time, the
 * server killed every 30 s. No duplicate, lost or stuck job.
 *
 * Every round is one second. A kill throws engine and scheduler away at a point around a write or
 * an order; the hosts go on with what they were asked for.
 */
import { expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { openCatalog } from '../catalog/catalog.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { JobEngine } from '../job/engine.ts'
import { Mortal, settle } from '../job/job-world.test-support.ts'
import {
  addHost,
  addPolicy,
  addPool,
  addSource,
  failSometimes,
  FakeHosts,
} from '../job/kinds/hosts.test-support.ts'
import { makeJobKinds } from '../job/kinds/kinds.ts'
import { MINUTE_MS } from '../policy/zone.ts'
import { Scheduler } from './scheduler.ts'

const SECOND_MS = 1000
const KILL_EVERY_S = 30
const HOUR_S = 3600
const SOURCES = 3

class Server {
  readonly engine: JobEngine
  readonly scheduler: Scheduler
  readonly mortal: Mortal
  readonly #died: Promise<void>

  constructor(catalog: Catalog, hosts: FakeHosts, random: SeededRandom, lives: number) {
    this.mortal = new Mortal(lives)
    this.#died = new Promise((resolve) => {
      this.mortal.onDeath = resolve
    })
    const mortalCatalog = this.mortal.wrapCatalog(catalog)
    const onError = (error: unknown): void => {
      throw error
    }
    const services = {
      random,
      targets: {
        isLocal: () => false,
        target: ({ poolId }: { readonly poolId: string }) =>
          Promise.resolve({ kind: 'local' as const, poolId }),
        medium: () => Promise.reject(new Error('none here')),
      },
      enqueue: (
        trx: Parameters<JobEngine['enqueue']>[0],
        request: Parameters<JobEngine['enqueue']>[1],
      ) => this.engine.enqueue(trx, request),
      openSecret: () => Promise.reject(new Error('no secrets here')),
      exportCatalog: () => Promise.resolve('/tmp/catalog'),
      removeExport: () => Promise.resolve(),
    }
    this.engine = new JobEngine({
      catalog: mortalCatalog,
      orders: this.mortal.wrapOrders(hosts),
      clock: catalog.clock,
      random,
      definitions: makeJobKinds(services),
      onError,
    })
    this.scheduler = new Scheduler({
      catalog: mortalCatalog,
      random,
      onError,
      enqueue: (trx, request) => this.engine.enqueue(trx, request),
      backupPool: () => Promise.resolve({ id: 'pol_1', nodeId: 'hst_n' }),
    })
  }

  begin(): Promise<unknown> {
    return Promise.race([this.engine.recover(), this.#died])
  }

  async tick(): Promise<void> {
    if (this.mortal.isDead) return
    await Promise.race([this.scheduler.tick(), this.#died])
    if (this.mortal.isDead) return
    await Promise.race([this.engine.tick(), this.#died])
  }
}

test('a promise of one minute holds for an hour, with the server killed every 30 s', async () => {
  const clock = new FakeClock(Date.UTC(2026, 10, 22))
  const random = new SeededRandom(7)
  await using catalog = await openCatalog({ url: 'sqlite::memory:', clock })
  const hosts = new FakeHosts(clock)
  hosts.captureMs = 4000
  hosts.fail = failSometimes(random, 60, ['FS_IO', 'POOL_FULL'])
  await addHost(catalog, 'hst_a', 'agent')
  await addHost(catalog, 'hst_n', 'node')
  await addPool(catalog, 'pol_1', 'hst_n')
  for (let i = 0; i < SOURCES; i += 1)
    await addSource(catalog, `src_${i}`, 'hst_a', { env: 'prod' })
  await addSource(catalog, 'src_other', 'hst_a', { env: 'test' })
  const retention = { last: 10, hourly: 2 }
  await addPolicy(catalog, 'plc_1', { rpo: '1m', retention }, { env: 'prod' })
  const begin = clock.wallMs()

  let server: Server | undefined
  let kills = 0
  for (let second = 0; second < HOUR_S; second += 1) {
    if (second % KILL_EVERY_S === 0) {
      server?.mortal.die()
      kills += 1
      // Some die by themselves before their time, in the middle of a write.
      const lives = random.below(3) === 0 ? 20 + random.below(200) : Infinity
      server = new Server(catalog, hosts, random, lives)
      await server.begin()
    }
    clock.advance(SECOND_MS)
    hosts.tick()
    await server!.tick()
    await settle(2)
  }
  expect(kills).toBe(HOUR_S / KILL_EVERY_S)
  // The last server lives on until everything has ended.
  const last = new Server(catalog, hosts, random, Infinity)
  server!.mortal.die()
  hosts.fail = () => undefined
  await last.begin()
  await catalog.db
    .updateTable('source')
    .set((e) => ({ paused: 1, version: e('version', '+', 1) }))
    .execute()
  for (let second = 0; second < 300; second += 1) {
    clock.advance(SECOND_MS)
    hosts.tick()
    await last.tick()
    await settle(2)
  }
  const stuck = await catalog.db
    .selectFrom('job')
    .select(['id', 'kind', 'state'])
    .where('endedAt', 'is', null)
    .execute()
  expect(stuck).toEqual([])

  const jobs = await catalog.db
    .selectFrom('job')
    .selectAll()
    .where('kind', '=', 'protect')
    .execute()
  const endings = await catalog.db
    .selectFrom('event')
    .select('subject')
    .where('type', '=', 'job.ended')
    .execute()
  expect(new Set(endings.map((row) => row.subject)).size).toBe(endings.length)
  expect(jobs.every((job) => job.sourceId !== 'src_other')).toBe(true)
  const points = await catalog.db.selectFrom('point').selectAll().orderBy('takenAt').execute()
  // One point per job that succeeded, and no snapshot that nobody knows.
  expect(points).toHaveLength(jobs.filter((job) => job.state === 'succeeded').length)
  const kept = points.filter((point) => point.state === 'available')
  expect([...hosts.snapshots.keys()].toSorted()).toEqual(
    kept.map((point) => point.snapshotId).toSorted(),
  )
  for (let i = 0; i < SOURCES; i += 1) {
    const times = points
      .filter((point) => point.sourceId === `src_${i}`)
      .map((point) => point.takenAt)
    expect(times.length).toBeGreaterThan(50)
    expect(times.length).toBeLessThanOrEqual(62)
    const first = times[0]!
    expect(first - begin).toBeLessThan(MINUTE_MS)
    const mine = kept.filter((point) => point.sourceId === `src_${i}`)
    expect(mine.length).toBeGreaterThanOrEqual(10)
    expect(mine.length).toBeLessThanOrEqual(14)
    expect(mine.every((point) => point.reasonsJson !== '[]')).toBe(true)
  }
})

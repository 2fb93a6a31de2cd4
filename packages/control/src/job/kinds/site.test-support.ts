/** One engine with every kind of job, on a catalog with a host, a node and a pool. */
import { setTimeout as delay } from 'node:timers/promises'
import { vi } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import type { FakeClock } from '@openmaas/testkit/fake-clock'
import type { Catalog } from '../../catalog/catalog.ts'
import { JobEngine } from '../engine.ts'
import { settle } from '../job-world.test-support.ts'
import { loadJob } from '../job-repository.ts'
import type { JobRequest } from '../queue.ts'
import { addHost, addPool, addSource, FakeHosts } from './hosts.test-support.ts'
import { makeJobKinds } from './kinds.ts'

export const HOST = 'hst_a'
export const NODE = 'hst_n'
export const POOL = 'pol_1'
export const SOURCE = 'src_1'

export class KindSite {
  readonly catalog: Catalog
  readonly clock: FakeClock
  readonly hosts: FakeHosts
  readonly engine: JobEngine
  readonly errors: unknown[] = []

  constructor(catalog: Catalog) {
    this.catalog = catalog
    this.clock = catalog.clock as FakeClock
    this.hosts = new FakeHosts(this.clock)
    const random = new SeededRandom(1)
    const definitions = makeJobKinds({
      random,
      targets: {
        isLocal: () => false,
        target: ({ poolId }) => Promise.resolve({ kind: 'local', poolId }),
        medium: ({ exportName }) =>
          Promise.resolve({ address: 'node:8733', exportName, fingerprint: 'f', ticket: 't' }),
      },
      enqueue: (trx, request) => this.engine.enqueue(trx, request),
      openSecret: (secretId) => Promise.resolve(`secret of ${secretId}`),
      exportCatalog: (jobId) => Promise.resolve(`/export/${jobId}`),
      removeExport: () => Promise.resolve(),
    })
    this.engine = new JobEngine({
      catalog,
      orders: this.hosts,
      clock: this.clock,
      random,
      definitions,
      onError: (error) => this.errors.push(error),
    })
  }

  static async make(catalog: Catalog): Promise<KindSite> {
    const site = new KindSite(catalog)
    await addHost(catalog, HOST, 'agent')
    await addHost(catalog, NODE, 'node')
    await addPool(catalog, POOL, NODE)
    await addSource(catalog, SOURCE, HOST, { env: 'prod' })
    return site
  }

  enqueue(request: JobRequest): Promise<string> {
    return this.catalog.transaction((trx) => this.engine.enqueue(trx, request))
  }

  /** Lets time pass in steps of a second, as the product's loop does. */
  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i += 1) {
      this.clock.advance(1000)
      this.hosts.tick()
      await this.engine.tick()
      await settle(this.catalog.dialect === 'sqlite' ? 4 : 20)
    }
  }

  /** A little time: PostgreSQL answers when it likes, and the clock must not run ahead of it. */
  async #step(): Promise<void> {
    if (this.catalog.dialect === 'sqlite') {
      await this.pass(1)
      return
    }
    this.clock.advance(100)
    this.hosts.tick()
    await this.engine.tick()
    await delay(3)
  }

  /** @returns the row of the job at its end */
  async finish(jobId: string) {
    return vi.waitFor(
      async () => {
        await this.#step()
        const job = await loadJob(this.catalog.db, jobId)
        if (job?.endedAt === null || job === undefined) throw new Error(`${jobId} has not ended`)
        return job
      },
      { timeout: 50_000, interval: 1 },
    )
  }

  /** Until nothing is active any more: also what follows from what was asked for. */
  async finishAll(): Promise<void> {
    const read = async (): Promise<void> => {
      await this.#step()
      const active = await this.catalog.db
        .selectFrom('job')
        .select('kind')
        .where('endedAt', 'is', null)
        .execute()
      if (active.length > 0) throw new Error(`${active[0]!.kind} has not ended`)
    }
    await vi.waitFor(read, { timeout: 50_000, interval: 1 })
  }

  async run(request: JobRequest) {
    return this.finish(await this.enqueue(request))
  }
}

/** The engine, one behaviour at a time; engine.fuzz.test.ts kills it at random. */
import { expect, test, vi } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import type { Catalog } from '../catalog/catalog.ts'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import type { JobDefinition } from './definition.ts'
import { JobEngine } from './engine.ts'
import { makeChain, settle, World } from './job-world.test-support.ts'
import { loadJob, loadSteps } from './job-repository.ts'
import type { JobRequest } from './queue.ts'

const MINUTE = 60_000

class Site {
  readonly clock = new FakeClock()
  readonly world = new World()
  readonly onError = vi.fn<(error: unknown) => void>()
  readonly catalog: Catalog
  #seed = 0

  constructor(catalog: Catalog) {
    this.catalog = catalog
  }

  engine(definitions: readonly JobDefinition[] = [makeChain(2)]): JobEngine {
    this.#seed += 1
    const { catalog, clock, onError, world } = this
    const random = new SeededRandom(this.#seed)
    return new JobEngine({ catalog, orders: world, clock, random, definitions, onError })
  }

  enqueue(engine: JobEngine, more: Partial<JobRequest> = {}): Promise<string> {
    const request = {
      kind: 'chain',
      params: { hostId: 'h', steps: 2 },
      actor: 'system',
      labels: {},
    }
    return this.catalog.transaction((trx) => engine.enqueue(trx, { ...request, ...more }))
  }

  async tick(engine: JobEngine, durationMs = 0): Promise<void> {
    this.clock.advance(durationMs)
    await engine.tick()
    await this.rest()
  }

  /** PostgreSQL answers when it likes: until nothing has changed for a while. */
  rest(): Promise<void> {
    return settle(this.catalog.dialect === 'sqlite' ? 8 : 60)
  }

  async answer(error?: Parameters<World['finish']>[1], isLost = false): Promise<void> {
    await vi.waitFor(() => expect(this.world.pending).not.toHaveLength(0), { timeout: 20_000 })
    for (const work of this.world.pending) this.world.finish(work, error, isLost)
    await this.rest()
  }

  async expectState(jobId: string, state: string): Promise<void> {
    const read = async (): Promise<void> =>
      expect(await loadJob(this.catalog.db, jobId)).toMatchObject({ state })
    await vi.waitFor(read, { timeout: 20_000 })
  }

  async endings(): Promise<number> {
    const rows = await this.catalog.db
      .selectFrom('event')
      .select('seq')
      .where('type', '=', 'job.ended')
      .execute()
    return rows.length
  }
}

describeBothCatalogs('the job engine', (make) => {
  const makeSite = async (): Promise<Site> => new Site(await make())

  test('does the steps in order and ends with their result', async () => {
    const site = await makeSite()
    const engine = site.engine()
    const jobId = await site.enqueue(engine)
    await site.tick(engine)
    await site.answer()
    await site.answer()
    await site.expectState(jobId, 'succeeded')
    const job = await loadJob(site.catalog.db, jobId)
    expect(job).toMatchObject({ resultJson: '{"steps":2}', claimedBy: null, problemJson: null })
    const steps = await loadSteps(site.catalog.db, jobId)
    expect(steps.map((step) => [step.name, step.state])).toEqual([
      ['s0', 'done'],
      ['s1', 'done'],
    ])
    expect(await site.endings()).toBe(1)
    expect(site.onError).not.toHaveBeenCalled()
  })

  test('goes on after a restart where the journal ends, with the same order', async () => {
    const site = await makeSite()
    const first = site.engine()
    const jobId = await site.enqueue(first)
    await site.tick(first)
    await site.answer()
    await vi.waitFor(() => expect(site.world.pending).toHaveLength(1))
    // The first is never heard of again; its claim runs out on PostgreSQL, and is void on SQLite.
    site.clock.advance(MINUTE)
    const second = site.engine()
    await second.recover()
    await site.tick(second)
    await site.answer()
    await site.expectState(jobId, 'succeeded')
    expect(site.world.begun).toEqual(
      new Map([
        [`${jobId}:s0:1`, 1],
        [`${jobId}:s1:1`, 1],
      ]),
    )
    expect(await site.endings()).toBe(1)
  })

  test('refuses every write of an engine whose claim was taken', async () => {
    const site = await makeSite()
    const first = site.engine()
    const jobId = await site.enqueue(first)
    await site.tick(first)
    await vi.waitFor(() => expect(site.world.pending).toHaveLength(1))
    site.clock.advance(MINUTE)
    const second = site.engine()
    await second.recover()
    await site.answer()
    // The answer reached the first engine only; the job is still where it was.
    expect(await loadJob(site.catalog.db, jobId)).toMatchObject({ state: 'queued', phase: 's0' })
    expect(await site.catalog.db.selectFrom('sample').selectAll().execute()).toEqual([])
    await vi.waitFor(() => expect(first.runningCount).toBe(0))
    await site.tick(second)
    await site.answer()
    await site.expectState(jobId, 'succeeded')
  })

  test('tries again later what a retry may mend, and undoes nothing for that', async () => {
    const site = await makeSite()
    const engine = site.engine()
    const jobId = await site.enqueue(engine)
    await site.tick(engine)
    await site.answer()
    await site.answer('POOL_FULL')
    await site.expectState(jobId, 'queued')
    expect(await loadJob(site.catalog.db, jobId)).toMatchObject({ attempt: 1, phase: 's1' })
    await site.tick(engine, 1000)
    expect(site.world.pending).toEqual([])
    await site.tick(engine, 10_000)
    await vi.waitFor(() => expect(site.world.pending).toHaveLength(1))
    expect(site.world.pending.map((work) => work.key)).toEqual([`${jobId}:s1:2`])
    await site.answer()
    await site.expectState(jobId, 'succeeded')
    expect(site.world.done.size).toBe(2)
  })

  test('asks for the same work again when the connection broke', async () => {
    const site = await makeSite()
    const engine = site.engine()
    const jobId = await site.enqueue(engine)
    await site.tick(engine)
    await site.answer('HOST_OFFLINE', true)
    await site.expectState(jobId, 'queued')
    await site.tick(engine, 10_000)
    await vi.waitFor(() => expect(site.world.pending).toHaveLength(1))
    expect(site.world.pending[0]!.key).toBe(`${jobId}:s1:1`)
    expect(site.world.begun.get(`${jobId}:s0:1`)).toBe(1)
  })

  test('gives up after its attempts, undoes everything and says why', async () => {
    const site = await makeSite()
    const engine = site.engine([makeChain(2, { attemptMax: 2 })])
    const jobId = await site.enqueue(engine)
    await site.tick(engine)
    await site.answer()
    await site.answer('POOL_FULL')
    await site.expectState(jobId, 'queued')
    await site.tick(engine, MINUTE)
    await site.answer('POOL_FULL')
    await site.answer()
    await site.answer()
    await site.expectState(jobId, 'failed')
    const job = await loadJob(site.catalog.db, jobId)
    expect(JSON.parse(job!.problemJson!)).toMatchObject({ code: 'POOL_FULL' })
    expect(site.world.done.size).toBe(0)
    const steps = await loadSteps(site.catalog.db, jobId)
    expect(steps.map((step) => step.state)).toEqual(['undone', 'undone'])
  })

  test('cancels: tells the step, undoes, and ends as cancelled', async () => {
    const site = await makeSite()
    const engine = site.engine()
    const jobId = await site.enqueue(engine)
    await site.tick(engine)
    await site.answer()
    await vi.waitFor(() => expect(site.world.pending).toHaveLength(1))
    await engine.cancel(jobId)
    // Undoing s1 (nobody knows how far it came), then s0.
    await site.answer()
    await site.answer()
    await site.expectState(jobId, 'cancelled')
    expect(site.world.done.size).toBe(0)
    await expect(engine.cancel(jobId)).rejects.toMatchObject({ code: 'JOB_ENDED' })
  })

  test('cancels a job whose step does not listen, within five seconds', async () => {
    const deaf = makeChain(1)
    const step = deaf.steps[0]!
    let write: Promise<unknown> | undefined
    const run: typeof step.run = (context) =>
      new Promise(() => {
        context.signal.addEventListener('abort', () => {
          // It goes on as if nothing had been said.
          setTimeout(() => {
            write = context.commit(() => Promise.resolve()).catch((error: unknown) => error)
          }, 50)
        })
      })
    const site = await makeSite()
    const engine = site.engine([{ ...deaf, steps: [{ ...step, run }] }])
    const jobId = await site.enqueue(engine)
    await site.tick(engine)
    await engine.cancel(jobId)
    await site.tick(engine, 4000)
    await site.answer()
    await site.expectState(jobId, 'cancelled')
    await vi.waitFor(() => expect(write).toBeDefined())
    expect(await write).toMatchObject({ code: 'JOB_FENCED' })
  })

  test('undoes at its own pace, however long ago the cancel was', async () => {
    const site = await makeSite()
    const engine = site.engine([makeChain(1)])
    const jobId = await site.enqueue(engine)
    await site.tick(engine)
    await engine.cancel(jobId)
    await vi.waitFor(() => expect(site.world.pending).toHaveLength(1))
    for (let i = 0; i < 10; i += 1) await site.tick(engine, 10_000)
    expect(site.world.pending.map((work) => work.key)).toEqual([`${jobId}:s0:undo:0`])
    await site.answer()
    await site.expectState(jobId, 'cancelled')
  })

  test('cancels at once what has not begun, and what waits for it', async () => {
    const site = await makeSite()
    const engine = site.engine()
    const jobId = await site.enqueue(engine)
    const later = await site.enqueue(engine, { dependsOn: [jobId] })
    const last = await site.enqueue(engine, { dependsOn: [later] })
    await engine.cancel(jobId)
    await site.expectState(jobId, 'cancelled')
    await site.expectState(later, 'failed')
    await site.expectState(last, 'failed')
    // The last of the chain knows what it was, not only that it was something.
    const { problemJson } = (await loadJob(site.catalog.db, last))!
    expect(JSON.parse(problemJson!)).toMatchObject({
      code: 'JOB_DEPENDENCY_FAILED',
      message: expect.stringContaining(`${jobId}, which did not succeed: `),
      details: { jobId, cause: 'CANCELLED' },
    })
    await expect(site.enqueue(engine, { dependsOn: [jobId] })).rejects.toMatchObject({
      code: 'JOB_DEPENDENCY_FAILED',
    })
    const again = await site.catalog.transaction((trx) => engine.retry(trx, jobId, 'user:usr_1'))
    expect(await loadJob(site.catalog.db, again)).toMatchObject({ retryOf: jobId, state: 'queued' })
  })

  test('begins a job when all that it waits for has succeeded', async () => {
    const site = await makeSite()
    const engine = site.engine([makeChain(1)])
    const first = await site.enqueue(engine)
    const second = await site.enqueue(engine, { dependsOn: [first], priority: 50 })
    await site.tick(engine)
    expect(site.world.pending.map((work) => work.subject)).toEqual([`${first}:s0`])
    await site.answer()
    await site.expectState(first, 'succeeded')
    await site.tick(engine)
    await site.answer()
    await site.expectState(second, 'succeeded')
  })

  test('keeps to the slots, goes by priority, and lets nobody wait for a stranger', async () => {
    const site = await makeSite()
    const engine = site.engine([makeChain(1)])
    const ids: string[] = []
    for (let i = 0; i < 130; i += 1) {
      site.clock.advance(1)
      ids.push(await site.enqueue(engine, { priority: 1 }))
    }
    const urgent = await site.enqueue(engine, { priority: 9 })
    const stranger = await site.enqueue(engine, { params: { hostId: 'other', steps: 1 } })
    await site.tick(engine)
    await vi.waitFor(() => expect(site.world.pending).toHaveLength(5))
    const subjects = site.world.pending.map((work) => work.subject)
    expect(subjects.toSorted()).toEqual(
      [urgent, ...ids.slice(0, 3), stranger].map((id) => `${id}:s0`).toSorted(),
    )
  })

  test('keeps room for what somebody waits for', async () => {
    const site = await makeSite()
    const engine = site.engine([makeChain(1)])
    for (let i = 0; i < 70; i += 1) {
      await site.enqueue(engine, { params: { hostId: `h${i}`, steps: 1 } })
    }
    await site.tick(engine)
    await vi.waitFor(() => expect(site.world.pending).toHaveLength(48))
    await site.enqueue(engine, { params: { hostId: 'plug', steps: 1 }, priority: 100 })
    await site.tick(engine)
    await vi.waitFor(() => expect(site.world.pending).toHaveLength(49))
  })

  test('gives back the active job with the same key', async () => {
    const site = await makeSite()
    const engine = site.engine([makeChain(1)])
    const first = await site.enqueue(engine, { activeKey: 'protect:src_1' })
    expect(await site.enqueue(engine, { activeKey: 'protect:src_1' })).toBe(first)
    await site.tick(engine)
    expect(await site.enqueue(engine, { activeKey: 'protect:src_1' })).toBe(first)
    await site.answer()
    await site.expectState(first, 'succeeded')
    expect(await site.enqueue(engine, { activeKey: 'protect:src_1' })).not.toBe(first)
  })

  test('ends what takes too long, by the clock that does not jump', async () => {
    const site = await makeSite()
    const engine = site.engine([makeChain(1)])
    const jobId = await site.enqueue(engine)
    await site.tick(engine)
    site.clock.jump(site.clock.wallMs() + 100 * 86_400_000)
    await site.tick(engine, 1000)
    await site.expectState(jobId, 'running')
    await site.tick(engine, 3_600_000)
    await site.answer()
    await site.expectState(jobId, 'failed')
    const job = await loadJob(site.catalog.db, jobId)
    expect(JSON.parse(job!.problemJson!)).toMatchObject({ code: 'JOB_DEADLINE' })
  })

  test('takes up a retry although the clock was set back', async () => {
    const site = await makeSite()
    const engine = site.engine([makeChain(1)])
    const jobId = await site.enqueue(engine)
    await site.tick(engine)
    await site.answer('POOL_FULL')
    await site.expectState(jobId, 'queued')
    site.clock.jump(site.clock.wallMs() - 86_400_000)
    await site.tick(engine)
    await site.answer()
    await site.expectState(jobId, 'succeeded')
  })

  test('hands back what it has when it is stopped, without a failure counted', async () => {
    const site = await makeSite()
    const engine = site.engine([makeChain(1)])
    const jobId = await site.enqueue(engine)
    await site.tick(engine)
    await engine.stop()
    expect(await loadJob(site.catalog.db, jobId)).toMatchObject({ state: 'queued', attempt: 0 })
    const next = site.engine([makeChain(1)])
    await site.tick(next)
    await site.answer()
    await site.expectState(jobId, 'succeeded')
    expect([...site.world.begun.values()]).toEqual([1])
  })

  test('begins by itself what was asked for, as soon as that is committed', async () => {
    const site = await makeSite()
    const engine = site.engine([makeChain(1)])
    await engine.start()
    const jobId = await site.enqueue(engine)
    await site.answer()
    await site.expectState(jobId, 'succeeded')
    await engine.stop()
  })

  test('writes progress at most once a second, with rate and bottleneck', async () => {
    const chain = makeChain(1)
    const step = chain.steps[0]!
    let report: ((bytes: number) => void) | undefined
    const run: typeof step.run = (context) => {
      report = (bytesDone) => {
        context.progress({ phase: 'reading', bytesDone, bytesTotal: 100_000, itemsDone: 1 })
        context.waits({ source: 0, network: 40, pool: 3, cpu: 12 })
      }
      return step.run(context)
    }
    const site = await makeSite()
    const engine = site.engine([{ ...chain, steps: [{ ...step, run }] }])
    const jobId = await site.enqueue(engine)
    await site.tick(engine)
    await vi.waitFor(() => expect(report).toBeDefined())
    for (let i = 1; i <= 40; i += 1) {
      report!(i * 1000)
      await site.tick(engine, 100)
    }
    const job = await loadJob(site.catalog.db, jobId)
    const progress = JSON.parse(job!.progressJson) as Record<string, unknown>
    expect(progress).toMatchObject({ phase: 'reading', bytesTotal: 100_000, bottleneck: 'source' })
    expect(progress['rateBytesPerSecond']).toBeCloseTo(10_000, -3)
    const events = await site.catalog.db
      .selectFrom('event')
      .select('seq')
      .where('type', '=', 'job.progress')
      .execute()
    expect(events.length).toBeLessThanOrEqual(5)
    expect(events.length).toBeGreaterThanOrEqual(3)
    await site.answer()
    await site.expectState(jobId, 'succeeded')
    const ended = await loadJob(site.catalog.db, jobId)
    expect(JSON.parse(ended!.progressJson)).toMatchObject({ pct: 100, bottleneck: 'source' })
  })

  test('keeps what a host has done when the catalog could not record it', async () => {
    const chain = makeChain(1)
    const step = chain.steps[0]!
    let failures = 2
    const apply: typeof step.apply = async () => {
      failures -= 1
      if (failures >= 0) throw new Error('disk I/O error')
    }
    const site = await makeSite()
    const engine = site.engine([{ ...chain, steps: [{ ...step, apply }] }])
    const jobId = await site.enqueue(engine)
    await site.tick(engine)
    await site.answer()
    await site.expectState(jobId, 'queued')
    await site.tick(engine, 60_000)
    await site.expectState(jobId, 'queued')
    await site.tick(engine, 60_000)
    await site.expectState(jobId, 'succeeded')
    // The same key each time: the host did the work once.
    expect([...site.world.begun]).toEqual([[`${jobId}:s0:1`, 1]])
    expect(site.world.done.size).toBe(1)
  })

  test('ends a job of a kind that it does not know', async () => {
    const site = await makeSite()
    const jobId = await site.enqueue(site.engine())
    const other = site.engine([makeChain(1, { kind: 'other' })])
    await site.tick(other)
    await site.expectState(jobId, 'failed')
    expect(await site.endings()).toBe(1)
  })
})

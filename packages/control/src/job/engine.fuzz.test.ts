/**
 * Goal: whatever dies, whenever, every job ends once and says the truth, no slot is taken twice
 * over, and nothing is done twice for one key.
 *
 * Method: a seed makes jobs, failures, cancels and deaths. A death is at any point around a
 * write or an order; what the dead process had not committed is rolled back. Some engines do not
 * die but go on as if nothing had happened, while another one has their jobs.
 */
import { expect, test } from 'vitest'
import type { ErrorCode } from '@openmaas/kernel/errors'
import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { openCatalog } from '../catalog/catalog.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { describePostgres } from '../catalog/both-catalogs.test-support.ts'
import { JobEngine } from './engine.ts'
import { makeChain, Mortal, settle, World } from './job-world.test-support.ts'

const SEEDS = Number(process.env['OPENMAAS_FUZZ_SEEDS'] ?? 25)
/** One trial on PostgreSQL: it takes as long as twenty on SQLite. */
const PG_SEED = Number(process.env['OPENMAAS_FUZZ_SEED'] ?? 1)
const JOBS = 12
const HOSTS = 3
const SLOTS_PER_HOST = 2
const ROUNDS_MAX = 4000
/** Within a trial's last rounds nothing fails any more, so that everything can end. */
const ROUNDS_ROUGH = 250

/** What a host answers, and what is only lost on the way. */
const ANSWERS: readonly ErrorCode[] = ['POOL_FULL', 'FS_IO', 'SOURCE_UNREADABLE', 'INTERNAL']

class Trial {
  readonly #random: SeededRandom
  readonly #clock = new FakeClock()
  readonly #world = new World()
  readonly #catalog: Catalog
  readonly #engines: { engine: JobEngine; mortal: Mortal }[] = []
  readonly #jobs: string[] = []
  readonly #errors: unknown[] = []
  readonly #engineCount: number
  #rough = true

  constructor(catalog: Catalog, seed: number, engineCount: number) {
    this.#catalog = catalog
    this.#random = new SeededRandom(seed)
    this.#engineCount = engineCount
  }

  async run(): Promise<void> {
    await this.#enqueueAll(this.#makeEngine().engine)
    let round = 0
    for (; round < ROUNDS_MAX && (await this.#activeCount()) > 0; round += 1) {
      this.#rough = round < ROUNDS_ROUGH
      await this.#round()
    }
    expect(await this.#activeCount(), `jobs still active after ${round} rounds`).toBe(0)
    await this.#checkEnd()
  }

  #makeEngine(): { engine: JobEngine; mortal: Mortal } {
    const lives = this.#rough ? 5 + this.#random.below(120) : Infinity
    const mortal = new Mortal(lives)
    const engine = new JobEngine({
      catalog: mortal.wrapCatalog(this.#catalog),
      orders: mortal.wrapOrders(this.#world),
      clock: this.#clock,
      random: this.#random,
      definitions: [makeChain(3)],
      onError: (error) => this.#errors.push(error),
      slotLimits: { host: SLOTS_PER_HOST },
      runningMax: 5,
    })
    const entry = { engine, mortal }
    this.#engines.push(entry)
    return entry
  }

  async #enqueueAll(engine: JobEngine): Promise<void> {
    const lasting = new JobEngine({
      catalog: this.#catalog,
      orders: this.#world,
      clock: this.#clock,
      random: this.#random,
      definitions: [makeChain(3)],
      onError: () => {},
    })
    expect(engine.runningCount).toBe(0)
    for (let i = 0; i < JOBS; i += 1) {
      const hostId = `h${this.#random.below(HOSTS)}`
      const needed = this.#jobs[this.#random.below(this.#jobs.length * 3 + 1)]
      const jobId = await this.#catalog.transaction((trx) =>
        lasting.enqueue(trx, {
          kind: 'chain',
          params: { hostId, steps: 3 },
          actor: 'system',
          priority: this.#random.below(3),
          hostId,
          labels: {},
          ...(needed === undefined ? {} : { dependsOn: [needed] }),
        }),
      )
      this.#jobs.push(jobId)
    }
  }

  async #round(): Promise<void> {
    const random = this.#random
    this.#clock.advance(random.below(3000))
    if (this.#rough && random.below(40) === 0) {
      this.#clock.jump(this.#clock.wallMs() + (random.below(2) === 0 ? -1 : 1) * random.below(9e7))
    }
    for (const { engine, mortal } of this.#engines) {
      // The tick of a process that dies never returns.
      const dead = new Promise<void>((resolve) => {
        mortal.onDeath = resolve
      })
      if (!mortal.isDead) await Promise.race([engine.tick().catch(this.#expectFence), dead])
    }
    await settle(this.#catalog.dialect === 'sqlite' ? 1 + random.below(4) : 10)
    this.#world.pending.slice(0, random.below(6)).forEach((work) => this.#answer(work))
    await settle(1 + random.below(3))
    if (this.#rough && random.below(12) === 0) await this.#cancelOne()
    await this.#checkSlots()
    await this.#replaceEngines()
  }

  readonly #expectFence = (error: unknown): void => {
    this.#errors.push(error)
  }

  #answer(work: World['pending'][number]): void {
    const luck = this.#rough ? this.#random.below(10) : 9
    if (luck === 0) this.#world.finish(work, ANSWERS[this.#random.below(ANSWERS.length)])
    else if (luck === 1) this.#world.finish(work, 'HOST_OFFLINE', true)
    else this.#world.finish(work)
  }

  async #cancelOne(): Promise<void> {
    const { engine, mortal } = this.#engines.at(-1)!
    const jobId = this.#jobs[this.#random.below(this.#jobs.length)]!
    const dead = new Promise<void>((resolve) => {
      mortal.onDeath = resolve
    })
    if (mortal.isDead) return
    const asked = engine.cancel(jobId).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'JOB_ENDED' })
    })
    await Promise.race([asked, dead])
  }

  async #replaceEngines(): Promise<void> {
    const alive = this.#engines.filter(({ mortal }) => !mortal.isDead)
    // One that was replaced but lives on: at most one, as nobody starts a third server.
    const deposed = this.#rough && alive.length > 0 && this.#random.below(60) === 0
    const wanted = this.#engineCount + (deposed ? 1 : 0)
    if (!this.#rough) for (const { mortal } of alive.splice(0, alive.length - 1)) mortal.die()
    if (alive.length >= wanted) return
    const { engine, mortal } = this.#makeEngine()
    if (deposed) for (const entry of alive) this.#engines.splice(this.#engines.indexOf(entry), 1)
    const dead = new Promise<void>((resolve) => {
      mortal.onDeath = resolve
    })
    await Promise.race([engine.recover(), dead])
    for (let i = this.#engines.length - 1; i >= 0; i -= 1) {
      if (this.#engines[i]!.mortal.isDead) this.#engines.splice(i, 1)
    }
  }

  async #activeCount(): Promise<number> {
    const rows = await this.#catalog.db
      .selectFrom('job')
      .select('id')
      .where('endedAt', 'is', null)
      .execute()
    return rows.length
  }

  async #checkSlots(): Promise<void> {
    const rows = await this.#catalog.db
      .selectFrom('job')
      .select(['hostId'])
      .where('state', '=', 'running')
      .where('cancelRequestedAt', 'is', null)
      .where('phase', '!=', 'undo')
      .execute()
    const counts = Map.groupBy(rows, (row) => row.hostId)
    for (const [host, held] of counts) {
      expect(held.length, `slots of ${host}`).toBeLessThanOrEqual(SLOTS_PER_HOST)
    }
  }

  async #checkEnd(): Promise<void> {
    const { db } = this.#catalog
    for (const [key, count] of this.#world.begun) expect(count, key).toBe(1)
    const applied = await db.selectFrom('sample').select('subject').execute()
    const subjects = applied.map((row) => row.subject)
    expect(new Set(subjects).size, 'a step was applied twice').toBe(subjects.length)
    for (const jobId of this.#jobs) {
      const job = await db
        .selectFrom('job')
        .selectAll()
        .where('id', '=', jobId)
        .executeTakeFirstOrThrow()
      const endings = await db
        .selectFrom('event')
        .select('seq')
        .where('subject', '=', jobId)
        .where('type', '=', 'job.ended')
        .execute()
      expect(endings.length, `ends of ${jobId}`).toBe(1)
      expect(job.claimedBy).toBeNull()
      const standing = [0, 1, 2].filter((step) => this.#world.done.has(`${jobId}:s${step}`))
      const givenUp = await db
        .selectFrom('jobLog')
        .select('code')
        .where('jobId', '=', jobId)
        .where('code', '=', 'JOB_UNDO_FAILED')
        .execute()
      if (job.state === 'succeeded') expect(standing, jobId).toEqual([0, 1, 2])
      else if (givenUp.length === 0) expect(standing, `${jobId} ${job.state}`).toEqual([])
    }
    const unforeseen = this.#errors.filter(
      (error) => (error as { code?: string }).code !== 'INTERNAL',
    )
    expect(unforeseen).toEqual([])
  }
}

async function runTrial(catalog: Catalog, seed: number, engineCount: number): Promise<void> {
  try {
    await new Trial(catalog, seed, engineCount).run()
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error })
  }
}

test(`every job ends once and truly, wherever the engine dies (${SEEDS} seeds)`, async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    await using catalog = await openCatalog({ url: 'sqlite::memory:', clock: new FakeClock() })
    await runTrial(catalog, seed, 1)
  }
}, 300_000)

describePostgres('two engines at once', (make) => {
  test('share the jobs, although either may die', async () => {
    await runTrial(await make(), PG_SEED, 2)
  }, 300_000)
})

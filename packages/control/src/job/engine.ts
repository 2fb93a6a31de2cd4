/**
 * Claims jobs and works on them: docs/internals/jobs.md. Any number of engines may share one
 * PostgreSQL catalog; on SQLite there is one.
 *
 * All that time does happens in `tick`; `start` only calls it now and then, and when somebody
 * wakes it. A test owns the clock and calls it by hand.
 */
import type { Clock } from '@openmaas/kernel/clock'
import type { Random } from '@openmaas/kernel/random'
import type { OrderGiver } from '@openmaas/protocols/channel/orders'
import type { Catalog } from '../catalog/catalog.ts'
import type { JobDefinition, JobRow, Trx } from './definition.ts'
import { claimNext, ScanPlace } from './claim.ts'
import { endJob } from './end.ts'
import {
  countLogLines,
  holdsClaim,
  jsonOf,
  listCancelRequests,
  loadSteps,
  releaseClaims,
  updateClaimed,
} from './job-repository.ts'
import {
  CLAIM_MS,
  CLAIM_RENEW_MS,
  POLL_MS,
  RESERVED_MAX,
  RUNNING_MAX,
  SLOT_LIMITS,
} from './limits.ts'
import { cancelJob, enqueueJob, retryJob } from './queue.ts'
import type { JobRequest } from './queue.ts'
import { appendJobEvent, appendLogLines } from './records.ts'
import { JobRun } from './run.ts'

export interface EngineOptions {
  readonly catalog: Catalog
  readonly orders: OrderGiver
  readonly clock: Clock
  readonly random: Random
  readonly definitions: readonly JobDefinition[]
  /** Bugs, and a catalog that cannot be reached; the engine goes on. */
  readonly onError: (error: unknown) => void
  /** Jobs per slot, by what stands before its colon; SLOT_LIMITS holds for the rest. */
  readonly slotLimits?: Readonly<Record<string, number>>
  readonly runningMax?: number
}

/** Looks for work in one tick: claims are renewed and cancels seen between two of them. */
const LOOKS_MAX = 4
/** Several reasons to look come together. */
const WAKE_MS = 2

export class JobEngine {
  readonly #options: EngineOptions
  readonly #definitions: ReadonlyMap<string, JobDefinition>
  readonly #name: string
  readonly #runs = new Map<string, JobRun>()
  readonly #place = new ScanPlace()
  #renewedMs = -Infinity
  #ticking: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #timerMs = 0
  #state: 'new' | 'started' | 'stopped' = 'new'
  /** Jobs in a transaction that has not committed yet. */
  #hasNews = false
  #release: () => void = () => {}

  constructor(options: EngineOptions) {
    this.#options = options
    this.#definitions = new Map(options.definitions.map((each) => [each.kind, each]))
    this.#name = `engine-${options.random.bytes(8).toString('hex')}`
  }

  /** @throws MaasError JOB_KIND_UNKNOWN, OBJECT_NOT_FOUND, JOB_DEPENDENCY_FAILED */
  async enqueue(trx: Trx, request: JobRequest): Promise<string> {
    const jobId = await enqueueJob(trx, this.#services, request)
    this.#hasNews = true
    return jobId
  }

  /**
   * Done within 5 s, where hosts answer.
   *
   * @throws MaasError OBJECT_NOT_FOUND, JOB_ENDED
   */
  async cancel(jobId: string): Promise<void> {
    const { catalog } = this.#options
    const begun = await catalog.transaction((trx) => cancelJob(trx, this.#services, jobId))
    if (!begun) return
    this.#runs.get(jobId)?.cancel()
    this.#wake()
  }

  /** @throws MaasError OBJECT_NOT_FOUND, JOB_ACTIVE */
  async retry(trx: Trx, jobId: string, actor: string): Promise<string> {
    const retried = await retryJob(trx, this.#services, jobId, actor)
    this.#hasNews = true
    return retried
  }

  /** Takes up what the last process left, and begins to look for work. */
  async start(): Promise<void> {
    await this.recover()
    this.#state = 'started'
    this.#release = this.#options.catalog.onCommit(() => {
      if (!this.#hasNews) return
      this.#hasNews = false
      this.#wake()
    })
    this.#wake()
  }

  /** Jobs that a process left running go back to the queue, with their journals. */
  async recover(): Promise<number> {
    const { catalog, clock } = this.#options
    // Another process cannot have an SQLite catalog, so nobody else works on these.
    const now = catalog.dialect === 'sqlite' ? null : clock.wallMs()
    return catalog.transaction((trx) => releaseClaims(trx, now))
  }

  /**
   * Looks for no more work and hands back what it has: another process goes on where this one
   * is. Orders stay under way.
   */
  async stop(): Promise<void> {
    this.#state = 'stopped'
    this.#release()
    clearTimeout(this.#timer)
    await this.#ticking?.catch(() => undefined) // Whoever called that tick is told.
    const claims = [...this.#runs.values()].map((run) => run.claim)
    for (const run of this.#runs.values()) run.abandon()
    this.#runs.clear()
    await this.#options.catalog.transaction(async (trx) => {
      for (const claim of claims) {
        const changes = { state: 'queued', claimedBy: null, claimUntil: null } as const
        await updateClaimed(trx, claim, changes)
      }
    })
  }

  get runningCount(): number {
    return this.#runs.size
  }

  /** One look at everything that time does: claims, cancels, deadlines, progress, new work. */
  tick(): Promise<void> {
    this.#ticking ??= this.#tick().finally(() => {
      this.#ticking = undefined
    })
    return this.#ticking
  }

  get #services() {
    return { ...this.#options, definitions: this.#definitions }
  }

  /** Ticks after that time, or when it is about to anyway. */
  #wake(delayMs = WAKE_MS): void {
    if (this.#state !== 'started') return
    if (this.#timer !== undefined) {
      if (this.#timerMs <= delayMs) return
      clearTimeout(this.#timer)
    }
    this.#timerMs = delayMs
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.tick()
        .catch((error: unknown) => this.#options.onError(error))
        .finally(() => this.#wake(POLL_MS))
    }, delayMs)
    this.#timer.unref()
  }

  async #tick(): Promise<void> {
    await this.#keepClaims()
    await this.#watch()
    await this.#writeProgress()
    for (let looks = 0; looks < LOOKS_MAX; looks += 1) {
      if (this.#runs.size >= (this.#options.runningMax ?? RUNNING_MAX)) return
      if (!(await this.#claim())) return
    }
    this.#wake()
  }

  /** Own claims are renewed first: after a pause of this process they may just have run out. */
  async #keepClaims(): Promise<void> {
    const { catalog, clock } = this.#options
    const nowMs = clock.monotonicMs()
    if (nowMs - this.#renewedMs < CLAIM_RENEW_MS) return
    this.#renewedMs = nowMs
    const runs = [...this.#runs.values()]
    const now = clock.wallMs()
    const held = await catalog.transaction(async (trx) => {
      const kept = new Set<JobRun>()
      for (const run of runs) {
        const claimUntil = now + CLAIM_MS
        if (await updateClaimed(trx, run.claim, { claimUntil })) kept.add(run)
      }
      await releaseClaims(trx, now)
      return kept
    })
    for (const run of runs) {
      const isOurs = this.#runs.get(run.job.id) === run && !held.has(run)
      // It may have ended meanwhile, or withdrawn its own token: both look at the row again.
      if (isOurs && !(await this.#stillHolds(run))) run.abandon()
    }
  }

  async #stillHolds(run: JobRun): Promise<boolean> {
    return this.#options.catalog.transaction((trx) => holdsClaim(trx, run.claim))
  }

  async #watch(): Promise<void> {
    if (this.#runs.size === 0) return
    const { catalog } = this.#options
    for (const jobId of await listCancelRequests(catalog.db, this.#name)) {
      this.#runs.get(jobId)?.cancel()
    }
    for (const run of this.#runs.values()) run.watch()
  }

  async #writeProgress(): Promise<void> {
    const { catalog, clock } = this.#options
    const news = [...this.#runs.values()]
      .map((run) => ({ run, progress: run.progress.take(), lines: run.log.take() }))
      .filter(({ progress, lines }) => progress !== undefined || lines.length > 0)
    if (news.length === 0) return
    try {
      await catalog.transaction(async (trx) => {
        for (const { run, progress, lines } of news) {
          if (!(await holdsClaim(trx, run.claim))) continue
          await appendLogLines(trx, run.job.id, lines)
          if (progress === undefined) continue
          await updateClaimed(trx, run.claim, { progressJson: jsonOf(progress) })
          await appendJobEvent(trx, 'job.progress', run.job, { progress }, clock)
        }
      })
    } catch (error) {
      for (const { run, lines } of news) run.log.giveBack(lines)
      throw error
    }
  }

  /** @returns whether there may be more */
  async #claim(): Promise<boolean> {
    const { catalog, clock } = this.#options
    const most = this.#options.runningMax ?? RUNNING_MAX
    const free = most - this.#runs.size
    const found = await claimNext(catalog, {
      definitions: this.#definitions,
      holder: this.#name,
      now: clock.wallMs(),
      free,
      reserved: Math.min(RESERVED_MAX, Math.floor(most / 4)),
      slotLimits: { ...SLOT_LIMITS, ...this.#options.slotLimits },
      place: this.#place,
    })
    for (const job of found) await this.#begin(job)
    return found.length > 0
  }

  async #begin(job: JobRow): Promise<void> {
    const { catalog, clock } = this.#options
    const definition = this.#definitions.get(job.kind)
    const params = definition?.params.safeParse(JSON.parse(job.paramsJson))
    if (definition === undefined || params?.success !== true) {
      // Of a version that knew more: nobody here can even undo it.
      const message = `this version does not understand jobs of the kind ${job.kind}`
      const problem = { code: 'JOB_KIND_UNKNOWN', message, details: { kind: job.kind } } as const
      const outcome = { state: 'failed', results: {}, problem } as const
      const ending = { job, definition: undefined, params: null, outcome, result: null }
      await catalog.transaction((trx) => endJob(trx, this.#services, ending))
      return
    }
    const steps = await loadSteps(catalog.db, job.id)
    const lines = steps.length === 0 ? 0 : await countLogLines(catalog.db, job.id)
    const run = new JobRun(this.#services, definition, { job, steps, lines })
    this.#runs.set(job.id, run)
    const text = steps.length === 0 ? 'begun' : `resumed at ${job.phase}`
    run.log.add('info', steps.length === 0 ? 'JOB_BEGUN' : 'JOB_RESUMED', text)
    await catalog.transaction((trx) =>
      appendJobEvent(trx, 'job.started', job, { attempt: job.attempt }, clock),
    )
    void run.work().finally(() => {
      if (this.#runs.get(job.id) === run) this.#runs.delete(job.id)
      this.#wake()
    })
  }
}

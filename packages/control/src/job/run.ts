/**
 * One claimed job, from its claim to its end: forward through the steps, or back through what is
 * to be undone. Every write shows the fencing token; whoever lost it stops, silently, because
 * another engine goes on with the same journal.
 *
 *   forward ──▶ next step … ──▶ end(succeeded | warning)
 *      │ failed: again later, or
 *      └─▶ undo, last step first ──▶ end(failed | cancelled)
 */
import { assert, AssertionFailure } from '@openmaas/kernel/assert'
import type { Clock } from '@openmaas/kernel/clock'
import { errorToMessage, toMaasError } from '@openmaas/kernel/error-message'
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import { ERROR_CATEGORIES, isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { Random } from '@openmaas/kernel/random'
import type { OrderGiver } from '@openmaas/protocols/channel/orders'
import type { Catalog } from '../catalog/catalog.ts'
import type { JobDefinition, JobRow, Step, StepContext, Trx } from './definition.ts'
import { endJob, problemJson } from './end.ts'
import { holdsClaim, jsonOf, phaseText, saveStep, updateClaimed } from './job-repository.ts'
import type { Claim, StepRow } from './job-repository.ts'
import { backoffMs, CANCEL_PATIENCE_MS, UNDO_ATTEMPT_MAX, UNDO_PATIENCE_MS } from './limits.ts'
import { appendJobEvent, appendLogLines } from './records.ts'
import { RunLog, RunProgress } from './progress.ts'

export interface RunServices {
  readonly catalog: Catalog
  readonly orders: OrderGiver
  readonly clock: Clock
  readonly random: Random
  readonly definitions: ReadonlyMap<string, JobDefinition>
  /** Bugs and an unreachable catalog: nobody else would hear of them. */
  readonly onError: (error: unknown) => void
}

type AnyStep = Step<unknown, Record<string, unknown>>
/** A phase of its own: it is durable before the first step is undone. */
export const UNDO_PHASE = 'undo'

const lost = (): MaasError => new MaasError('JOB_FENCED', 'another engine works on this job')
/** The host may still be at it, or done: the next attempt asks for the same work. */
const LOST_ANSWERS: ReadonlySet<string> = new Set([
  'HOST_OFFLINE',
  'ORDER_TIMEOUT',
  'CATALOG_UNAVAILABLE',
])

interface StoredProblem extends Partial<ErrorMessage> {
  readonly undoAttempts?: number
}

export class JobRun {
  readonly job: JobRow
  readonly #services: RunServices
  readonly #definition: JobDefinition
  readonly #params: unknown
  readonly #journal: Map<number, StepRow>
  readonly #results: Record<string, unknown> = {}
  readonly #controller = new AbortController()
  readonly progress: RunProgress
  readonly log: RunLog
  #token: number
  /** Monotonic. */
  readonly #deadlineMs: number
  #abortedMs: number | undefined
  /** Since when the step that is being undone is at it. */
  #undoingMs: number | undefined
  #giveUp: ((error: unknown) => void) | undefined
  #abandoned = false

  constructor(
    services: RunServices,
    definition: JobDefinition,
    claimed: { readonly job: JobRow; readonly steps: readonly StepRow[]; readonly lines: number },
  ) {
    const { job } = claimed
    const { clock } = services
    this.job = job
    this.#services = services
    this.#definition = definition
    this.#params = definition.params.parse(JSON.parse(job.paramsJson))
    this.#journal = new Map(claimed.steps.map((step) => [step.position, step]))
    this.#token = job.claimToken
    this.progress = new RunProgress(clock)
    this.log = new RunLog(clock, claimed.lines)
    const leftMs = (job.deadlineAt ?? Infinity) - clock.wallMs()
    this.#deadlineMs = clock.monotonicMs() + Math.min(leftMs, definition.deadlineMs)
    if (job.cancelRequestedAt !== null) this.cancel()
  }

  get claim(): Claim {
    return { id: this.job.id, token: this.#token }
  }

  get isAbandoned(): boolean {
    return this.#abandoned
  }

  /** Somebody wants it cancelled: the step is told, and has a few seconds to answer. */
  cancel(): void {
    this.#abort(new MaasError('CANCELLED', 'the job was cancelled'))
  }

  /** Leaves everything as it is, orders under way too: another engine goes on. */
  abandon(): void {
    this.#abandoned = true
    this.#giveUp?.(lost())
  }

  /** Called by every tick: what time does to a run. */
  watch(): void {
    const nowMs = this.#services.clock.monotonicMs()
    if (this.#undoingMs !== undefined) {
      // Cancel and deadline have had their effect: this is it.
      if (nowMs - this.#undoingMs < UNDO_PATIENCE_MS) return
      this.#giveUp?.(new MaasError('ORDER_TIMEOUT', 'undoing took too long'))
      return
    }
    if (nowMs >= this.#deadlineMs) {
      this.#abort(new MaasError('JOB_DEADLINE', 'the job took longer than its kind may'))
    }
    if (this.#abortedMs !== undefined && nowMs - this.#abortedMs >= CANCEL_PATIENCE_MS) {
      this.#giveUp?.(this.#controller.signal.reason)
    }
  }

  /** Resolves when this engine has nothing more to do with the job. Never rejects. */
  async work(): Promise<void> {
    try {
      if (this.job.phase === UNDO_PHASE) await this.#undo()
      else await this.#forward()
    } catch (error) {
      if (!this.#abandoned && !isMaasError(error, 'JOB_FENCED')) this.#services.onError(error)
      this.#abandoned = true
    }
  }

  #abort(reason: MaasError): void {
    if (this.#controller.signal.aborted) return
    this.#abortedMs = this.#services.clock.monotonicMs()
    this.#controller.abort(reason)
  }

  // ── forward ──────────────────────────────────────────────────────────────

  async #forward(): Promise<void> {
    const steps = this.#definition.steps
    let position = 0
    for (; this.#journal.get(position)?.state === 'done'; position += 1) {
      this.#results[steps[position]!.name] = this.#resultOf(position)
    }
    // Journalled to the last step, which only a version with fewer steps can find.
    if (position === steps.length) {
      await this.#transact((trx) => this.#end(trx))
      return
    }
    try {
      await this.#begin(position)
      for (; position < steps.length; position += 1) {
        this.#controller.signal.throwIfAborted()
        const step = steps[position]!
        const context = this.#context(position)
        const result = await this.#guard(step.run(context))
        await this.#advance(position, context, result)
      }
    } catch (error) {
      if (this.#abandoned || isMaasError(error, 'JOB_FENCED')) throw error
      await this.#fail(position, error)
    }
  }

  async #begin(position: number): Promise<void> {
    const row = this.#beginningOf(position)
    await this.#transact((trx) => this.#writeBeginning(trx, row))
    this.#journal.set(position, row)
  }

  /** Journals the step as done with what it changed, and begins the next, or ends the job. */
  async #advance(
    position: number,
    context: StepContext<unknown, Record<string, unknown>>,
    result: unknown,
  ): Promise<void> {
    const step = this.#definition.steps[position]!
    const row: StepRow = {
      ...this.#journal.get(position)!,
      state: 'done',
      resultJson: jsonOf(result),
      problemJson: null,
      endedAt: this.#services.clock.wallMs(),
    }
    // The next step sees the result as a resumed job would.
    const kept: unknown = JSON.parse(row.resultJson!)
    const isLast = position === this.#definition.steps.length - 1
    const next = isLast ? undefined : this.#beginningOf(position + 1)
    await this.#transact(async (trx) => {
      await saveStep(trx, row)
      await step.apply?.(trx, context, kept)
      if (next !== undefined) await this.#writeBeginning(trx, next)
      else await this.#end(trx, { ...this.#results, [step.name]: kept })
    })
    this.#results[step.name] = kept
    this.#journal.set(position, row)
    if (next !== undefined) this.#journal.set(position + 1, next)
  }

  #beginningOf(position: number): StepRow {
    const before = this.#journal.get(position)
    const problem = before?.state === 'failed' ? this.#problemOf(before).code : undefined
    const again = problem !== undefined && !LOST_ANSWERS.has(problem)
    return {
      jobId: this.job.id,
      position,
      name: this.#definition.steps[position]!.name,
      state: 'running',
      attempt: before === undefined ? 1 : before.attempt + (again ? 1 : 0),
      resultJson: null,
      problemJson: null,
      startedAt: before?.startedAt ?? this.#services.clock.wallMs(),
      endedAt: null,
    }
  }

  async #writeBeginning(trx: Trx, row: StepRow): Promise<void> {
    await saveStep(trx, row)
    await updateClaimed(trx, this.claim, { phase: phaseText(row.name) })
    this.progress.restart()
  }

  async #end(trx: Trx, results = this.#results): Promise<void> {
    const conclusion = this.#definition.conclude?.(results)
    const progress = { ...this.progress.read(), pct: 100, etaMs: 0 }
    await updateClaimed(trx, this.claim, { progressJson: jsonOf(progress) })
    await endJob(trx, this.#services, {
      job: this.job,
      definition: this.#definition,
      params: this.#params,
      outcome: {
        state: conclusion?.warning === true ? 'warning' : 'succeeded',
        results,
        problem: null,
      },
      result: conclusion?.result ?? null,
    })
  }

  // ── failure ──────────────────────────────────────────────────────────────

  async #fail(position: number, thrown: unknown): Promise<void> {
    const { signal } = this.#controller
    const error = signal.aborted ? (signal.reason as MaasError) : toMaasError(thrown)
    // Of a bug, or a catalog that fails, nobody else would hear.
    const isOurs = error.code === 'INTERNAL' || error.code === 'CATALOG_UNAVAILABLE'
    if (isOurs) this.#services.onError(error)
    const retried =
      !signal.aborted &&
      ERROR_CATEGORIES[error.category].retry &&
      this.job.attempt + 1 < this.#definition.attemptMax
    this.log.add(retried ? 'warning' : 'error', error.code, error.message)
    const failed = this.#failedStep(position, error)
    if (retried) {
      const failures = this.job.attempt + 1
      await this.#requeue(failed, { failures, attempt: failures })
      return
    }
    await this.#transact(async (trx) => {
      if (failed !== undefined) await saveStep(trx, failed)
      // The token goes up: what a step that did not listen still wants to write is refused.
      await updateClaimed(trx, this.claim, {
        phase: UNDO_PHASE,
        problemJson: problemJson(errorToMessage(error)),
        claimToken: this.#token + 1,
      })
    })
    this.#token += 1
    if (failed !== undefined) this.#journal.set(position, failed)
    await this.#undo(errorToMessage(error))
  }

  #failedStep(position: number, error: MaasError): StepRow | undefined {
    const row = this.#journal.get(position)
    if (row === undefined || row.state === 'done') return undefined
    const endedAt = this.#services.clock.wallMs()
    return { ...row, state: 'failed', problemJson: problemJson(errorToMessage(error)), endedAt }
  }

  /** Back to the queue, with everything that was done. */
  async #requeue(
    failed: StepRow | undefined,
    again: { readonly failures: number; readonly attempt: number },
  ): Promise<void> {
    const { clock, random } = this.#services
    const notBefore = clock.wallMs() + backoffMs(again.failures, random)
    await this.#transact(async (trx) => {
      if (failed !== undefined) await saveStep(trx, failed)
      await updateClaimed(trx, this.claim, {
        state: 'queued',
        attempt: again.attempt,
        notBefore,
        claimedBy: null,
        claimUntil: null,
      })
      await appendJobEvent(trx, 'job.retrying', this.job, { ...again, notBefore }, clock)
    })
  }

  async #undo(problem = this.#problemOf(this.job)): Promise<void> {
    const positions = [...this.#journal.keys()].toSorted((first, second) => second - first)
    for (const position of positions) {
      const row = this.#journal.get(position)!
      if (row.state === 'done') this.#results[row.name] = this.#resultOf(position)
    }
    for (const position of positions) {
      const step = this.#definition.steps[position]
      if (step?.undo === undefined || this.#journal.get(position)!.state === 'undone') continue
      if (!(await this.#undoStep(position, step))) return
    }
    const cancelled = problem.code === 'CANCELLED' && (await this.#cancelWasAsked())
    await this.#transact((trx) =>
      endJob(trx, this.#services, {
        job: this.job,
        definition: this.#definition,
        params: this.#params,
        outcome: {
          state: cancelled ? 'cancelled' : 'failed',
          results: this.#results,
          problem: { code: 'INTERNAL', message: '', details: {}, ...problem },
        },
        result: null,
      }),
    )
  }

  /** @returns false when it is to be tried again later */
  async #undoStep(position: number, step: AnyStep): Promise<boolean> {
    const row = this.#journal.get(position)!
    const stored = this.#problemOf(row)
    const attempts = stored.undoAttempts ?? 0
    const result = row.state === 'done' ? this.#resultOf(position) : null
    const never = new AbortController().signal
    this.#undoingMs = this.#services.clock.monotonicMs()
    try {
      await this.#guard(step.undo!(this.#context(position, `undo:${attempts}`, never), result))
    } catch (thrown) {
      if (this.#abandoned || isMaasError(thrown, 'JOB_FENCED')) throw thrown
      const error = toMaasError(thrown)
      const undoAttempts = attempts + 1
      const isLast = undoAttempts >= UNDO_ATTEMPT_MAX
      const code = isLast ? 'JOB_UNDO_FAILED' : error.code
      this.log.add(isLast ? 'error' : 'warning', code, `${row.name}: ${error.message}`)
      const kept: StepRow = { ...row, problemJson: jsonOf({ ...stored, undoAttempts }) }
      if (isLast) {
        await this.#transact((trx) => saveStep(trx, kept))
        return true
      }
      const attempt = Math.max(1, this.job.attempt)
      await this.#requeue(kept, { failures: undoAttempts, attempt })
      return false
    }
    const undone: StepRow = { ...row, state: 'undone', endedAt: this.#services.clock.wallMs() }
    await this.#transact((trx) => saveStep(trx, undone))
    this.#journal.set(position, undone)
    return true
  }

  // ── small things ─────────────────────────────────────────────────────────

  async #cancelWasAsked(): Promise<boolean> {
    const row = await this.#services.catalog.db
      .selectFrom('job')
      .select('cancelRequestedAt')
      .where('id', '=', this.job.id)
      .executeTakeFirst()
    return row !== undefined && row.cancelRequestedAt !== null
  }

  #resultOf(position: number): unknown {
    const row = this.#journal.get(position)
    assert(row?.resultJson !== null && row !== undefined, 'a step that is done has a result')
    return JSON.parse(row.resultJson)
  }

  #problemOf(row: { readonly problemJson: string | null }): StoredProblem {
    return row.problemJson === null ? {} : (JSON.parse(row.problemJson) as StoredProblem)
  }

  /** A step that does not answer is left to itself; its token is worth nothing by then. */
  #guard<T>(work: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#giveUp = reject
      if (this.#abandoned) reject(lost())
      work.then(resolve, reject)
    })
  }

  /** @throws MaasError JOB_FENCED */
  async #transact<T>(body: (trx: Trx) => Promise<T>, token = this.#token): Promise<T> {
    const claim = { id: this.job.id, token }
    const lines = this.log.take()
    try {
      return await this.#services.catalog.transaction(async (trx) => {
        if (this.#abandoned || !(await holdsClaim(trx, claim))) throw lost()
        await appendLogLines(trx, this.job.id, lines)
        return body(trx)
      })
    } catch (error) {
      this.log.giveBack(lines)
      if (error instanceof MaasError || error instanceof AssertionFailure) throw error
      // What the world did is done; that it could not be written down can mend.
      const message = 'the catalog could not record the work'
      throw new MaasError('CATALOG_UNAVAILABLE', message, {}, { cause: error })
    }
  }

  #context(
    position: number,
    attempt = String(this.#journal.get(position)!.attempt),
    signal = this.#controller.signal,
  ): StepContext<unknown, Record<string, unknown>> {
    const { catalog, orders, clock } = this.#services
    const { name } = this.#journal.get(position)!
    const token = this.#token
    const key = `${this.job.id}:${name}:${attempt}`
    const isCurrent = (): boolean => !this.#abandoned && token === this.#token
    return {
      job: this.job,
      params: this.#params,
      results: this.#results,
      signal,
      orders,
      catalog,
      clock,
      token,
      key: (suffix) => (suffix === undefined ? key : `${key}:${suffix}`),
      progress: (progress) => {
        if (isCurrent()) this.progress.set(progress)
      },
      waits: (waits) => this.progress.setWaits(waits),
      log: (level, code, text) => this.log.add(level, code, text),
      commit: (body) => this.#transact(body, token),
    }
  }
}

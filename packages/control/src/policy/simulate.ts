/**
 * A policy over a long time, computed: which points are taken, kept, how much they take. Uses the
 * same runs and the same retention as the product, so it is no opinion of its own.
 *
 * Space is an upper bound: every capture adds the same, and a point that goes gives back nothing
 * while a newer one and an older one stay, since its changes are those of the newer one too. What
 * lies before the oldest point left is given back.
 *
 * Points that are taken on demand, for virtual databases, are not in it: they take no place in any
 * rule, so what is kept of the policy's own is the same with them (retention.ts).
 */
import { durationMs } from '@openmaas/api/policy'
import type { PolicySpec } from '@openmaas/api/policy'
import { MaasError } from '@openmaas/kernel/errors'
import type { Reason } from '@openmaas/api/policy-text'
import { applyRetention } from './retention.ts'
import { Runs } from './runs.ts'
import { dateOfDay, DAY_MS, MINUTE_MS } from './zone.ts'

/** Two years of a promise of one minute: seconds of work for the one process there is. */
const RUNS_MAX = 1_100_000

export interface SimulationOptions {
  readonly from: number
  readonly days: number
  /** How long a capture takes: a run that comes meanwhile is left out. */
  readonly captureMs: number
  /** What one adds. */
  readonly addedBytes: number
  /** The course ends there, before its last day. */
  readonly runsMax?: number
}

export interface SimulatedDay {
  readonly date: string
  readonly taken: number
  readonly kept: number
  readonly expired: number
  readonly bytes: number
}

export interface Simulation {
  readonly taken: number
  readonly kept: number
  /** Times that no point was as young as promised. */
  readonly violations: number
  readonly longestGapMs: number
  readonly days: readonly SimulatedDay[]
  /** Those left at the end, newest first. */
  readonly points: readonly { readonly at: number; readonly reasons: readonly string[] }[]
  readonly warnings: readonly Reason[]
}

interface Kept {
  readonly id: string
  readonly takenAt: number
  readonly lockUntil: number | null
}

class Course {
  readonly #spec: PolicySpec
  readonly #runs: Runs
  readonly #options: SimulationOptions
  readonly #limitMs: number
  kept: Kept[] = []
  taken = 0
  violations = 0
  longestGapMs = 0
  #lastAt: number | null = null
  #busyUntil = -Infinity
  /** Kept from day to day: a rare run takes long to find. */
  #nextRun: number | null

  constructor(spec: PolicySpec, options: SimulationOptions) {
    this.#spec = spec
    this.#runs = new Runs(spec, '')
    this.#options = options
    this.#nextRun = this.#runs.next(options.from - 1)
    this.#limitMs = durationMs(spec.rpo) + options.captureMs + MINUTE_MS
  }

  /** As many runs as were wanted at most. */
  get isCut(): boolean {
    return this.taken >= (this.#options.runsMax ?? RUNS_MAX)
  }

  get zone() {
    return this.#runs.zone
  }

  /** @returns how many points a day took and how many went */
  day(end: number): { readonly taken: number; readonly expired: number } {
    const before = this.taken
    while (this.#nextRun !== null && this.#nextRun < end && !this.isCut) {
      this.#take(this.#nextRun)
      this.#nextRun = this.#runs.next(this.#nextRun)
    }
    const all = this.kept.length
    this.kept = this.#expire(end - 1)
    return { taken: this.taken - before, expired: all - this.kept.length }
  }

  reasons(now: number): ReadonlyMap<string, readonly string[]> {
    return applyRetention(this.kept, this.#spec.retention, this.zone, now)
  }

  #take(run: number): void {
    if (run < this.#busyUntil) return
    this.#busyUntil = run + this.#options.captureMs
    if (this.#lastAt !== null) {
      const gap = run - this.#lastAt + this.#options.captureMs
      this.longestGapMs = Math.max(this.longestGapMs, run - this.#lastAt)
      if (gap > this.#limitMs) this.violations += 1
    }
    this.#lastAt = run
    this.taken += 1
    const lockMs = this.#spec.lockDays * DAY_MS
    const lockUntil = lockMs > 0 ? run + lockMs : null
    this.kept.push({ id: `p${this.taken}`, takenAt: run, lockUntil })
  }

  /** Once a day is enough: what is kept does not depend on how often it is looked at. */
  #expire(now: number): Kept[] {
    const reasons = this.reasons(now)
    return this.kept.filter((point) => reasons.get(point.id)!.length > 0)
  }
}

/**
 * Yields after each day, so that a server can do other things in between.
 *
 * @throws MaasError POLICY_INVALID; REQUEST_INVALID for more runs than RUNS_MAX
 */
export function* runSimulation(
  spec: PolicySpec,
  options: SimulationOptions,
): Generator<undefined, Simulation> {
  const course = new Course(spec, options)
  const { zone } = course
  const firstDay = Math.floor(zone.localOf(options.from) / DAY_MS)
  const days: SimulatedDay[] = []
  let end = options.from
  for (let i = 0; i < options.days; i += 1) {
    end = zone.utcOf((firstDay + i + 1) * DAY_MS)
    const { taken, expired } = course.day(end)
    const kept = course.kept.length
    const bytes = spaceOf(course.kept, options, course.taken)
    days.push({ date: dateOfDay(firstDay + i), taken, kept, expired, bytes })
    if (course.isCut) {
      if (options.runsMax !== undefined) break
      const message = `more than ${RUNS_MAX} runs; simulate fewer days`
      throw new MaasError('REQUEST_INVALID', message, { pointer: '/days' })
    }
    yield
  }
  const reasons = course.reasons(end - 1)
  const points = course.kept
    .toReversed()
    .map(({ id, takenAt }) => ({ at: takenAt, reasons: reasons.get(id)! }))
  const { taken, kept, violations, longestGapMs } = course
  const warnings = warningsOf(spec, options, { taken, violations, longestGapMs })
  return { taken, kept: kept.length, violations, longestGapMs, days, points, warnings }
}

/** All of it at once, for what is known to be small. */
export function simulatePolicy(spec: PolicySpec, options: SimulationOptions): Simulation {
  const course = runSimulation(spec, options)
  for (;;) {
    const step = course.next()
    if (step.done === true) return step.value
  }
}

/** Changes since the oldest point that is left; that one itself counts as one capture. */
function spaceOf(kept: readonly Kept[], options: SimulationOptions, taken: number): number {
  const oldest = kept[0]
  if (oldest === undefined) return 0
  const number = Number(oldest.id.slice(1))
  return (taken - number + 1) * options.addedBytes
}

function warningsOf(
  spec: PolicySpec,
  { captureMs }: SimulationOptions,
  found: { readonly taken: number; readonly violations: number; readonly longestGapMs: number },
): Reason[] {
  const rpoMs = durationMs(spec.rpo)
  const warnings: Reason[] = []
  if (found.taken === 0) warnings.push({ code: 'NEVER_RUNS', params: {} })
  if (captureMs > rpoMs) {
    const params = { source: '', captureMs, rpoMs }
    warnings.push({ code: 'RPO_SHORTER_THAN_CAPTURE', params })
  } else if (found.violations > 0) {
    warnings.push({ code: 'RUNS_TOO_RARE', params: { gapMs: found.longestGapMs, rpoMs } })
  }
  if (spec.copies.length > 0) warnings.push({ code: 'COPIES_NOT_MADE', params: {} })
  if (spec.drill !== null) warnings.push({ code: 'DRILLS_NOT_RUN', params: {} })
  return warnings
}

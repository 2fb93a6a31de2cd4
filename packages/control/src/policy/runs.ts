/**
 * When a source runs under a policy: a pure function of the policy, the moment and the source's
 * seed, so that a preview, a simulated year and the scheduler say the same.
 *
 *   base run (every RPO from local midnight, or cron)
 *     → moved to the next opening when windows or blackout forbid it
 *     → later by the source's share of the jitter, if it may begin then too
 *
 * Several base runs that fall into the same closed time become one run at its end.
 */
import { Cron } from 'croner'
import { createHash } from 'node:crypto'
import { durationMs } from '@openmaas/api/policy'
import type { PolicySpec } from '@openmaas/api/policy'
import { MaasError } from '@openmaas/kernel/errors'
import { Windows } from './windows.ts'
import { DAY_MS, zoneOf } from './zone.ts'
import type { Zone } from './zone.ts'

/** A run further ahead than this does not come: 29 February is at most eight years away. */
const HORIZON_MS = 9 * 366 * DAY_MS
/** Base runs looked at for one run; only the minutes around an opening need more than two. */
const BASE_RUNS_MAX = 100_000

/** A part of the jitter in [0, 1) that is always the same for a source. */
function shareOf(seed: string): number {
  return createHash('sha256').update(seed).digest().readUInt32LE() / 2 ** 32
}

/** The cron field as it will be run. */
function parseCron(expression: string, timezone: string): Cron {
  try {
    // Never begun: croner's own timers would read the real clock.
    return new Cron(expression, { timezone, paused: true })
  } catch (error) {
    const message = `the cron field is not understood: ${(error as Error).message}`
    throw new MaasError('POLICY_INVALID', message, { cron: expression }, { cause: error })
  }
}

export class Runs {
  readonly zone: Zone
  readonly #windows: Windows
  readonly #cron: Cron | null
  readonly #periodMs: number
  readonly #offsetMs: number

  /**
   * @param seed the source: spreads it over the jitter; empty for none
   * @throws MaasError POLICY_INVALID
   */
  constructor(spec: PolicySpec, seed: string) {
    this.zone = zoneOf(spec.timezone)
    this.#windows = new Windows(this.zone, spec.windows, spec.blackout)
    this.#cron = spec.cron === null ? null : parseCron(spec.cron, spec.timezone)
    this.#periodMs = durationMs(spec.rpo)
    const jitterMs = durationMs(spec.jitter)
    this.#offsetMs = seed === '' ? 0 : Math.floor((shareOf(seed) * jitterMs) / 1000) * 1000
  }

  /** The first run after that moment; null: none, by what the policy says. */
  next(after: number): number | null {
    let from = after - this.#offsetMs
    if (!this.#windows.isOpen(after)) {
      from = Math.min(from, this.#windows.closedSince(after) - 1)
    }
    for (let count = 0; count < BASE_RUNS_MAX; count += 1) {
      const base = this.#nextBase(from)
      if (base === null || base > after + HORIZON_MS) return null
      const opening = this.#windows.nextOpen(base)
      if (opening === null || opening > after + HORIZON_MS) return null
      const run = this.#spread(opening)
      if (run > after) return run
      // Everything up to the opening becomes the same run.
      from = Math.max(base, opening - 1)
    }
    return null
  }

  /** The next runs, at most `count`, before `until`. */
  *between(after: number, until: number): Generator<number> {
    let run = this.next(after)
    while (run !== null && run < until) {
      yield run
      run = this.next(run)
    }
  }

  list(after: number, count: number): number[] {
    const runs: number[] = []
    let run = this.next(after)
    while (run !== null && runs.length < count) {
      runs.push(run)
      run = this.next(run)
    }
    return runs
  }

  isOpen(at: number): boolean {
    return this.#windows.isOpen(at)
  }

  nextOpen(at: number): number | null {
    return this.#windows.nextOpen(at)
  }

  /** Two sources of the same seed begin together; a run stays within its window. */
  #spread(opening: number): number {
    const run = opening + this.#offsetMs
    return this.#offsetMs > 0 && !this.#windows.isOpen(run) ? opening : run
  }

  #nextBase(after: number): number | null {
    if (this.#cron === null) return this.#nextAligned(after)
    return this.#cron.nextRun(new Date(after))?.getTime() ?? null
  }

  /**
   * From each local midnight on, every period of time that really passes: so no two runs are
   * further apart than the period, also on a day of 23 or 25 hours. Periods of days begin at
   * every so-manieth midnight, weeks on Monday.
   */
  #nextAligned(after: number): number {
    const local = this.zone.localOf(after)
    const day = Math.floor(local / DAY_MS)
    if (this.#periodMs >= DAY_MS && this.#periodMs % DAY_MS === 0) {
      const days = this.#periodMs / DAY_MS
      // Day 4 was a Monday.
      let next = Math.ceil((day - 4) / days) * days + 4
      while (this.zone.utcOf(next * DAY_MS) <= after) next += days
      return this.zone.utcOf(next * DAY_MS)
    }
    const midnight = this.zone.utcOf(day * DAY_MS)
    const passed = Math.floor((after - midnight) / this.#periodMs) + 1
    const next = midnight + Math.max(0, passed) * this.#periodMs
    const nextMidnight = this.zone.utcOf((day + 1) * DAY_MS)
    return Math.min(next, nextMidnight > after ? nextMidnight : next)
  }
}

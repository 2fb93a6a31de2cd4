/**
 * How fast a long work goes and how long it still takes, from counters read now and then.
 *
 * The rate is an exponential average over time, not over readings: a reading counts by how long
 * ago it was, whatever the pace of the readings. Half of the weight is in the last
 * HALF_LIFE_MS.
 */
import { assert } from './assert.ts'
import type { Clock } from './clock.ts'

/** Long enough that a single large file does not make the figure jump, short enough to believe. */
const HALF_LIFE_MS = 5000

/** No count moved for this long: say so rather than a rate that sinks for ever. */
export const STALL_MS = 30_000

/** An estimate beyond this is no information. */
const REMAINING_MAX_MS = 99 * 3_600_000

export interface ProgressReading {
  readonly done: number
  /** Undefined until the end is known. */
  readonly total: number | undefined
  /** In [0, 1]. */
  readonly fraction: number | undefined
  readonly ratePerSecond: number
  /** Undefined when there is no total or no rate to speak of. */
  readonly remainingMs: number | undefined
  readonly elapsedMs: number
  /** Milliseconds since anything moved, from STALL_MS on. */
  readonly stalledMs: number | undefined
}

export class ProgressMeter {
  readonly #clock: Clock
  readonly #beganMs: number
  #lastMs: number
  #lastDone = 0
  #movedMs: number
  /** Units per millisecond, and the weight it has gathered, in [0, 1). */
  #average = 0
  #weight = 0

  constructor(clock: Clock) {
    this.#clock = clock
    this.#beganMs = clock.monotonicMs()
    this.#lastMs = this.#beganMs
    this.#movedMs = this.#beganMs
  }

  /**
   * Takes a reading of the counter.
   *
   * @param done what is done so far, in any unit; never less than before
   */
  read(done: number, total?: number): ProgressReading {
    assert(done >= this.#lastDone, 'what is done does not become undone')
    const nowMs = this.#clock.monotonicMs()
    const passedMs = nowMs - this.#lastMs
    if (done > this.#lastDone) this.#movedMs = nowMs
    if (passedMs > 0) {
      const kept = 0.5 ** (passedMs / HALF_LIFE_MS)
      const rate = (done - this.#lastDone) / passedMs
      this.#average = this.#average * kept + rate * (1 - kept)
      this.#weight = this.#weight * kept + (1 - kept)
      this.#lastMs = nowMs
      this.#lastDone = done
    }
    // The average began at zero: divide by the weight gathered, or the start would look slow.
    const perMs = this.#weight > 0 ? this.#average / this.#weight : 0
    const remaining = total === undefined ? undefined : Math.max(0, total - done)
    const stalledMs = nowMs - this.#movedMs
    return {
      done,
      total,
      fraction: total === undefined ? undefined : total === 0 ? 1 : Math.min(1, done / total),
      ratePerSecond: perMs * 1000,
      remainingMs: estimate(remaining, perMs),
      elapsedMs: nowMs - this.#beganMs,
      stalledMs: stalledMs >= STALL_MS ? stalledMs : undefined,
    }
  }
}

function estimate(remaining: number | undefined, perMs: number): number | undefined {
  if (remaining === undefined) return undefined
  if (remaining === 0) return 0
  const remainingMs = perMs > 0 ? remaining / perMs : Infinity
  return remainingMs <= REMAINING_MAX_MS ? remainingMs : undefined
}

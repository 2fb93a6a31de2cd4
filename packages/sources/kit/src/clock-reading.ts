/** How production's clock stands against this host's, from one question and its answer. */
import { performance } from 'node:perf_hooks'

export interface ClockReading {
  /** Positive: production's is ahead. */
  readonly offsetMs: number
  /** Half of the round trip: the answer may have been made at either end of it. */
  readonly errorMs: number
}

/** Call it right before the question, and `end` right after the answer. */
export function beginClockReading(): { end(productionMs: number): ClockReading } {
  const beganMs = performance.now()
  return {
    end(productionMs) {
      const errorMs = (performance.now() - beganMs) / 2
      return { offsetMs: productionMs - (Date.now() - errorMs), errorMs }
    },
  }
}

/** How production's clock stands against this host's, from questions and their answers. */
import { performance } from 'node:perf_hooks'

export interface ClockReading {
  /** Positive: production's is ahead. */
  readonly offsetMs: number
  /** Half of the round trip: the answer may have been made at either end of it. */
  readonly errorMs: number
}

/** The quickest answer says most; on a busy machine the first is seldom it. */
const QUESTIONS_MAX = 5
/** Finer than any network's own delays differ. */
const ERROR_ENOUGH_MS = 2

/** @param ask production's clock, in milliseconds since 1970 */
export async function readClock(ask: () => Promise<number>): Promise<ClockReading> {
  let best: ClockReading | undefined
  for (let i = 0; i < QUESTIONS_MAX; i += 1) {
    const beganMs = performance.now()
    const productionMs = await ask()
    const errorMs = (performance.now() - beganMs) / 2
    const offsetMs = productionMs - (Date.now() - errorMs)
    if (best === undefined || errorMs < best.errorMs) best = { offsetMs, errorMs }
    if (best.errorMs <= ERROR_ENOUGH_MS) break
  }
  return best!
}

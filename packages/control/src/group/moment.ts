/**
 * The moment of a group (decision 0016): which second it is, and how far apart the clocks that it
 * is measured by were. Pure.
 *
 *   base of A ──┐        ┌── mark of A, by the clock of its production
 *               │   T    │
 *   base of B ──┴── │ ───┴── mark of B
 */
import { BASE_MARGIN_MS } from '../database/moment.ts'
import type { DatabasePoint } from '../database/points.ts'

/** MariaDB logs no finer time. */
export const MOMENT_STEP_MS = 1000
/** Above it the job ends with a warning: commits that are closer together may be torn apart. */
export const CLOCK_WARN_MS = 100
/** What a heartbeat's half round trip leaves open, where standbys are on different hosts. */
export const HEARTBEAT_ERROR_MS = 25

/** The whole second at or before it. */
export const floorMoment = (atMs: number): number =>
  Math.floor(atMs / MOMENT_STEP_MS) * MOMENT_STEP_MS

/** The first moment at which all that the point holds has been committed. */
export const settledMs = ({ takenAt, mark }: Pick<DatabasePoint, 'takenAt' | 'mark'>): number =>
  Math.max(takenAt, mark.atMs)

/** This second, or the first that each of the points lies before. */
export function chooseMoment(now: number, bases: readonly DatabasePoint[]): number {
  const settled = Math.max(...bases.map((point) => settledMs(point)))
  const first = Math.ceil((settled + BASE_MARGIN_MS) / MOMENT_STEP_MS) * MOMENT_STEP_MS
  return Math.max(floorMoment(now), first)
}

/** Production's clock against the server's. */
export interface ClockReading {
  readonly offsetMs: number
  readonly errorMs: number
}

export interface ClockSpread {
  /** The most that two of them may have been apart. */
  readonly mostMs: number
  /** What two of them were apart for sure. */
  readonly leastMs: number
}

/** @returns null when one of them was not measured */
export function spreadOf(readings: readonly (ClockReading | null)[]): ClockSpread | null {
  let [mostMs, leastMs] = [0, 0]
  for (const [i, first] of readings.entries()) {
    if (first === null) return null
    for (const second of readings.slice(i + 1)) {
      if (second === null) return null
      const apart = Math.abs(first.offsetMs - second.offsetMs)
      const error = first.errorMs + second.errorMs
      mostMs = Math.max(mostMs, apart + error)
      leastMs = Math.max(leastMs, apart - error)
    }
  }
  return { mostMs: Math.ceil(mostMs), leastMs: Math.floor(leastMs) }
}

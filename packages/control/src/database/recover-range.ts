/** Which seconds can be recovered, from the points of a source and how its standby stands. */
import type { RecoverRange } from '@openmaas/api/resources/database'
import { timeOf, timeOrNull } from '../http/columns.ts'
import type { DatabasePoint } from './points.ts'

/** A source whose log was broken this often has another problem than a list that is cut. */
const RANGES_MAX = 1000

/**
 * From each point the seconds are recoverable up to the next one, as far back as that one's log
 * goes: a gap is where the log of the later point begins after the earlier point was taken.
 *
 * @param now null when the standby does not follow: nothing later than the newest point
 */
export function recoverRangeOf(
  sourceId: string,
  points: readonly DatabasePoint[],
  now: number | null,
): RecoverRange {
  const ranges: { from: number; until: number }[] = []
  for (const point of points) {
    const last = ranges.at(-1)
    const { logFromMs, atMs } = point.mark
    const until = Math.max(point.takenAt, atMs)
    const isJoined = last !== undefined && (logFromMs === null || logFromMs <= last.until)
    if (isJoined) last.until = until
    else ranges.push({ from: until, until })
  }
  const newest = ranges.at(-1)
  const live = now !== null && newest !== undefined
  if (live) newest.until = Math.max(newest.until, now)
  return {
    sourceId,
    from: timeOrNull(ranges[0]?.from ?? null),
    until: timeOrNull(newest?.until ?? null),
    live,
    ranges: ranges
      .slice(-RANGES_MAX)
      .map(({ from, until }) => ({ from: timeOf(from), until: timeOf(until) })),
    pointCount: points.length,
  }
}

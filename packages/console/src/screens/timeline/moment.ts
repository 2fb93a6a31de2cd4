/**
 * A moment as people type it: `2026-11-21 14:03:07`, `14:03`, `2 hours ago`, `2 小时前`,
 * `14:03:07 last Tuesday`, `上周二 14:03`.
 */
import type { Point } from '@openmaas/api/resources/point'
import { parseNamedDay } from './named-day.ts'

const EXACT = /^(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[ T](\d{1,2}):(\d{2})(?::(\d{2}))?)?$/
const TIME = /^(\d{1,2}):(\d{2})(?::(\d{2}))?$/
const AGO = /^(\d{1,5})\s*([a-z]+|分钟?|小时|天|周)\s*(?:ago|前)?$/i

const UNIT_MS: Readonly<Record<string, number>> = {
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  分: 60_000,
  分钟: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  小时: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  天: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
  周: 604_800_000,
}

/** In the browser's zone. @returns null when it is no moment */
export function parseMoment(text: string, now: Date): Date | null {
  const typed = text.trim().toLowerCase()
  const exact = EXACT.exec(typed)
  if (exact !== null) {
    const [year, month, day, hour, minute, second] = exact.slice(1).map((part) => Number(part ?? 0))
    // A day alone means all of it.
    const isDay = exact[4] === undefined
    return isDay
      ? checked(new Date(year!, month! - 1, day!, 23, 59, 59), { month: month! - 1, day: day! })
      : checked(new Date(year!, month! - 1, day!, hour, minute, second), {
          month: month! - 1,
          day: day!,
        })
  }
  const named = parseNamedDay(typed, now)
  if (named !== null) return timeOfDay(named.time ?? '23:59:59', named.day)
  if (TIME.test(typed)) return timeOfDay(typed, now)
  const ago = AGO.exec(typed)
  const unit = UNIT_MS[(ago?.[2] ?? '').replace(/(?<=..)s$/, '')]
  return ago === null || unit === undefined ? null : new Date(now.getTime() - Number(ago[1]) * unit)
}

/** @param text as TIME has it */
function timeOfDay(text: string, day: Date): Date | null {
  const parts = TIME.exec(text)
  if (parts === null) return null
  const [hour, minute, second] = parts.slice(1).map((part) => Number(part ?? 0))
  const at = new Date(day.getFullYear(), day.getMonth(), day.getDate(), hour, minute, second)
  return checked(at, { month: day.getMonth(), day: day.getDate() })
}

/** Date takes February 30th for March 2nd, and 25:00 for tomorrow. */
function checked(at: Date, { month, day }: { month: number; day: number }): Date | null {
  return at.getMonth() === month && at.getDate() === day ? at : null
}

/** What a moment is recovered from. @param points newest first */
export function pointAt<P extends Pick<Point, 'takenAt'>>(
  points: readonly P[],
  at: Date,
): P | undefined {
  return points.find(({ takenAt }) => Date.parse(takenAt) <= at.getTime())
}

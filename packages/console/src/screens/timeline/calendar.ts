/** A month as weeks of days with the points of each. */
import type { Point } from '@openmaas/api/resources/point'
import { type Condition, conditionOf, worstOf } from './marks.ts'
import { spanAround } from './span.ts'

export interface CalendarDay {
  readonly date: Date
  readonly points: readonly Point[]
  /** Runs that gave no point. */
  readonly failedCount: number
  /** Null: a day without anything. */
  readonly condition: Condition | 'failed' | null
}

/** A local day, as a key. */
export function dayKey(at: Date): string {
  return `${at.getFullYear()}-${at.getMonth() + 1}-${at.getDate()}`
}

/**
 * @param failed when runs ended that gave no point
 * @returns weeks from Monday; null: a day of another month
 */
export function calendarOf(
  month: Date,
  points: readonly Point[],
  failed: readonly Date[],
): (CalendarDay | null)[][] {
  const { from, until } = spanAround(month, 'month')
  const byDay = Map.groupBy(points, ({ takenAt }) => dayKey(new Date(takenAt)))
  const failures = Map.groupBy(failed, (at) => dayKey(at))
  const days: (CalendarDay | null)[] = Array.from({ length: (from.getDay() + 6) % 7 }, () => null)
  for (let date = from; date < until; date = nextDay(date)) {
    const own = byDay.get(dayKey(date)) ?? []
    const failedCount = failures.get(dayKey(date))?.length ?? 0
    days.push({ date, points: own, failedCount, condition: conditionOfDay(own, failedCount) })
  }
  while (days.length % 7 !== 0) days.push(null)
  return Array.from({ length: days.length / 7 }, (_, week) => days.slice(week * 7, week * 7 + 7))
}

/** A day whose runs all failed is the worst; one that failed and was tried again is a warning. */
function conditionOfDay(points: readonly Point[], failedCount: number): CalendarDay['condition'] {
  if (points.length === 0) return failedCount > 0 ? 'failed' : null
  const worst = worstOf(points.map(conditionOf))
  return failedCount > 0 && worst !== 'missing' ? 'warning' : worst
}

function nextDay(date: Date): Date {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1)
}

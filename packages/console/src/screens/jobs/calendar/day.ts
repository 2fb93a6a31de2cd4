/** A day of the calendar of jobs, in the zone of the browser; `2026-11-23` in the address. */
import { z } from 'zod'

export const calendarSearch = z.object({
  day: z.iso.date().optional().catch(undefined),
})
export type CalendarSearch = z.infer<typeof calendarSearch>

export interface Day {
  readonly from: Date
  readonly until: Date
}

/** From midnight to midnight: 23 or 25 hours where clocks change. */
export function dayOf({ day }: CalendarSearch, now: Date): Day {
  const [year, month, date] = (day ?? dateText(now)).split('-').map(Number)
  return {
    from: new Date(year!, month! - 1, date),
    until: new Date(year!, month! - 1, date! + 1),
  }
}

export function dateText(at: Date): string {
  const parts = [at.getFullYear(), at.getMonth() + 1, at.getDate()]
  return parts.map((part) => String(part).padStart(2, '0')).join('-')
}

/** `-1`: the day before. */
export function shiftDay(day: Day, days: number): string {
  const { from } = day
  return dateText(new Date(from.getFullYear(), from.getMonth(), from.getDate() + days))
}

const LEVEL_MAX = 4

/** How dark a cell is: 0 for nothing, 4 for the most of the day. */
export function levelOf(count: number, most: number): number {
  return count === 0 ? 0 : Math.max(1, Math.ceil((count / most) * LEVEL_MAX))
}

/** The hour in which most is at work or planned, over all hosts; null on a day without work. */
export function busiestHour(
  hosts: readonly { ran: readonly number[]; planned: readonly number[] }[],
) {
  const totals = (hosts[0]?.ran ?? []).map((_, hour) =>
    hosts.reduce((sum, { ran, planned }) => sum + ran[hour]! + planned[hour]!, 0),
  )
  const most = Math.max(0, ...totals)
  return most === 0 ? null : { hour: totals.indexOf(most), count: most }
}

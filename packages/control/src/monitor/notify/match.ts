/** Which rule concerns an alert, and when its message goes. */
import { matchesLabels } from '@openmaas/api/permissions'
import type { NotifyMatch } from '@openmaas/api/resources/notification'
import type { Severity } from './message.ts'

export interface MatchedAlert {
  readonly rule: string
  readonly severity: Severity
  readonly labels: Readonly<Record<string, string>>
}

/** Digests are read with the first coffee, in the time zone of the rule. */
const DIGEST_MINUTE = 8 * 60
const DAY_MINUTES = 24 * 60
const MINUTE_MS = 60_000

export function matchesAlert(match: NotifyMatch, alert: MatchedAlert): boolean {
  const { severities, rules, labels } = match
  return (
    (severities === undefined || severities.includes(alert.severity)) &&
    (rules === undefined || rules.includes(alert.rule)) &&
    matchesLabels(labels ?? null, alert.labels)
  )
}

/** @returns when to send, in milliseconds; null: not at all */
export function sendAt(match: NotifyMatch, now: number): number | null {
  const { window, digest } = match
  const timezone = window?.timezone ?? 'UTC'
  if (window === undefined) return digest ? nextMorning(now, timezone) : now
  const minute = minuteOfDay(now, timezone)
  const [from, to] = [minuteOf(window.from), minuteOf(window.to)]
  // 22:00 to 06:00 goes over midnight; equal ends are the whole day.
  const inside = from < to ? minute >= from && minute < to : minute >= from || minute < to
  if (inside) return now
  return digest ? nextMorning(now, timezone) : null
}

function minuteOf(time: string): number {
  const [hours, minutes] = time.split(':').map(Number)
  return hours! * 60 + minutes!
}

function minuteOfDay(at: number, timeZone: string): number {
  const options = { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
  return minuteOf(new Intl.DateTimeFormat('en-GB', options).format(at))
}

/** The next 08:00 there; over a change of the clocks too. */
export function nextMorning(now: number, timezone: string): number {
  const whole = Math.floor(now / MINUTE_MS) * MINUTE_MS
  const ahead = (DIGEST_MINUTE - minuteOfDay(whole, timezone) + DAY_MINUTES) % DAY_MINUTES
  const first = whole + (ahead === 0 ? DAY_MINUTES : ahead) * MINUTE_MS
  // Clocks that change in between leave it some minutes or hours off, either way.
  const off = minuteOfDay(first, timezone) - DIGEST_MINUTE
  const wrapped = off > DAY_MINUTES / 2 ? off - DAY_MINUTES : off
  return first - wrapped * MINUTE_MS
}

/** False for what Intl does not know. */
export function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}

/** Times for people, and times as people write them. */
import type { Text } from '../messages/text.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

const two = (value: number): string => String(value).padStart(2, '0')

/** `2026-03-01 14:05`, in the time zone of the machine. */
export function formatLocal(at: Date): string {
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`
}

/** `3 h ago` */
export function formatAge(ageMs: number, text: Text): string {
  if (ageMs < MINUTE) return text('age.now')
  if (ageMs < HOUR) return text('age.minutes', { count: Math.floor(ageMs / MINUTE) })
  if (ageMs < 2 * DAY) return text('age.hours', { count: Math.floor(ageMs / HOUR) })
  return text('age.days', { count: Math.floor(ageMs / DAY) })
}

const UNITS: readonly (readonly [RegExp, number])[] = [
  [/^(s|secs?|seconds?|秒)$/i, SECOND],
  [/^(m|mins?|minutes?|分钟?)$/i, MINUTE],
  [/^(h|hours?|小时)$/i, HOUR],
  [/^(d|days?|天)$/i, DAY],
  [/^(w|weeks?|周|星期)$/i, 7 * DAY],
]

/** `36h`, `7 days` in milliseconds; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,6})\s*([\p{L}]+)$/u.exec(text.trim())
  if (match === null) return undefined
  const unit = UNITS.find(([pattern]) => pattern.test(match[2]!))
  return unit === undefined ? undefined : Number(match[1]) * unit[1]
}

/**
 * `2 hours ago`, `yesterday`, `2026-03-01`, `2026-03-01 14:05`, RFC 3339. A date without a time
 * is its end, so that the points of that day count; without a zone it is local.
 *
 * @returns undefined when the text is no time
 */
export function parseWhen(text: string, nowMs: number): Date | undefined {
  const words = text.trim()
  const ago = /^(.*?)\s*(?:ago|前)$/i.exec(words)
  if (ago !== null) {
    const duration = parseDuration(ago[1]!)
    return duration === undefined ? undefined : new Date(nowMs - duration)
  }
  if (/^(now|现在)$/i.test(words)) return new Date(nowMs)
  const today = new Date(nowMs)
  if (/^(yesterday|昨天)$/i.test(words)) return endOfDay(today, -1)
  if (/^(today|今天)$/i.test(words)) return endOfDay(today, 0)
  const date = /^(\d{4})-(\d{2})-(\d{2})$/.exec(words)
  if (date !== null) {
    const day = new Date(Number(date[1]), Number(date[2]) - 1, Number(date[3]))
    return day.getDate() === Number(date[3]) ? endOfDay(day, 0) : undefined
  }
  if (!/^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$/.test(words))
    return undefined
  const at = new Date(words.replace(' ', 'T'))
  return Number.isNaN(at.getTime()) ? undefined : at
}

function endOfDay(day: Date, offsetDays: number): Date {
  return new Date(day.getFullYear(), day.getMonth(), day.getDate() + offsetDays, 23, 59, 59, 999)
}

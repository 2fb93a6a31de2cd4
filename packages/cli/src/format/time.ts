/** Times for people, and durations as people write them. Times as they write them: when.ts. */
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

/**
 * Times as people and databases write them. Without an offset a time is local; a day without a
 * time is its end, so that what happened on that day counts.
 *
 *   2 hours ago · now · yesterday · 2026-03-01
 *   2026-03-01 14:05:07.123456+02       PostgreSQL, MySQL, ISO 8601; also …Z, … UTC
 *   20260301T140507Z · 260301 14:05:07  ISO 8601 without signs, mysqlbinlog
 *   14:03:07 last Tuesday · yesterday 14:03 · 上周二 14:03:07
 *
 * What is finer than a millisecond is cut off, towards the past: who names the moment of a mistake
 * wants nothing that is later.
 */
import { parseDuration } from './time.ts'

/** PostgreSQL knows no offset beyond it. */
const OFFSET_MINUTES_MAX = 16 * 60 - 1

/** No database of anybody's has a log of before. */
const YEAR_FIRST = 1970

interface Day {
  readonly year: number
  /** From 0. */
  readonly month: number
  readonly day: number
}

const ZONE = /(?<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?/i.source
const FRACTION = /(?:[.,](?<fraction>\d{1,9}))?/.source
const TIME = String.raw`(?<hour>\d{1,2}):(?<minute>\d{2})(?::(?<second>\d{2})${FRACTION})?`
const DATED = new RegExp(
  String.raw`^(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})(?:T|\s+)${TIME}\s*${ZONE}$`,
  'i',
)
/** ISO 8601, basic. */
const BASIC = new RegExp(
  String.raw`^(?<year>\d{4})(?<month>\d{2})(?<day>\d{2})T` +
    String.raw`(?<hour>\d{2})(?<minute>\d{2})(?:(?<second>\d{2})${FRACTION})?${ZONE}$`,
  'i',
)
/** Heads of events in the output of mysqlbinlog: `#260301  2:05:07`, in the zone it ran in. */
const BINLOG = new RegExp(String.raw`^#?(?<year>\d{2})(?<month>\d{2})(?<day>\d{2})\s+${TIME}$`)
const TIME_FIRST = new RegExp(String.raw`^${TIME},?\s*(?:on\s+)?(?<words>\D.*)$`, 'i')
const TIME_LAST = new RegExp(String.raw`^(?<words>\D*[^\s\d])\s*${TIME}$`, 'i')
/** By itself it may as well be a part of an id. */
const BARE_WEEKDAY = /^(?:sun|mon|tue|wed|thu|fri|sat)[a-z]*$/i

/** @returns undefined when the text is no time, or names one that the local clock left out */
export function parseWhen(text: string, nowMs: number): Date | undefined {
  const words = text.trim()
  const ago = /^(.*?)\s*(?:ago|前)$/i.exec(words)
  if (ago !== null) {
    const duration = parseDuration(ago[1]!)
    return duration === undefined ? undefined : new Date(nowMs - duration)
  }
  if (/^(now|现在)$/i.test(words)) return new Date(nowMs)
  const day = BARE_WEEKDAY.test(words) ? undefined : dayOf(words, nowMs)
  if (day !== undefined) return endOf(day)
  const dated = (DATED.exec(words) ?? BASIC.exec(words) ?? BINLOG.exec(words))?.groups
  if (dated !== undefined) {
    const [year, month, date] = [dated['year']!, dated['month']!, dated['day']!].map(Number)
    const century = dated['year']!.length === 2 ? 2000 : 0
    return momentOf({ year: century + year!, month: month! - 1, day: date! }, dated)
  }
  const spoken = (TIME_FIRST.exec(words) ?? TIME_LAST.exec(words))?.groups
  if (spoken === undefined) return undefined
  const named = dayOf(spoken['words']!.replace(/(?:,|\s+at)$/i, '').trim(), nowMs)
  return named === undefined ? undefined : momentOf(named, spoken)
}

/** True when what `parseWhen` cut off was not nothing. */
export function isCut(text: string): boolean {
  return /[.,]\d{3}\d*[1-9]/.test(text)
}

type Groups = Readonly<Record<string, string | undefined>>

function momentOf({ year, month, day }: Day, groups: Groups): Date | undefined {
  const { hour, minute, second = '0', fraction = '', zone } = groups
  const ms = Number(fraction.slice(0, 3).padEnd(3, '0'))
  const [h, m, s] = [Number(hour), Number(minute), Number(second)]
  // Dates of JavaScript take the first hundred years for the last of ours.
  if (h > 23 || m > 59 || s > 59 || year < YEAR_FIRST) return undefined
  const utc = new Date(Date.UTC(year, month, day, h, m, s, ms))
  if (utc.getUTCDate() !== day || utc.getUTCMonth() !== month) return undefined
  if (zone !== undefined) {
    const offset = offsetMinutes(zone)
    return offset === undefined ? undefined : new Date(utc.getTime() - offset * 60_000)
  }
  const local = new Date(year, month, day, h, m, s, ms)
  // An hour that summer time skipped is no time of that day.
  return local.getHours() === h && local.getMinutes() === m ? local : undefined
}

function offsetMinutes(zone: string): number | undefined {
  if (/^[a-z]/i.test(zone)) return 0
  const [, sign, hours, minutes = '0'] = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone)!
  const offset = Number(hours) * 60 + Number(minutes)
  if (Number(minutes) > 59 || offset > OFFSET_MINUTES_MAX) return undefined
  return sign === '-' ? -offset : offset
}

const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const WEEKDAY = /^(?<last>last\s+)?(?<name>sun|mon|tue|wed|thu|fri|sat)(?:s|nes|rs?|ur)?(?:day)?$/i
const WEEKDAY_ZH = /^(?<last>上个?)?(?:周|星期|礼拜)(?<name>[日一二三四五六天])$/

/** The day that words name: in the past, or today. */
function dayOf(words: string, nowMs: number): Day | undefined {
  if (/^(today|今天)$/i.test(words)) return daysBefore(nowMs, 0)
  if (/^(yesterday|昨天)$/i.test(words)) return daysBefore(nowMs, 1)
  const date = /^(\d{4})-(\d{2})-(\d{2})$/.exec(words)
  if (date !== null) {
    const [, year, month, day] = date.map(Number)
    const utc = new Date(Date.UTC(year!, month! - 1, day))
    const isThere = utc.getUTCDate() === day && utc.getUTCMonth() === month! - 1
    return isThere && year! >= YEAR_FIRST
      ? { year: year!, month: month! - 1, day: day! }
      : undefined
  }
  const today = new Date(nowMs).getDay()
  const english = WEEKDAY.exec(words)?.groups
  if (english !== undefined) {
    const back = (today - WEEKDAYS.indexOf(english['name']!.toLowerCase()) + 7) % 7
    // The one before today; without "last" it may be today.
    return daysBefore(nowMs, back === 0 && english['last'] !== undefined ? 7 : back)
  }
  const chinese = WEEKDAY_ZH.exec(words)?.groups
  if (chinese === undefined) return undefined
  const wanted = '日一二三四五六'.indexOf(chinese['name']!.replace('天', '日'))
  if (chinese['last'] === undefined) return daysBefore(nowMs, (today - wanted + 7) % 7)
  // 上周二 is the Tuesday of the week before, and weeks begin on Monday.
  return daysBefore(nowMs, ((today + 6) % 7) + 7 - ((wanted + 6) % 7))
}

/** By the local calendar, whatever the lengths of its days. */
function daysBefore(nowMs: number, count: number): Day {
  const now = new Date(nowMs)
  const at = new Date(now.getFullYear(), now.getMonth(), now.getDate() - count)
  return { year: at.getFullYear(), month: at.getMonth(), day: at.getDate() }
}

function endOf({ year, month, day }: Day): Date {
  return new Date(year, month, day, 23, 59, 59, 999)
}

const two = (value: number): string => String(value).padStart(2, '0')

/** `2026-11-23 03:14:05.123`, of what its clock in UTC shows. */
const clockText = (at: Date): string => at.toISOString().replace('T', ' ').slice(0, -1)

/**
 * `2026-11-23 03:14:05.123 +01:00 (Europe/Berlin), 2026-11-23 02:14:05.123 UTC`: what was
 * understood, so that nobody recovers to the right second of the wrong zone.
 */
export function formatMoment(at: Date): string {
  const offset = -at.getTimezoneOffset()
  const shown = clockText(new Date(at.getTime() + offset * 60_000))
  const minutes = Math.abs(offset)
  const sign = offset < 0 ? '-' : '+'
  const offsetText = `${sign}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
  const { timeZone } = new Intl.DateTimeFormat().resolvedOptions()
  if (offset === 0 && /^(?:Etc\/)?(?:UTC|UCT|GMT|Universal|Zulu)/.test(timeZone)) {
    return `${shown} ${offsetText} (UTC)`
  }
  return `${shown} ${offsetText} (${timeZone}), ${clockText(at)} UTC`
}

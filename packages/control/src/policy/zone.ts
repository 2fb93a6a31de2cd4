/**
 * Times of day in a time zone, by Intl. "Local milliseconds" are what the clock on the wall
 * shows, counted as if it were UTC: so days and hours come by division.
 *
 * A local time that a change of the clock skips means the first moment after the gap; one that
 * comes twice means the first time.
 */

export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

/** A year of a simulation and its surroundings; then the oldest are forgotten. */
const CACHED_DAYS_MAX = 2000

export class Zone {
  readonly name: string
  readonly #format: Intl.DateTimeFormat
  /** UTC day → offset of all of it, or null when the clock changes on it. */
  readonly #days = new Map<number, number | null>()

  constructor(name: string) {
    this.name = name
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
  }

  /** What is to be added to UTC. */
  offsetAt(utcMs: number): number {
    const day = Math.floor(utcMs / DAY_MS)
    let offset = this.#days.get(day)
    if (offset === undefined) {
      const begin = this.#computeOffset(day * DAY_MS)
      const end = this.#computeOffset((day + 1) * DAY_MS)
      offset = begin === end ? begin : null
      if (this.#days.size >= CACHED_DAYS_MAX) this.#days.clear()
      this.#days.set(day, offset)
    }
    return offset ?? this.#computeOffset(utcMs)
  }

  localOf(utcMs: number): number {
    return utcMs + this.offsetAt(utcMs)
  }

  utcOf(localMs: number): number {
    // The offsets a day before and after are those before and after a change, if there is one.
    const before = this.offsetAt(localMs - DAY_MS)
    const after = this.offsetAt(localMs + DAY_MS)
    const first = localMs - before
    if (this.localOf(first) === localMs) return first
    const second = localMs - after
    if (this.localOf(second) === localMs) return second
    return this.#gapEnd(Math.min(first, second), Math.max(first, second))
  }

  #computeOffset(utcMs: number): number {
    const parts: Record<string, number> = {}
    for (const { type, value } of this.#format.formatToParts(utcMs)) parts[type] = Number(value)
    const { year, month, day, hour, minute, second } = parts
    const local = Date.UTC(year!, month! - 1, day, hour, minute, second)
    return local - Math.floor(utcMs / 1000) * 1000
  }

  /** The moment within the two at which the offset changes. */
  #gapEnd(from: number, to: number): number {
    const offset = this.#computeOffset(from)
    let [low, high] = [from, to]
    while (high - low > 1000) {
      const middle = Math.floor((low + high) / 2000) * 1000
      if (middle === low) break
      if (this.#computeOffset(middle) === offset) low = middle
      else high = middle
    }
    return Math.ceil(high / 1000) * 1000
  }
}

const zones = new Map<string, Zone>()

/** Zones are few and cost an Intl object each. */
export function zoneOf(name: string): Zone {
  let zone = zones.get(name)
  if (zone === undefined) {
    zone = new Zone(name)
    zones.set(name, zone)
  }
  return zone
}

/** Local midnight's day number of "2026-11-22". */
export function dayOfDate(date: string): number {
  return Math.floor(Date.parse(`${date}T00:00:00Z`) / DAY_MS)
}

/** Day number → "2026-11-22". */
export function dateOfDay(day: number): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10)
}

/** 0 is Monday. 1970-01-01 was a Thursday. */
export function weekdayOf(day: number): number {
  return (((day + 3) % 7) + 7) % 7
}

/** "22:30" → milliseconds after local midnight. */
export function timeOfDayMs(text: string): number {
  return Number(text.slice(0, 2)) * HOUR_MS + Number(text.slice(3)) * MINUTE_MS
}

/** When work may begin: windows of the week, without blackout days. */
import type { Blackout, TimeWindow } from '@openmaas/api/policy'
import { DAY_MS, dayOfDate, timeOfDayMs, weekdayOf } from './zone.ts'
import type { Zone } from './zone.ts'

const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
/** A window begins on some day of the week, so one is found within these days, or never. */
const SEARCH_DAYS = 8

interface Span {
  readonly from: number
  readonly to: number
}

export class Windows {
  readonly #zone: Zone
  readonly #windows: readonly TimeWindow[]
  /** UTC, in order. */
  readonly #blackouts: readonly Span[]

  constructor(zone: Zone, windows: readonly TimeWindow[], blackouts: readonly Blackout[]) {
    this.#zone = zone
    this.#windows = windows
    this.#blackouts = blackouts
      .map(({ from, to }) => ({
        from: zone.utcOf(dayOfDate(from) * DAY_MS),
        to: zone.utcOf((dayOfDate(to) + 1) * DAY_MS),
      }))
      .toSorted((first, second) => first.from - second.from)
  }

  isOpen(at: number): boolean {
    return this.#blackoutAt(at) === undefined && this.#isInWindow(at)
  }

  /** The first moment, not before `at`, at which work may begin; null: never again. */
  nextOpen(at: number): number | null {
    let moment = at
    // Each turn passes a blackout or finds a window: there are no more turns than blackouts.
    for (let turns = 0; turns <= this.#blackouts.length * 2 + 1; turns += 1) {
      const blackout = this.#blackoutAt(moment)
      if (blackout !== undefined) {
        moment = blackout.to
        continue
      }
      if (this.#isInWindow(moment)) return moment
      const begin = this.#nextBegin(moment)
      if (begin === null) return null
      if (this.#blackoutAt(begin) === undefined) return begin
      moment = begin
    }
    return null
  }

  /** Where the closed time began that `at` lies in. */
  closedSince(at: number): number {
    let moment = at
    for (let turns = 0; turns <= this.#blackouts.length * 2 + 1; turns += 1) {
      const blackout = this.#blackoutAt(moment)
      const end = blackout === undefined ? this.#lastEnd(moment) : blackout.from
      if (this.isOpen(end - 1) || end >= moment + 1) return end
      moment = end - 1
    }
    return moment
  }

  #blackoutAt(at: number): Span | undefined {
    return this.#blackouts.find(({ from, to }) => from <= at && at < to)
  }

  #isInWindow(at: number): boolean {
    if (this.#windows.length === 0) return true
    const day = this.#dayOf(at)
    return [day - 1, day].some((each) =>
      this.#spansOf(each).some(({ from, to }) => from <= at && at < to),
    )
  }

  #nextBegin(at: number): number | null {
    const day = this.#dayOf(at)
    for (let i = 0; i <= SEARCH_DAYS; i += 1) {
      const begins = this.#spansOf(day + i).map(({ from }) => from)
      const later = begins.filter((from) => from >= at)
      if (later.length > 0) return Math.min(...later)
    }
    return null
  }

  #lastEnd(at: number): number {
    const day = this.#dayOf(at)
    for (let i = -1; i <= SEARCH_DAYS; i += 1) {
      const ends = this.#spansOf(day - 1 - i).map(({ to }) => to)
      const earlier = ends.filter((to) => to <= at)
      if (earlier.length > 0) return Math.max(...earlier)
    }
    return at
  }

  #dayOf(at: number): number {
    return Math.floor(this.#zone.localOf(at) / DAY_MS)
  }

  /** The windows that begin on that local day. */
  #spansOf(day: number): Span[] {
    return spansOf(this.#zone, this.#windows, day)
  }
}

function spansOf(zone: Zone, windows: readonly TimeWindow[], day: number): Span[] {
  const weekday = WEEKDAYS[weekdayOf(day)]!
  return windows
    .filter((window) => window.days.includes(weekday))
    .map((window) => {
      const [from, to] = [timeOfDayMs(window.from), timeOfDayMs(window.to)]
      const end = to <= from ? to + DAY_MS : to
      return { from: zone.utcOf(day * DAY_MS + from), to: zone.utcOf(day * DAY_MS + end) }
    })
}

/** The first of these windows that is open at that moment. */
export function findOpen<W extends TimeWindow>(
  zone: Zone,
  windows: readonly W[],
  at: number,
): W | undefined {
  const day = Math.floor(zone.localOf(at) / DAY_MS)
  return windows.find((window) =>
    [day - 1, day].some((each) =>
      spansOf(zone, [window], each).some(({ from, to }) => from <= at && at < to),
    ),
  )
}

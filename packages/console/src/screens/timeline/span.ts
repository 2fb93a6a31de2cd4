/** What the timeline shows: a span of calendar time around a moment, in the browser's zone. */
import type { Zoom } from './search.ts'

export interface Span {
  readonly from: Date
  /** Not included. */
  readonly until: Date
}

const HOUR_MS = 3_600_000

/** The year, month, week (from Monday), day or hour that a moment lies in. */
export function spanAround(at: Date, zoom: Zoom): Span {
  const year = at.getFullYear()
  const month = at.getMonth()
  const day = at.getDate()
  switch (zoom) {
    case 'year':
      return { from: new Date(year, 0, 1), until: new Date(year + 1, 0, 1) }
    case 'month':
      return { from: new Date(year, month, 1), until: new Date(year, month + 1, 1) }
    case 'week': {
      const monday = day - ((at.getDay() + 6) % 7)
      return { from: new Date(year, month, monday), until: new Date(year, month, monday + 7) }
    }
    case 'day':
      return { from: new Date(year, month, day), until: new Date(year, month, day + 1) }
    case 'hour': {
      const from = new Date(year, month, day, at.getHours())
      return { from, until: new Date(from.getTime() + HOUR_MS) }
    }
  }
}

/** A moment in the next span (1) or the one before (-1). */
export function moveSpan(at: Date, zoom: Zoom, steps: 1 | -1): Date {
  const { from, until } = spanAround(at, zoom)
  const beside = steps === 1 ? until : new Date(from.getTime() - 1)
  const other = spanAround(beside, zoom)
  return new Date((other.from.getTime() + other.until.getTime()) / 2)
}

/** 0 at the left end, 1 at the right one. */
export function positionIn({ from, until }: Span, at: Date): number {
  return (at.getTime() - from.getTime()) / (until.getTime() - from.getTime())
}

export interface Tick {
  readonly at: Date
  readonly position: number
}

/** Where words stand below the line: as many as can be read. */
export function ticksOf(span: Span, zoom: Zoom): Tick[] {
  const ticks: Tick[] = []
  for (let at = span.from; at < span.until; at = nextTick(at, zoom)) {
    ticks.push({ at, position: positionIn(span, at) })
  }
  return ticks
}

const DAYS_BETWEEN_TICKS = 5
const HOURS_BETWEEN_TICKS = 4
const MINUTES_BETWEEN_TICKS = 10

function nextTick(at: Date, zoom: Zoom): Date {
  const [year, month, day] = [at.getFullYear(), at.getMonth(), at.getDate()]
  switch (zoom) {
    case 'year':
      return new Date(year, month + 2, 1)
    case 'month':
      return new Date(year, month, day + DAYS_BETWEEN_TICKS)
    case 'week':
      return new Date(year, month, day + 1)
    case 'day':
      return new Date(at.getTime() + HOURS_BETWEEN_TICKS * HOUR_MS)
    case 'hour':
      return new Date(at.getTime() + (MINUTES_BETWEEN_TICKS * HOUR_MS) / 60)
  }
}

/** The part of the recoverable time that the bar shows, and places in it. Pure. */
export const RANGE_ZOOMS = ['hour', 'day', 'week', 'all'] as const
export type RangeZoom = (typeof RANGE_ZOOMS)[number]

export interface View {
  readonly fromMs: number
  readonly untilMs: number
}

const HOUR_MS = 3_600_000
const SIZE_MS: Readonly<Record<Exclude<RangeZoom, 'all'>, number>> = {
  hour: HOUR_MS,
  day: 24 * HOUR_MS,
  week: 7 * 24 * HOUR_MS,
}
/** One that began a second ago can still be pointed into. */
const SIZE_MIN_MS = 60_000

/** As much as is asked for around the moment, inside of what can be had. */
export function viewOf(all: View, zoom: RangeZoom, atMs: number): View {
  const whole = { ...all, fromMs: Math.min(all.fromMs, all.untilMs - SIZE_MIN_MS) }
  if (zoom === 'all') return whole
  const size = SIZE_MS[zoom]
  if (whole.untilMs - whole.fromMs <= size) return whole
  const middle = Math.min(Math.max(atMs, whole.fromMs + size / 2), whole.untilMs - size / 2)
  return { fromMs: middle - size / 2, untilMs: middle + size / 2 }
}

/** 0 at the left end, 1 at the right one; not beyond. */
export function shareIn({ fromMs, untilMs }: View, atMs: number): number {
  return Math.min(1, Math.max(0, (atMs - fromMs) / (untilMs - fromMs)))
}

/** Those that are longer than what is seen say nothing. @returns the zooms that show less */
export function usefulZooms({ fromMs, untilMs }: View): RangeZoom[] {
  return RANGE_ZOOMS.filter((zoom) => zoom === 'all' || SIZE_MS[zoom] < untilMs - fromMs)
}

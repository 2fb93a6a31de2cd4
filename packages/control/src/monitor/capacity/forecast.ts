/**
 * When a pool will be full: a straight line through its days, by Theil and Sen: the median of the
 * slopes between all pairs of days. Up to a quarter of the days may lie anywhere (a collection
 * that freed half of the pool, a first capture) and it holds. Pure.
 *
 * The range is Kendall's: 95 of 100 times the true slope lies within it, if days were
 * independent, which they are not quite. A line whose range holds zero does not grow for sure,
 * and then nothing is foretold.
 */

export interface CapacitySample {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly usedBytes: number
}

export interface PoolForecast {
  readonly state: 'not-enough-data' | 'steady' | 'growing'
  readonly growthBytesPerDay: number
  /** One standard error of the slope, from the range; null without one. */
  readonly errorBytesPerDay: number | null
  readonly daysToFull: number | null
  /** By the fast and by the slow end of the range. */
  readonly daysToFullRange: { readonly earliest: number; readonly latest: number } | null
  /** One for each day, oldest first. */
  readonly days: readonly CapacitySample[]
}

const DAY_MS = 86_400_000
/** Of data: what was before says little about now. */
export const FORECAST_DAYS_MAX = 60
/** With four pairs of days or fewer any line fits. */
export const FORECAST_DAYS_MIN = 5
/** Ten years: nobody plans beyond. */
const FORETOLD_DAYS_MAX = 3650
/** Two-sided 95 % of the normal distribution. */
const Z_95 = 1.96

const NOTHING = {
  growthBytesPerDay: 0,
  errorBytesPerDay: null,
  daysToFull: null,
  daysToFullRange: null,
} as const

export function forecastPool(
  samples: readonly CapacitySample[],
  pool: { readonly sizeBytes: number; readonly usedBytes: number },
): PoolForecast {
  const days = dailySamples(samples).slice(-FORECAST_DAYS_MAX)
  if (days.length < FORECAST_DAYS_MIN) return { ...NOTHING, state: 'not-enough-data', days }
  const { slope, low, high } = theilSen(days)
  const errorBytesPerDay = (high - low) / (2 * Z_95)
  const line = { growthBytesPerDay: slope, errorBytesPerDay, days }
  const leftBytes = Math.max(0, pool.sizeBytes - pool.usedBytes)
  const daysToFull = low > 0 ? leftBytes / slope : Infinity
  if (pool.sizeBytes === 0 || daysToFull > FORETOLD_DAYS_MAX) {
    return { ...NOTHING, ...line, state: low > 0 ? 'growing' : 'steady' }
  }
  const daysToFullRange = {
    earliest: leftBytes / high,
    latest: Math.min(FORETOLD_DAYS_MAX, leftBytes / low),
  }
  return { ...line, state: 'growing', daysToFull, daysToFullRange }
}

/** One for each day (UTC) that has any: the median, at the middle of when they were taken. */
export function dailySamples(samples: readonly CapacitySample[]): CapacitySample[] {
  const byDay = new Map<number, CapacitySample[]>()
  for (const sample of samples) {
    const day = Math.floor(sample.at / DAY_MS)
    byDay.set(day, [...(byDay.get(day) ?? []), sample])
  }
  const days = [...byDay.entries()].toSorted(([a], [b]) => a - b)
  return days.map(([, of]) => ({
    at: median(of.map(({ at }) => at)),
    usedBytes: median(of.map(({ usedBytes }) => usedBytes)),
  }))
}

function theilSen(days: readonly CapacitySample[]): {
  readonly slope: number
  readonly low: number
  readonly high: number
} {
  const slopes: number[] = []
  for (const [i, first] of days.entries()) {
    for (const second of days.slice(i + 1)) {
      const passedDays = (second.at - first.at) / DAY_MS
      slopes.push((second.usedBytes - first.usedBytes) / passedDays)
    }
  }
  slopes.sort((a, b) => a - b)
  const n = days.length
  // Standard deviation of Kendall's S without ties, times z.
  const spread = Z_95 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18)
  const last = slopes.length - 1
  const lowAt = Math.max(0, Math.floor((slopes.length - spread) / 2))
  const highAt = Math.min(last, Math.ceil((slopes.length + spread) / 2))
  return { slope: median(slopes), low: slopes[lowAt]!, high: slopes[highAt]! }
}

/** @param values at least one */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]!
  return sorted.length % 2 === 1 ? upper : (sorted[middle - 1]! + upper) / 2
}

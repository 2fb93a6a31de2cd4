/** How things went, by day: what charts are drawn of. Days are those of UTC, the oldest first. */
import { z } from 'zod'
import { count, timeShown } from './common.ts'

/** A month, and what is compared with it. */
export const TREND_DAYS_MAX = 90
export const TREND_DAYS_DEFAULT = 30

const share = z.number().min(0).max(1)

export const trends = z
  .object({
    /** A day on which nothing was captured is left out. */
    stored: z.array(z.object({ at: timeShown, points: count, addedBytes: count })),
    /** Share of promises that were kept, on average of that day; of days that were measured. */
    kept: z.array(z.object({ at: timeShown, share })),
  })
  .meta({ id: 'Trends' })

export const sourceTrend = z
  .object({
    days: z.array(
      z.object({
        at: timeShown,
        readBytes: count,
        addedBytes: count,
        sizeBytes: count,
        /** What was unlike the days before. */
        anomalies: z.array(z.enum(['change', 'compressibility', 'shrink'])),
      }),
    ),
    /** Share of the day on which the newest point was as young as promised; empty: no promise. */
    kept: z.array(z.object({ at: timeShown, share })),
  })
  .meta({ id: 'SourceTrend' })
export type Trends = z.infer<typeof trends>
export type SourceTrend = z.infer<typeof sourceTrend>

export const trendQuery = z.strictObject({
  days: z.coerce
    .number<number | string>()
    .int()
    .min(1)
    .max(TREND_DAYS_MAX)
    .default(TREND_DAYS_DEFAULT),
})

/** The dashboard's summary and the forecast: "am I safe, and can I get it back?" */
import { z } from 'zod'
import { count, idOf, timeOrNull, timeShown } from './common.ts'
import { complianceState, reasonText } from './source.ts'

export const status = z
  .object({
    at: timeShown,
    version: z.string(),
    sources: z.object({
      total: count,
      protected: count.describe('A policy holds for it, and there is a point.'),
      unprotected: count.describe('No policy, or no point yet.'),
      compliant: count.describe('Its promise is kept.'),
      paused: count,
      atRisk: count,
      violated: count,
      /** Share of sources whose newest point was verified, 0 to 1. */
      verifiedShare: z.number().min(0).max(1).nullable(),
    }),
    points: z.object({ total: count, newestAt: timeOrNull, sizeBytes: count }),
    jobs: z.object({
      queued: count,
      running: count,
      succeeded24h: count,
      warning24h: count,
      failed24h: count,
    }),
    media: z.object({ active: count, expiringSoon: count }),
    hosts: z.object({ total: count, online: count, offline: count }),
    pools: z.object({
      total: count,
      sizeBytes: count,
      freeBytes: count,
      logicalBytes: count,
      physicalBytes: count,
      daysToFull: z.number().nullable(),
    }),
    alerts: z.object({ critical: count, warning: count, info: count }),
    /** Worst first. */
    attention: z
      .array(
        z.object({
          sourceId: idOf('source'),
          name: z.string(),
          state: complianceState,
          reasons: z.array(reasonText),
        }),
      )
      .max(100),
  })
  .meta({ id: 'Status' })
export type Status = z.infer<typeof status>

export const forecast = z
  .object({
    pools: z.array(
      z.object({
        poolId: idOf('pool'),
        usedBytes: count,
        sizeBytes: count,
        growthBytesPerDay: z.number(),
        /** Whether anything can be said: a line needs five days, and to rise for sure. */
        state: z.enum(['not-enough-data', 'steady', 'growing']),
        daysToFull: z.number().nullable(),
        /** By the fast and the slow end of the growth that 95 of 100 times holds the true one. */
        daysToFullRange: z.object({ earliest: z.number(), latest: z.number() }).nullable(),
        fullAt: timeOrNull,
        /** How far the line may be off, as one standard error of the slope. */
        errorBytesPerDay: z.number().nullable(),
        samples: z.array(z.object({ at: timeShown, usedBytes: count })),
      }),
    ),
  })
  .meta({ id: 'Forecast' })

/** SLA policies as resources, and what they would do. The promise itself: policy.ts. */
import { z } from 'zod'
import { policySpec } from '../policy.ts'
import {
  count,
  idOf,
  labelSelector,
  nameText,
  time,
  timeOrNull,
  timeShown,
  version,
} from './common.ts'
import { compliance, reasonText } from './source.ts'

const priority = z.number().int().min(-1000).max(1000)

export const policy = z
  .object({
    id: idOf('policy'),
    name: z.string(),
    /** Null: only where a source names it. */
    selector: labelSelector.nullable(),
    /** Highest wins where several match; then the name. */
    priority: z.number().int(),
    spec: policySpec,
    enabled: z.boolean(),
    sourceCount: count.optional(),
    createdAt: timeShown,
    version,
  })
  .meta({ id: 'Policy' })
export type Policy = z.infer<typeof policy>

export const policyCreate = z.strictObject({
  name: nameText,
  selector: labelSelector.nullable().default(null),
  priority: priority.default(0),
  spec: policySpec,
  enabled: z.boolean().default(true),
})
export const policyChange = z.strictObject({
  name: nameText.optional(),
  selector: labelSelector.nullable().optional(),
  priority: priority.optional(),
  spec: policySpec.optional(),
  enabled: z.boolean().optional(),
  /** For a change that keeps less than before. */
  reason: z.string().max(4096).optional(),
  approvalId: idOf('approval').optional(),
})

export const policyPreviewRequest = z.strictObject({
  spec: policySpec,
  selector: labelSelector.nullable().default(null),
  /** An existing policy that this would replace. */
  policyId: idOf('policy').optional(),
})

export const nextRuns = z
  .object({ items: z.array(timeShown), cronText: z.string().nullable() })
  .meta({ id: 'NextRuns' })

export const policyPreview = z
  .object({
    nextRuns: z.array(timeShown),
    /** The cron field in words, when there is one. */
    cronText: z.string().nullable(),
    sourceCount: count,
    sources: z.array(z.object({ id: idOf('source'), name: z.string() })).max(1000),
    /** Points kept when it has run for long enough. */
    pointsKept: count,
    /** From what these sources added so far; null without measurements. */
    expectedBytes: count.nullable(),
    /** Points that would expire at once. */
    expiring: z.array(idOf('point')).max(1000),
    expiringCount: count,
    warnings: z.array(reasonText),
  })
  .meta({ id: 'PolicyPreview' })

const DAYS_MAX = 3660
export const policySimulateRequest = z.strictObject({
  spec: policySpec,
  from: time.optional(),
  days: z.number().int().min(1).max(DAYS_MAX).default(365),
  /** How long one capture takes, and what it adds. */
  durationMs: count.default(60_000),
  addedBytes: count.default(0),
})
export const policySimulated = z
  .object({
    taken: count,
    kept: count,
    violations: count,
    days: z.array(
      z.object({ date: z.string(), taken: count, kept: count, expired: count, bytes: count }),
    ),
    points: z.array(z.object({ at: timeShown, reasons: z.array(z.string()) })).max(10_000),
    warnings: z.array(reasonText),
  })
  .meta({ id: 'PolicySimulated' })

export const complianceReport = z
  .object({ at: timeShown, items: z.array(compliance), next: z.string().nullable() })
  .meta({ id: 'ComplianceReport' })

export const nextRunOf = z.object({
  sourceId: idOf('source'),
  policyId: idOf('policy'),
  purpose: z.string(),
  nextRunAt: timeOrNull,
})

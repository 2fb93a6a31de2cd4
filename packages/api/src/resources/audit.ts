/** Who did what: append-only and hash-chained. */
import { z } from 'zod'
import { count, labels, lineText, time, timeShown } from './common.ts'

export const auditEntry = z
  .object({
    seq: count,
    at: timeShown,
    actor: z.string(),
    address: z.string(),
    action: z.string(),
    object: z.string(),
    labels,
    outcome: z.enum(['ok', 'refused', 'failed']),
    requestId: z.string(),
    before: z.unknown().nullable(),
    after: z.unknown().nullable(),
    reason: z.string().nullable(),
    previousHash: z.string(),
    hash: z.string(),
  })
  .meta({ id: 'AuditEntry' })
export type AuditEntry = z.infer<typeof auditEntry>

export const auditVerified = z
  .object({
    intact: z.boolean(),
    checked: count,
    headSeq: count.nullable(),
    headHash: z.string().nullable(),
    /** The first entry that does not fit. */
    brokenAt: count.nullable(),
    problem: z.string().nullable(),
    since: timeShown.nullable(),
  })
  .meta({ id: 'AuditVerified' })

export const auditExportQuery = z.strictObject({
  format: z.enum(['json', 'csv', 'syslog']).default('json'),
  from: time.optional(),
  until: time.optional(),
  actor: lineText.optional(),
  object: lineText.optional(),
})

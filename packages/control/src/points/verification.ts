/**
 * The evidence of a verification, kept with its point: a job is forgotten after a month, a point
 * may be kept for years.
 */
import { z } from 'zod'
import type { Verification } from '@openmaas/api/resources/point'
import { appendEvent } from '../catalog/events.ts'
import { timeOf } from '../http/columns.ts'
import type { JobRow, Trx } from '../job/definition.ts'
import type { Clock } from '@openmaas/kernel/clock'

/** Of one point: failed ones come first, and a database of ten thousand tables has as many. */
const CHECKS_KEPT_MAX = 100
/** Of each check, and of the reason. */
const EVIDENCE_MAX = 1000

const kept = z.object({
  ok: z.boolean(),
  by: z.enum(['database', 'data', 'structure']),
  at: z.number(),
  tookMs: z.number(),
  jobId: z.string(),
  reason: z.string(),
  checkCount: z.number(),
  failedCount: z.number(),
  checks: z.array(
    z.object({ name: z.string(), ok: z.boolean(), evidence: z.string(), tookMs: z.number() }),
  ),
})
type Kept = z.infer<typeof kept>

export interface Found {
  readonly by: Kept['by']
  readonly checks: readonly Kept['checks'][number][]
  readonly sourceId: string
}

/** @returns the words of what failed first; empty when nothing did */
export function reasonOf(checks: Found['checks']): string {
  const failed = checks.find(({ ok }) => !ok)
  return failed === undefined ? '' : `${failed.name}: ${failed.evidence}`.slice(0, EVIDENCE_MAX)
}

/** In the transaction that journals the step. A point that failed is no verified one any more. */
export async function recordVerification(
  trx: Trx,
  context: { readonly job: JobRow; readonly clock: Clock },
  pointId: string,
  found: Found,
): Promise<void> {
  const { job, clock } = context
  const { by, sourceId } = found
  const at = clock.wallMs()
  const checks = found.checks.toSorted((a, b) => Number(a.ok) - Number(b.ok))
  const failedCount = checks.filter(({ ok }) => !ok).length
  const ok = failedCount === 0
  const reason = reasonOf(checks)
  const evidence: Kept = {
    ok,
    by,
    at,
    tookMs: at - (job.startedAt ?? at),
    jobId: job.id,
    reason,
    checkCount: checks.length,
    failedCount,
    checks: checks.slice(0, CHECKS_KEPT_MAX).map((each) => ({
      ...each,
      name: each.name.slice(0, EVIDENCE_MAX),
      evidence: each.evidence.slice(0, EVIDENCE_MAX),
    })),
  }
  await trx
    .updateTable('point')
    .set({ verifiedAt: ok ? at : null, verificationJson: JSON.stringify(evidence) })
    .where('id', '=', pointId)
    .execute()
  const labels = JSON.parse(job.labelsJson) as Record<string, string>
  const type = ok ? 'point.verified' : 'point.unverified'
  const data = { sourceId, jobId: job.id, by, ...(!ok && { reason }) }
  await appendEvent(trx, { topic: 'points', type, subject: pointId, labels, data }, clock)
}

/** @param full with what each check has found */
export function showVerification(
  row: { readonly verificationJson: string | null },
  full: boolean,
): Verification | null {
  if (row.verificationJson === null) return null
  const parsed = kept.safeParse(JSON.parse(row.verificationJson))
  // Of a newer version: the point itself is shown, the evidence is not believed.
  if (!parsed.success) return null
  const { ok, at, checks, ...facts } = parsed.data
  return {
    ...facts,
    state: ok ? 'verified' : 'failed',
    at: timeOf(at),
    ...(full && { checks }),
  }
}

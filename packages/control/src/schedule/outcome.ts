/**
 * What the end of a job does to its schedule: a success clears the failures; after a failure the
 * source is tried again sooner than its policy says, or later, when the policy says every minute.
 * So a source that keeps failing neither waits a day nor fills the queue.
 */
import type { Clock } from '@openmaas/kernel/clock'
import { durationMs } from '@openmaas/api/policy'
import type { PolicySpec } from '@openmaas/api/policy'
import type { EndState, Trx } from '../job/definition.ts'
import { parsePolicy } from '../policy/resolve.ts'
import { Runs } from '../policy/runs.ts'
import { HOUR_MS, MINUTE_MS } from '../policy/zone.ts'

export const RETRY_FIRST_MS = MINUTE_MS
/** A source with a long promise is tried that often at least, one with a short one at most. */
export const RETRY_MAX_MS = 6 * HOUR_MS
const RETRY_MAX_LEAST_MS = HOUR_MS / 2

/** How long a source that has failed so often in a row is left alone. */
export function retryDelayMs(failures: number, spec: PolicySpec): number {
  const most = Math.min(RETRY_MAX_MS, Math.max(RETRY_MAX_LEAST_MS, durationMs(spec.rpo) / 4))
  return Math.min(most, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 20))
}

/** When a source that has failed begins again: not before windows allow it. */
export function retryAt(
  of: { readonly failures: number; readonly spec: PolicySpec; readonly sourceId: string },
  now: number,
): number | null {
  return new Runs(of.spec, of.sourceId).nextOpen(now + retryDelayMs(of.failures, of.spec))
}

/** Part of the transaction in which the job ends. A job that nobody scheduled counts too. */
export async function recordOutcome(
  trx: Trx,
  of: {
    readonly sourceId: string
    readonly purpose: string
    readonly jobId: string
    readonly state: EndState
    readonly clock: Clock
  },
): Promise<void> {
  const { sourceId, purpose, state, clock } = of
  const row = await trx
    .selectFrom('schedule')
    .selectAll()
    .where('sourceId', '=', sourceId)
    .where('purpose', '=', purpose)
    .executeTakeFirst()
  // A cancelled job is somebody's will: the schedule goes on as it was.
  if (row === undefined || state === 'cancelled') return
  if (state !== 'failed') {
    if (row.failures === 0) return
    await save(trx, of, { failures: 0 })
    return
  }
  const failures = row.failures + 1
  const policy = await trx
    .selectFrom('policy')
    .selectAll()
    .where('id', '=', row.policyId)
    .executeTakeFirst()
  if (policy === undefined) return
  const { spec } = parsePolicy(policy)
  const nextRunAt = retryAt({ failures, spec, sourceId }, clock.wallMs())
  await save(trx, of, { failures, ...(nextRunAt !== null && { nextRunAt }) })
}

async function save(
  trx: Trx,
  of: { readonly sourceId: string; readonly purpose: string },
  changes: { readonly failures: number; readonly nextRunAt?: number },
): Promise<void> {
  await trx
    .updateTable('schedule')
    .set(changes)
    .where('sourceId', '=', of.sourceId)
    .where('purpose', '=', of.purpose)
    .execute()
}

/** What a job leaves behind for people: events and lines of its log. */
import type { Clock } from '@openmaas/kernel/clock'
import { appendEvent } from '../catalog/events.ts'
import type { JobRow, Trx } from './definition.ts'
import type { LogLine } from './progress.ts'

export async function appendJobEvent(
  trx: Trx,
  type: `job.${string}`,
  job: JobRow,
  more: Readonly<Record<string, unknown>>,
  clock: Clock,
): Promise<void> {
  const data = {
    kind: job.kind,
    actor: job.actor,
    sourceId: job.sourceId,
    hostId: job.hostId,
    poolId: job.poolId,
    mediumId: job.mediumId,
    ...more,
  }
  const labels = JSON.parse(job.labelsJson) as Record<string, string>
  await appendEvent(trx, { topic: 'jobs', type, subject: job.id, labels, data }, clock)
}

export async function appendLogLines(
  trx: Trx,
  jobId: string,
  lines: readonly LogLine[],
): Promise<void> {
  if (lines.length === 0) return
  await trx
    .insertInto('jobLog')
    .values(lines.map((line) => ({ jobId, ...line })))
    .execute()
}

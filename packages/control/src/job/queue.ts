/** What people and schedules do to jobs: enqueue, cancel, try again. */
import { makeControlId } from '@openmaas/api/ids'
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import type { Random } from '@openmaas/kernel/random'
import { failureOf } from '../http/columns.ts'
import type { JobDefinition, JobRow, Trx } from './definition.ts'
import { dependencyFailed, endUnbegun } from './end.ts'
import { findActiveJob, loadJob, loadSteps } from './job-repository.ts'
import type { NewJobRow } from './job-repository.ts'
import { appendJobEvent } from './records.ts'

export interface JobRequest {
  readonly kind: string
  readonly params: unknown
  /** `user:usr_…`, `system`. */
  readonly actor: string
  readonly priority?: number
  /** While a job with this key is active, that one is meant. */
  readonly activeKey?: string
  readonly notBefore?: number
  /** Jobs that have to succeed first. */
  readonly dependsOn?: readonly string[]
  readonly parentId?: string
  readonly retryOf?: string
  readonly sourceId?: string | null
  readonly hostId?: string | null
  readonly nodeId?: string | null
  readonly poolId?: string | null
  readonly pointId?: string | null
  readonly mediumId?: string | null
  readonly virtualDatabaseId?: string | null
  readonly policyId?: string | null
  readonly labels: Readonly<Record<string, string>>
}

export interface QueueServices {
  readonly clock: Clock
  readonly random: Random
  readonly definitions: ReadonlyMap<string, JobDefinition>
}

/** More than any workflow of ours has. */
const DEPENDENCY_COUNT_MAX = 100

async function checkDependencies(trx: Trx, ids: readonly string[]): Promise<void> {
  if (ids.length > DEPENDENCY_COUNT_MAX) {
    throw new MaasError('JOB_INVALID', 'a job waits for too many others', { count: ids.length })
  }
  for (const jobId of ids) {
    const needed = await loadJob(trx, jobId)
    if (needed === undefined) throw jobNotFound(jobId)
    if (needed.state === 'failed' || needed.state === 'cancelled') {
      const problem = needed.problemJson === null ? null : failureOf(needed.problemJson)
      const { message, details } = dependencyFailed(needed, problem)
      throw new MaasError('JOB_DEPENDENCY_FAILED', message, details)
    }
  }
}

export function jobNotFound(jobId: string): MaasError {
  return new MaasError('OBJECT_NOT_FOUND', 'there is no such job', { jobId })
}

function rowOf(services: QueueServices, definition: JobDefinition, request: JobRequest): NewJobRow {
  const { clock, random } = services
  const now = clock.wallMs()
  return {
    id: makeControlId('job', clock, random),
    kind: request.kind,
    state: 'queued',
    phase: '',
    priority: request.priority ?? 0,
    activeKey: request.activeKey ?? null,
    sourceId: request.sourceId ?? null,
    hostId: request.hostId ?? null,
    nodeId: request.nodeId ?? null,
    poolId: request.poolId ?? null,
    pointId: request.pointId ?? null,
    mediumId: request.mediumId ?? null,
    virtualDatabaseId: request.virtualDatabaseId ?? null,
    policyId: request.policyId ?? null,
    parentId: request.parentId ?? null,
    retryOf: request.retryOf ?? null,
    actor: request.actor,
    labelsJson: JSON.stringify(request.labels),
    paramsJson: JSON.stringify(definition.params.parse(request.params)),
    progressJson: '{}',
    resultJson: null,
    problemJson: null,
    attempt: 0,
    attemptMax: definition.attemptMax,
    notBefore: request.notBefore ?? now,
    queuedAt: now,
    startedAt: null,
    endedAt: null,
    deadlineAt: null,
    cancelRequestedAt: null,
    claimedBy: null,
    claimToken: 0,
    claimUntil: null,
  }
}

/**
 * @returns the id of the job, or of the active one with the same key
 * @throws MaasError JOB_KIND_UNKNOWN, OBJECT_NOT_FOUND, JOB_DEPENDENCY_FAILED
 */
export async function enqueueJob(
  trx: Trx,
  services: QueueServices,
  request: JobRequest,
): Promise<string> {
  const definition = services.definitions.get(request.kind)
  if (definition === undefined) {
    throw new MaasError('JOB_KIND_UNKNOWN', 'no such kind of job', { kind: request.kind })
  }
  if (request.activeKey !== undefined) {
    const active = await findActiveJob(trx, request.activeKey)
    if (active !== undefined) return active
  }
  const dependsOn = [...new Set(request.dependsOn)]
  await checkDependencies(trx, dependsOn)
  const row = rowOf(services, definition, request)
  await trx.insertInto('job').values(row).execute()
  if (dependsOn.length > 0) {
    const rows = dependsOn.map((needed) => ({ jobId: row.id, dependsOn: needed }))
    await trx.insertInto('jobDependency').values(rows).execute()
  }
  await appendJobEvent(trx, 'job.queued', row as JobRow, { state: 'queued' }, services.clock)
  return row.id
}

/**
 * Asks for the end of a job. One that has done nothing ends here; any other is undone by the
 * engine that has it.
 *
 * @returns whether an engine is to be woken
 * @throws MaasError OBJECT_NOT_FOUND, JOB_ENDED
 */
export async function cancelJob(
  trx: Trx,
  services: QueueServices,
  jobId: string,
): Promise<boolean> {
  const job = await loadJob(trx, jobId)
  if (job === undefined) throw jobNotFound(jobId)
  if (job.endedAt !== null) {
    throw new MaasError('JOB_ENDED', 'the job has ended already', { jobId, state: job.state })
  }
  const now = services.clock.wallMs()
  await trx
    .updateTable('job')
    .set((e) => ({ cancelRequestedAt: e.fn.coalesce('cancelRequestedAt', e.val(now)) }))
    .where('id', '=', jobId)
    .execute()
  const hasBegun = job.state === 'running' || (await loadSteps(trx, jobId)).length > 0
  if (hasBegun) return true
  const problem = { code: 'CANCELLED', message: 'the job was cancelled', details: {} } as const
  await endUnbegun(trx, services, job, problem)
  return false
}

/**
 * The same work as a new job.
 *
 * @throws MaasError OBJECT_NOT_FOUND, JOB_ACTIVE
 */
export async function retryJob(
  trx: Trx,
  services: QueueServices,
  jobId: string,
  actor: string,
): Promise<string> {
  const job = await loadJob(trx, jobId)
  if (job === undefined) throw jobNotFound(jobId)
  if (job.endedAt === null) throw new MaasError('JOB_ACTIVE', 'the job has not ended', { jobId })
  return enqueueJob(trx, services, {
    kind: job.kind,
    params: JSON.parse(job.paramsJson),
    actor,
    priority: job.priority,
    ...(job.activeKey === null ? {} : { activeKey: job.activeKey }),
    retryOf: job.id,
    sourceId: job.sourceId,
    hostId: job.hostId,
    nodeId: job.nodeId,
    poolId: job.poolId,
    pointId: job.pointId,
    mediumId: job.mediumId,
    virtualDatabaseId: job.virtualDatabaseId,
    policyId: job.policyId,
    labels: JSON.parse(job.labelsJson) as Record<string, string>,
  })
}

/** Jobs as the API shows them. */
import type { Kysely, Selectable } from 'kysely'
import { type Job, type JobDetail, jobProgress } from '@openmaas/api/resources/job'
import type { CatalogTables } from '../catalog/schema.ts'
import { failureOf, objectOf, timeOf, timeOrNull } from '../http/columns.ts'

export type JobRow = Selectable<CatalogTables['job']>
type StepRow = Selectable<CatalogTables['step']>

export function showJob(row: JobRow): Job {
  const { id, kind, state, phase, priority, actor, attempt, attemptMax } = row
  const progress = jobProgress.safeParse(objectOf(row.progressJson))
  return {
    id,
    kind,
    state,
    phase,
    priority,
    actor,
    attempt,
    attemptMax,
    sourceId: row.sourceId,
    hostId: row.hostId,
    nodeId: row.nodeId,
    poolId: row.poolId,
    pointId: row.pointId,
    mediumId: row.mediumId,
    virtualDatabaseId: row.virtualDatabaseId,
    policyId: row.policyId,
    parentId: row.parentId,
    retryOf: row.retryOf,
    labels: objectOf(row.labelsJson) as Record<string, string>,
    progress: progress.success ? progress.data : {},
    result: row.resultJson === null ? null : objectOf(row.resultJson),
    problem: failureOf(row.problemJson),
    queuedAt: timeOf(row.queuedAt),
    notBefore: timeOf(row.notBefore),
    startedAt: timeOrNull(row.startedAt),
    endedAt: timeOrNull(row.endedAt),
    deadlineAt: timeOrNull(row.deadlineAt),
    cancelRequestedAt: timeOrNull(row.cancelRequestedAt),
    logUrl: `/api/v1/jobs/${id}/log`,
  }
}

function showStep(row: StepRow): JobDetail['steps'][number] {
  const { position, name, state, attempt } = row
  return {
    position,
    name,
    state,
    attempt,
    problem: failureOf(row.problemJson),
    startedAt: timeOf(row.startedAt),
    endedAt: timeOrNull(row.endedAt),
  }
}

export async function findJobView(db: Kysely<CatalogTables>, id: string): Promise<Job | undefined> {
  const row = await db.selectFrom('job').selectAll().where('id', '=', id).executeTakeFirst()
  return row && showJob(row)
}

export async function findJobDetail(
  db: Kysely<CatalogTables>,
  id: string,
): Promise<JobDetail | undefined> {
  const job = await findJobView(db, id)
  if (job === undefined) return undefined
  const steps = await db
    .selectFrom('step')
    .selectAll()
    .where('jobId', '=', id)
    .orderBy('position')
    .execute()
  return { ...job, steps: steps.map((step) => showStep(step)) }
}

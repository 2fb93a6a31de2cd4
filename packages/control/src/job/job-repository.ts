/** Rows of jobs and their journal. Everything here is one small statement. */
import { sql } from 'kysely'
import type { Insertable, Kysely, Selectable, Updateable } from 'kysely'
import type { CatalogTables } from '../catalog/schema.ts'
import type { JobRow, Trx } from './definition.ts'
import { BACKOFF_MAX_MS, CLAIM_AHEAD_MAX_MS } from './limits.ts'

type Db = Kysely<CatalogTables>
export type StepRow = Selectable<CatalogTables['step']>
export type NewJobRow = Insertable<CatalogTables['job']>

export interface WaitingRow {
  readonly id: string
  readonly kind: string
  readonly phase: string
  readonly paramsJson: string
  readonly priority: number
  readonly notBefore: number
  readonly cancelRequestedAt: number | null
}

/** Who has the job: a write with a token that is not the newest changes nothing. */
export interface Claim {
  readonly id: string
  readonly token: number
}

/** A retry never lies further ahead than its backoff; the clock was set back since. */
const RETRY_AHEAD_MAX_MS = 2 * BACKOFF_MAX_MS

// Literals, not parameters: SQLite uses a partial index only where it sees the same condition.
const QUEUED = sql.lit('queued' as const)
const RUNNING = sql.lit('running' as const)
const ACTIVE = sql<boolean>`state in ('queued', 'running', 'paused')`

export function loadJob(db: Db, id: string): Promise<JobRow | undefined> {
  return db.selectFrom('job').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function findActiveJob(db: Db, activeKey: string): Promise<string | undefined> {
  const row = await db
    .selectFrom('job')
    .select('id')
    .where('activeKey', '=', activeKey)
    .where(ACTIVE)
    .executeTakeFirst()
  return row?.id
}

/** Jobs that could begin now, but for slots: highest priority first, then who waits longest. */
export function listWaiting(
  trx: Trx,
  options: { readonly now: number; readonly after: WaitingRow | null; readonly limit: number },
): Promise<WaitingRow[]> {
  const { now, after } = options
  let query = trx
    .selectFrom('job')
    .select(['id', 'kind', 'phase', 'paramsJson', 'priority', 'notBefore', 'cancelRequestedAt'])
    .where('state', '=', QUEUED)
    .where((e) =>
      e.or([
        e('notBefore', '<=', now),
        // Never meant to wait: the clock was set back since it was queued.
        e('notBefore', '<=', e.ref('queuedAt')),
        e.and([e('attempt', '>', 0), e('notBefore', '>', now + RETRY_AHEAD_MAX_MS)]),
        e('cancelRequestedAt', 'is not', null),
      ]),
    )
    .where((e) =>
      e.not(
        e.exists(
          e
            .selectFrom('jobDependency')
            .innerJoin('job as needed', 'needed.id', 'jobDependency.dependsOn')
            .select('needed.id')
            .whereRef('jobDependency.jobId', '=', 'job.id')
            .where('needed.state', 'not in', ['succeeded', 'warning']),
        ),
      ),
    )
  if (after !== null) {
    query = query.where((e) =>
      e.or([
        e('priority', '<', after.priority),
        e.and([e('priority', '=', after.priority), e('notBefore', '>', after.notBefore)]),
        e.and([
          e('priority', '=', after.priority),
          e('notBefore', '=', after.notBefore),
          e('id', '>', after.id),
        ]),
      ]),
    )
  }
  return query
    .orderBy('priority', 'desc')
    .orderBy('notBefore')
    .orderBy('id')
    .limit(options.limit)
    .execute()
}

export function listRunning(trx: Trx): Promise<Pick<JobRow, 'id' | 'kind' | 'paramsJson'>[]> {
  return trx
    .selectFrom('job')
    .select(['id', 'kind', 'paramsJson'])
    .where('state', '=', RUNNING)
    .execute()
}

export async function hasQueuedJob(db: Db): Promise<boolean> {
  const query = db.selectFrom('job').select('id').where('state', '=', QUEUED).limit(1)
  return (await query.executeTakeFirst()) !== undefined
}

export async function claimJob(
  trx: Trx,
  id: string,
  claim: {
    readonly holder: string
    readonly until: number
    readonly now: number
    readonly deadlineMs: number
  },
): Promise<JobRow> {
  await trx
    .updateTable('job')
    .set((e) => ({
      state: 'running',
      claimedBy: claim.holder,
      claimToken: e('claimToken', '+', 1),
      claimUntil: claim.until,
      startedAt: e.fn.coalesce('startedAt', e.val(claim.now)),
      deadlineAt: e.fn.coalesce('deadlineAt', e.val(claim.now + claim.deadlineMs)),
    }))
    .where('id', '=', id)
    .where('state', '=', 'queued')
    .execute()
  return trx.selectFrom('job').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
}

/** @returns false when the claim is somebody else's by now; nothing was changed then */
export async function updateClaimed(
  trx: Trx,
  claim: Claim,
  changes: Updateable<CatalogTables['job']>,
): Promise<boolean> {
  const result = await trx
    .updateTable('job')
    .set(changes)
    .where('id', '=', claim.id)
    .where('state', '=', 'running')
    .where('claimToken', '=', claim.token)
    .executeTakeFirst()
  return result.numUpdatedRows === 1n
}

/** Changes nothing but holds the row: what follows in this transaction is the claim's. */
export async function holdsClaim(trx: Trx, claim: Claim): Promise<boolean> {
  const row = await trx
    .selectFrom('job')
    .select('id')
    .where('id', '=', claim.id)
    .where('state', '=', 'running')
    .where('claimToken', '=', claim.token)
    .executeTakeFirst()
  return row !== undefined
}

/**
 * Back to the queue: jobs whose engine has not renewed its claim, or all that are running.
 *
 * @param now null for all, when nobody else can be working on them
 */
export async function releaseClaims(trx: Trx, now: number | null): Promise<number> {
  let query = trx
    .updateTable('job')
    .set((e) => ({
      state: 'queued',
      claimedBy: null,
      claimUntil: null,
      claimToken: e('claimToken', '+', 1),
    }))
    .where('state', '=', RUNNING)
  if (now !== null) {
    query = query.where((e) =>
      e.or([
        e('claimUntil', 'is', null),
        e('claimUntil', '<=', now),
        e('claimUntil', '>', now + CLAIM_AHEAD_MAX_MS),
      ]),
    )
  }
  const result = await query.executeTakeFirst()
  return Number(result.numUpdatedRows)
}

export function loadSteps(db: Db, jobId: string): Promise<StepRow[]> {
  return db.selectFrom('step').selectAll().where('jobId', '=', jobId).orderBy('position').execute()
}

export async function saveStep(trx: Trx, row: StepRow): Promise<void> {
  await trx
    .insertInto('step')
    .values(row)
    .onConflict((conflict) => conflict.columns(['jobId', 'position']).doUpdateSet(row))
    .execute()
}

export async function countLogLines(db: Db, jobId: string): Promise<number> {
  const row = await db
    .selectFrom('jobLog')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('jobId', '=', jobId)
    .executeTakeFirstOrThrow()
  return row.count
}

/** Queued jobs that wait for this one. */
export async function listDependents(trx: Trx, jobId: string): Promise<JobRow[]> {
  return trx
    .selectFrom('job')
    .innerJoin('jobDependency', 'jobDependency.jobId', 'job.id')
    .selectAll('job')
    .where('jobDependency.dependsOn', '=', jobId)
    .where('job.state', '=', 'queued')
    .execute()
}

/** Of those, the jobs somebody wants cancelled. */
export async function listCancelRequests(db: Db, holder: string): Promise<string[]> {
  const rows = await db
    .selectFrom('job')
    .select('id')
    .where('state', '=', RUNNING)
    .where('claimedBy', '=', holder)
    .where('cancelRequestedAt', 'is not', null)
    .execute()
  return rows.map((row) => row.id)
}

/** For `job.phase`: bounded, since a step's name goes in unread. */
export const phaseText = (text: string): string => text.slice(0, 64)
export const jsonOf = (value: unknown): string => JSON.stringify(value ?? null)

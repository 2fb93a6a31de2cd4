/** What the first schema finds quickly, and what it refuses to hold twice. */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

const UNIQUE: readonly (readonly [string, ...string[]])[] = [
  ['user', 'name'],
  ['token', 'hash'],
  ['joinToken', 'hash'],
  ['policy', 'name'],
  ['webhook', 'name'],
  ['channel', 'name'],
  ['notifyRule', 'name'],
  ['source', 'hostId', 'name'],
  ['point', 'poolId', 'snapshotId'],
]

/** Lists sort by (column, id), so that a cursor can go on where the last page ended. */
const INDEXES: readonly (readonly [string, ...string[]])[] = [
  ['session', 'userId'],
  ['session', 'expiresAt'],
  ['token', 'userId'],
  ['approval', 'state', 'requestedAt', 'id'],
  ['host', 'name', 'id'],
  ['certificate', 'hostId'],
  ['pool', 'nodeId'],
  ['source', 'name', 'id'],
  ['source', 'createdAt', 'id'],
  ['source', 'policyId'],
  ['source', 'lastSuccessAt', 'id'],
  ['schedule', 'nextRunAt'],
  ['schedule', 'policyId'],
  ['point', 'takenAt', 'id'],
  ['point', 'sourceId', 'takenAt', 'id'],
  ['point', 'poolId', 'takenAt', 'id'],
  ['point', 'hostId', 'takenAt', 'id'],
  ['point', 'state', 'takenAt', 'id'],
  ['job', 'queuedAt', 'id'],
  ['job', 'state', 'queuedAt', 'id'],
  ['job', 'kind', 'queuedAt', 'id'],
  ['job', 'sourceId', 'queuedAt', 'id'],
  ['job', 'startedAt', 'id'],
  ['job', 'endedAt', 'id'],
  ['job', 'parentId'],
  ['jobLog', 'jobId', 'seq'],
  ['jobDependency', 'dependsOn'],
  ['medium', 'createdAt', 'id'],
  ['medium', 'state', 'createdAt', 'id'],
  ['medium', 'hostId'],
  ['medium', 'pointId'],
  ['event', 'topic', 'seq'],
  ['event', 'subject', 'seq'],
  ['event', 'at'],
  ['delivery', 'state', 'nextAt'],
  ['delivery', 'webhookId', 'createdAt', 'id'],
  ['alert', 'state', 'openedAt', 'id'],
  ['alert', 'openedAt', 'id'],
  ['notification', 'state', 'nextAt'],
  ['notification', 'alertId'],
  ['notification', 'channelId'],
  ['audit', 'at'],
  ['audit', 'actor', 'seq'],
  ['audit', 'object', 'seq'],
  ['audit', 'action', 'seq'],
  ['idempotency', 'createdAt'],
]

/** The catalog keeps these promises itself, whoever forgets to ask first. */
async function addPartialIndexes(db: Kysely<unknown>): Promise<void> {
  await sql`create unique index user_oidc on ${sql.table('user')} (oidc_issuer, oidc_subject)
    where oidc_subject is not null`.execute(db)
  await sql`create unique index job_active on job (active_key)
    where active_key is not null and state in ('queued', 'running', 'paused')`.execute(db)
  // The claim looks through what waits by priority; what has ended is most of the table.
  await sql`create index job_waiting on job (priority desc, not_before, id)
    where state = 'queued'`.execute(db)
  await sql`create index job_claimed on job (claim_until) where state = 'running'`.execute(db)
  await sql`create unique index alert_firing on alert (${sql.ref('key')})
    where state = 'firing'`.execute(db)
  await sql`create index medium_lease on medium (lease_until)
    where state in ('plugging', 'plugged')`.execute(db)
  await sql`create index point_locked on point (lock_until)
    where lock_until is not null`.execute(db)
}

export async function addIndexes0001(db: Kysely<unknown>): Promise<void> {
  for (const [table, ...columns] of UNIQUE) {
    const name = `${table}_by_${columns.join('_')}`
    await db.schema.createIndex(name).unique().on(table).columns(columns).execute()
  }
  for (const [table, ...columns] of INDEXES) {
    const name = `${table}_list_${columns.join('_')}`
    await db.schema.createIndex(name).on(table).columns(columns).execute()
  }
  await addPartialIndexes(db)
}

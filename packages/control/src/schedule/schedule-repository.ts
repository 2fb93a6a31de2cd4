/** Rows of `schedule`, and what brings them in line with sources and policies. */
import type { Kysely, Selectable } from 'kysely'
import type { CatalogTables } from '../catalog/schema.ts'
import type { Trx } from '../job/definition.ts'
import type { Policies, Policy } from '../policy/resolve.ts'
import { planRun, purposesOf } from './plan.ts'
import type { Purpose } from './plan.ts'

type Db = Kysely<CatalogTables>
export type ScheduleRow = Selectable<CatalogTables['schedule']>

export interface DueRow extends ScheduleRow {
  readonly hostId: string
  /** The one that its source names, else where its last point is. */
  readonly poolId: string | null
  readonly kind: CatalogTables['source']['kind']
  readonly labelsJson: string
}

/**
 * Due rows of sources that may run, the longest overdue first. Members of a group with a policy are
 * run by their group (group/schedule.ts).
 */
export async function listDue(db: Db, now: number, limit: number): Promise<DueRow[]> {
  const rows = await db
    .selectFrom('schedule')
    .innerJoin('source', 'source.id', 'schedule.sourceId')
    .innerJoin('host', 'host.id', 'source.hostId')
    .leftJoin('point', 'point.id', 'source.lastPointId')
    .selectAll('schedule')
    .select(['source.hostId', 'source.poolId', 'source.kind', 'source.labelsJson'])
    .select('point.poolId as lastPoolId')
    .where('schedule.nextRunAt', '<=', now)
    .where('source.paused', '=', 0)
    .where('host.drained', '=', 0)
    .where('host.state', '!=', 'removed')
    .where((e) =>
      e.or([
        e('schedule.purpose', '!=', 'protect'),
        e.not(
          e.exists(
            e
              .selectFrom('groupMember')
              .innerJoin('consistencyGroup', 'consistencyGroup.id', 'groupMember.groupId')
              .select('groupMember.sourceId')
              .whereRef('groupMember.sourceId', '=', 'schedule.sourceId')
              .where('consistencyGroup.policyId', 'is not', null),
          ),
        ),
      ]),
    )
    .orderBy('schedule.nextRunAt')
    .limit(limit)
    .execute()
  return rows.map(({ lastPoolId, ...row }) => ({ ...row, poolId: row.poolId ?? lastPoolId }))
}

/** Text that is another one whenever a source or a policy has come, gone or changed. */
export async function readSignature(db: Db): Promise<string> {
  const parts: string[] = []
  for (const table of ['source', 'policy'] as const) {
    const row = await db
      .selectFrom(table)
      .select((e) => [
        e.fn.countAll<number>().as('count'),
        e.fn.sum<number | null>('version').as('versions'),
        e.fn.max('createdAt').as('newest'),
      ])
      .executeTakeFirstOrThrow()
    parts.push(`${row.count}:${row.versions ?? 0}:${row.newest ?? 0}`)
  }
  return parts.join('|')
}

/** Sources that failed and whose host is back are tried at once. */
export async function wakeHosts(trx: Trx, hostIds: readonly string[], now: number): Promise<void> {
  if (hostIds.length === 0) return
  await trx
    .updateTable('schedule')
    .set({ nextRunAt: now })
    .where('failures', '>', 0)
    .where('nextRunAt', '>', now)
    .where('sourceId', 'in', (e) =>
      e.selectFrom('source').select('id').where('hostId', 'in', hostIds),
    )
    .execute()
}

export interface Change {
  readonly kind: 'insert' | 'update' | 'delete'
  readonly row: ScheduleRow
}

export interface SyncOptions {
  readonly policies: Policies
  readonly now: number
  /** Plans this policy's rows anew although they have it already. */
  readonly isChanged: (policy: Policy) => boolean
}

/** What has to change so that every source under a policy has its rows, and no other. */
export async function findChanges(db: Db, options: SyncOptions): Promise<Change[]> {
  const { policies, now, isChanged } = options
  const rows = await db.selectFrom('schedule').selectAll().execute()
  const left = new Map(rows.map((row) => [`${row.sourceId}/${row.purpose}`, row]))
  const sources = await db
    .selectFrom('source')
    .select(['id', 'labelsJson', 'policyId', 'paused', 'lastSuccessAt'])
    .execute()
  const changes: Change[] = []
  for (const source of sources) {
    const labels = JSON.parse(source.labelsJson) as Record<string, string>
    const policy =
      source.paused === 1 ? null : policies.resolve({ policyId: source.policyId, labels })
    if (policy === null) continue
    for (const purpose of purposesOf(policy.spec)) {
      const key = `${source.id}/${purpose}`
      const row = left.get(key)
      left.delete(key)
      if (row?.policyId === policy.id && !isChanged(policy)) continue
      changes.push(changeOf(row, { source, policy, purpose, now }))
    }
  }
  for (const row of left.values()) changes.push({ kind: 'delete', row })
  return changes
}

function changeOf(
  row: ScheduleRow | undefined,
  of: {
    readonly source: { readonly id: string; readonly lastSuccessAt: number | null }
    readonly policy: Policy
    readonly purpose: Purpose
    readonly now: number
  },
): Change {
  const { source, policy, purpose, now } = of
  const before = row ?? { lastDueAt: null, lastJobId: null, failures: 0, nextRunAt: null }
  const lastSuccessAt = purpose === 'protect' ? source.lastSuccessAt : null
  const lastAt = before.lastDueAt ?? lastSuccessAt
  const { failures, nextRunAt } = before
  const remembered = { sourceId: source.id, purpose, lastAt, failures, nextRunAt }
  return {
    kind: row === undefined ? 'insert' : 'update',
    row: {
      sourceId: source.id,
      policyId: policy.id,
      purpose,
      nextRunAt: planRun(policy.spec, remembered, now),
      lastDueAt: before.lastDueAt === null ? null : Math.min(before.lastDueAt, now),
      lastJobId: before.lastJobId,
      failures,
    },
  }
}

export async function applyChanges(trx: Trx, changes: readonly Change[]): Promise<void> {
  for (const { kind, row } of changes) {
    if (kind === 'delete') {
      await trx
        .deleteFrom('schedule')
        .where('sourceId', '=', row.sourceId)
        .where('purpose', '=', row.purpose)
        .execute()
      continue
    }
    // The source may have gone since it was read: then there is nothing to schedule.
    const source = await trx
      .selectFrom('source')
      .select('id')
      .where('id', '=', row.sourceId)
      .executeTakeFirst()
    if (source === undefined) continue
    await trx
      .insertInto('schedule')
      .values(row)
      .onConflict((conflict) => conflict.columns(['sourceId', 'purpose']).doUpdateSet(row))
      .execute()
  }
}

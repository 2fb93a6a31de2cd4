/** Groups and their points in the catalog, and what the API shows of them. */
import type { Selectable } from 'kysely'
import type { Group, GroupPoint } from '@openmaas/api/resources/group'
import type { CatalogTables } from '../catalog/schema.ts'
import { failureOf, labelsOf, timeOf, timeOrNull } from '../http/columns.ts'
import type { Db } from '../http/handler-context.ts'
import { objectNotFound } from '../http/handler.ts'

export type GroupRow = Selectable<CatalogTables['consistencyGroup']>
export type GroupPointRow = Selectable<CatalogTables['groupPoint']>
type MemberRow = Selectable<CatalogTables['groupPointMember']>

/** @throws MaasError OBJECT_NOT_FOUND */
export async function loadGroup(db: Db, id: string): Promise<GroupRow> {
  const row = await db
    .selectFrom('consistencyGroup')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  if (row === undefined) throw objectNotFound('group', id)
  return row
}

/** In the order of their names, which is that of all lists of members. */
export function listMembers(db: Db, groupId: string) {
  return db
    .selectFrom('groupMember')
    .innerJoin('source', 'source.id', 'groupMember.sourceId')
    .selectAll('source')
    .where('groupMember.groupId', '=', groupId)
    .orderBy('source.name')
    .execute()
}

/** The group that a source is a member of. */
export function findGroupOf(
  db: Db,
  sourceId: string,
): Promise<Pick<GroupRow, 'id' | 'name' | 'policyId'> | undefined> {
  return db
    .selectFrom('groupMember')
    .innerJoin('consistencyGroup', 'consistencyGroup.id', 'groupMember.groupId')
    .select(['consistencyGroup.id', 'consistencyGroup.name', 'consistencyGroup.policyId'])
    .where('groupMember.sourceId', '=', sourceId)
    .executeTakeFirst()
}

export async function showGroups(db: Db, rows: readonly GroupRow[]): Promise<Group[]> {
  if (rows.length === 0) return []
  const ids = rows.map(({ id }) => id)
  const members = await db
    .selectFrom('groupMember')
    .innerJoin('source', 'source.id', 'groupMember.sourceId')
    .select(['groupMember.groupId', 'groupMember.sourceId'])
    .where('groupMember.groupId', 'in', ids)
    .orderBy('source.name')
    .execute()
  const newest = await db
    .selectFrom('groupPoint')
    .select((e) => ['groupId', e.fn.max('at').as('at')])
    .where('groupId', 'in', ids)
    .where('state', '=', 'available')
    .groupBy('groupId')
    .execute()
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    sourceIds: members.filter(({ groupId }) => groupId === row.id).map((each) => each.sourceId),
    policyId: row.policyId,
    clockLimitMs: row.clockLimitMs,
    labels: labelsOf(row.labelsJson),
    nextRunAt: timeOrNull(row.policyId === null ? null : row.nextRunAt),
    lastPointAt: timeOrNull(newest.find(({ groupId }) => groupId === row.id)?.at ?? null),
    problem: failureOf(row.problemJson),
    createdBy: row.createdBy,
    createdAt: timeOf(row.createdAt),
    version: row.version,
  }))
}

export async function showGroup(db: Db, row: GroupRow): Promise<Group> {
  const [shown] = await showGroups(db, [row])
  return shown!
}

/** Points of a group at which every member can be had now. */
export function offeredPoints(db: Db, groupId: string) {
  return db
    .selectFrom('groupPoint')
    .selectAll()
    .where('groupId', '=', groupId)
    .where('state', '=', 'available')
    .where((e) =>
      e.not(
        e.exists(
          e
            .selectFrom('groupPointMember as of')
            .leftJoin('point as base', 'base.id', 'of.basePointId')
            .leftJoin('point as later', 'later.id', 'of.pointId')
            .select('of.sourceId')
            .whereRef('of.groupPointId', '=', 'groupPoint.id')
            .where((some) =>
              some.or([
                some('base.state', 'is', null),
                some('base.state', '!=', 'available'),
                some('later.state', 'is', null),
                some('later.state', '!=', 'available'),
              ]),
            ),
        ),
      ),
    )
}

export async function showGroupPoints(
  db: Db,
  rows: readonly GroupPointRow[],
): Promise<GroupPoint[]> {
  if (rows.length === 0) return []
  const members = await db
    .selectFrom('groupPointMember')
    .selectAll()
    .where(
      'groupPointId',
      'in',
      rows.map(({ id }) => id),
    )
    .orderBy('sourceId')
    .execute()
  return rows.map((row) => ({
    id: row.id,
    groupId: row.groupId,
    at: timeOf(row.at),
    members: members.filter(({ groupPointId }) => groupPointId === row.id).map(showMember),
    clockSpreadMs: row.clockSpreadMs,
    reasons: JSON.parse(row.reasonsJson) as string[],
    createdAt: timeOf(row.createdAt),
  }))
}

function showMember(row: MemberRow): GroupPoint['members'][number] {
  const { sourceId, pointId, basePointId, clockOffsetMs, clockErrorMs } = row
  return { sourceId, pointId: pointId ?? '', basePointId, clockOffsetMs, clockErrorMs }
}

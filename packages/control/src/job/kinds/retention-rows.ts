/** Keeps the reasons of a source's points true, and says which may go. */
import type { PolicySpec, Retention } from '@openmaas/api/policy'
import { MaasError } from '@openmaas/kernel/errors'
import type { Db } from '../../http/handler-context.ts'
import { listGroupKept } from '../../group/retention.ts'
import type { Trx } from '../definition.ts'
import { jsonOf } from '../job-repository.ts'
import { applyRetention, onDemandUntil } from '../../policy/retention.ts'
import { zoneOf } from '../../policy/zone.ts'

/** Media in these states stand on their point. */
export const ACTIVE_MEDIA = ['plugging', 'plugged', 'ejecting', 'lost'] as const
/** Without a policy nothing says that a point may go. */
const NO_POLICY = ['no-policy']
const NO_RULES: Retention = { last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0 }
/** Points of one source that are looked at; retention keeps far fewer. */
const POINTS_MAX = 50_000

export interface ExpiredPoint {
  readonly pointId: string
  readonly snapshotId: string
  readonly poolId: string
}

/** @returns point → one of the media that stand on it */
export async function pointsInUse(trx: Db, sourceId: string): Promise<ReadonlyMap<string, string>> {
  const rows = await trx
    .selectFrom('medium')
    .select(['pointId', 'id'])
    .where('sourceId', '=', sourceId)
    .where('state', 'in', ACTIVE_MEDIA)
    .execute()
  return new Map(rows.map((row) => [row.pointId, row.id]))
}

/** Point → when the last medium that stood on it ended. */
async function lastUses(trx: Db, sourceId: string): Promise<ReadonlyMap<string, number | null>> {
  const rows = await trx
    .selectFrom('medium')
    .innerJoin('point', 'point.id', 'medium.pointId')
    .select((e) => ['medium.pointId', e.fn.max('medium.endedAt').as('endedAt')])
    .where('medium.sourceId', '=', sourceId)
    .where('point.onDemand', '=', 1)
    .groupBy('medium.pointId')
    .execute()
  return new Map(rows.map((row) => [row.pointId, row.endedAt]))
}

/** @throws MaasError SNAPSHOT_LOCKED, OBJECT_IN_USE: somebody needs the point */
export function requireDeletable(
  point: { readonly id: string; readonly lockUntil: number | null },
  inUse: ReadonlyMap<string, string>,
  now: number,
): void {
  const pointId = point.id
  if ((point.lockUntil ?? 0) > now) {
    const details = { pointId, lockUntil: new Date(point.lockUntil!).toISOString() }
    throw new MaasError('SNAPSHOT_LOCKED', 'the point is locked', details)
  }
  const mediumId = inUse.get(pointId)
  if (mediumId === undefined) return
  throw new MaasError('OBJECT_IN_USE', 'a medium stands on the point', { pointId, mediumId })
}

/** Writes the reasons that have changed. @returns the points that nothing keeps */
export async function settleRetention(
  trx: Trx,
  options: { readonly sourceId: string; readonly spec: PolicySpec | null; readonly now: number },
): Promise<ExpiredPoint[]> {
  const { sourceId, spec, now } = options
  const rows = await trx
    .selectFrom('point')
    .select(['id', 'takenAt', 'lockUntil', 'verifiedAt', 'snapshotId', 'poolId', 'reasonsJson'])
    .select('onDemand')
    .where('sourceId', '=', sourceId)
    .where('state', '=', 'available')
    .orderBy('takenAt', 'desc')
    .limit(POINTS_MAX)
    .execute()
  const inUse = await pointsInUse(trx, sourceId)
  const usedAt = rows.some((row) => row.onDemand !== 0) ? await lastUses(trx, sourceId) : null
  const points = rows.map((row) => ({
    ...row,
    inUse: inUse.has(row.id),
    onDemandUntil: onDemandUntil(row, usedAt?.get(row.id)),
  }))
  const keep = spec?.retention ?? NO_RULES
  const reasons = applyRetention(points, keep, zoneOf(spec?.timezone ?? 'UTC'), now)
  const grouped = await listGroupKept(trx, sourceId)
  const expired: ExpiredPoint[] = []
  for (const row of rows) {
    const isFree = spec === null && row.onDemand === 0
    const own = isFree ? NO_POLICY : reasons.get(row.id)!
    // A group point stands on it, or one that is being made.
    const why = grouped.has(row.id) ? [...own, 'group'] : own
    const text = jsonOf(why)
    if (text !== row.reasonsJson) {
      await trx.updateTable('point').set({ reasonsJson: text }).where('id', '=', row.id).execute()
    }
    if (why.length > 0) continue
    expired.push({ pointId: row.id, snapshotId: row.snapshotId, poolId: row.poolId })
  }
  return expired
}

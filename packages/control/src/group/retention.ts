/**
 * Retention of group points: the rules of the policy for them as if they were points. What is kept
 * keeps the points of its members; what is not goes before they do. Decision 0016.
 */
import type { PolicySpec } from '@openmaas/api/policy'
import type { Trx } from '../job/definition.ts'
import { applyRetention } from '../policy/retention.ts'
import { zoneOf } from '../policy/zone.ts'
import type { Db } from '../http/handler-context.ts'
import { offeredPoints } from './rows.ts'

/** Without a policy nothing says that one may go. */
const NO_POLICY = ['no-policy']

/** Writes the reasons that have changed, and lets go of what nothing keeps. */
export async function settleGroupRetention(
  trx: Trx,
  of: { readonly groupId: string; readonly spec: PolicySpec | null; readonly now: number },
): Promise<void> {
  const { groupId, spec, now } = of
  const rows = await offeredPoints(trx, groupId).execute()
  const points = rows.map(({ id, at }) => ({ id, takenAt: at }))
  const reasons =
    spec === null ? null : applyRetention(points, spec.retention, zoneOf(spec.timezone), now)
  const kept = new Set<string>()
  for (const row of rows) {
    const why = reasons?.get(row.id) ?? NO_POLICY
    if (why.length === 0) continue
    kept.add(row.id)
    const reasonsJson = JSON.stringify(why)
    if (reasonsJson === row.reasonsJson) continue
    await trx.updateTable('groupPoint').set({ reasonsJson }).where('id', '=', row.id).execute()
  }
  // Also those of which a member's point was deleted by hand: nobody can use them.
  const all = await trx
    .selectFrom('groupPoint')
    .select('id')
    .where('groupId', '=', groupId)
    .where('state', '!=', 'creating')
    .execute()
  for (const { id } of all) {
    if (kept.has(id)) continue
    await trx.deleteFrom('groupPoint').where('id', '=', id).execute()
  }
}

/** Points of a source that a group point needs, or one that is being made. */
export async function listGroupKept(db: Db, sourceId: string): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom('groupPointMember')
    .select(['basePointId', 'pointId'])
    .where('sourceId', '=', sourceId)
    .execute()
  return new Set(rows.flatMap(({ basePointId, pointId }) => [basePointId, pointId ?? '']))
}

/** What a run of a group writes down: its moment while it is made, in the end the group point. */
import type { PolicySpec } from '@openmaas/api/policy'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { appendEvent } from '../../catalog/events.ts'
import type { ClockReading } from '../../group/moment.ts'
import { settleGroupRetention } from '../../group/retention.ts'
import { type GroupRow, listMembers, loadGroup } from '../../group/rows.ts'
import { labelsOf } from '../../http/columns.ts'
import { loadPolicies } from '../../policy/resolve.ts'
import type { StepContext, Trx } from '../definition.ts'
import { expireOld } from './record-point.ts'
import type { KindServices } from './services.ts'

export interface ChosenMoment {
  readonly groupPointId: string
  readonly atMs: number
  readonly bases: readonly { readonly sourceId: string; readonly pointId: string }[]
}
export interface ClosedMoment {
  readonly moment: Pick<ChosenMoment, 'groupPointId' | 'atMs'>
  readonly points: readonly {
    readonly sourceId: string
    readonly pointId: string
    readonly clock: ClockReading | null
  }[]
  readonly spreadMs: number | null
}

/** From here on retention leaves the base points to this run. */
export async function recordMoment(
  trx: Trx,
  of: { readonly groupId: string; readonly jobId: string; readonly now: number },
  result: ChosenMoment,
): Promise<void> {
  const { groupPointId, atMs, bases } = result
  const { groupId, jobId, now } = of
  const ids = bases.map(({ pointId }) => pointId)
  const there = await trx
    .selectFrom('point')
    .select('id')
    .where('id', 'in', ids)
    .where('state', '=', 'available')
    .execute()
  if (there.length < new Set(ids).size) {
    throw new MaasError('POINT_NOT_AVAILABLE', 'a point of a member expired meanwhile', { ids })
  }
  await forgetUnfinished(trx, groupId)
  const row = { id: groupPointId, groupId, at: atMs, clockSpreadMs: null, reasonsJson: '[]' }
  await trx
    .insertInto('groupPoint')
    .values({ ...row, jobId, createdAt: now, state: 'creating' })
    .execute()
  const members = bases.map(({ sourceId, pointId }) => ({
    groupPointId,
    sourceId,
    basePointId: pointId,
    pointId: null,
    clockOffsetMs: null,
    clockErrorMs: null,
  }))
  await trx.insertInto('groupPointMember').values(members).execute()
}

/** A group has one run at a time: whatever else is being made was left by one that died. */
export async function forgetUnfinished(trx: Trx, groupId: string): Promise<void> {
  await trx
    .deleteFrom('groupPoint')
    .where('groupId', '=', groupId)
    .where('state', '=', 'creating')
    .execute()
}

export async function recordGroupPoint(
  services: KindServices,
  trx: Trx,
  of: Pick<StepContext<{ readonly groupId: string }, unknown>, 'params' | 'clock' | 'job'>,
  result: ClosedMoment,
): Promise<void> {
  const { groupPointId, atMs } = result.moment
  const { groupId } = of.params
  const now = of.clock.wallMs()
  for (const { sourceId, pointId, clock } of result.points) {
    await trx
      .updateTable('groupPointMember')
      .set({
        pointId,
        clockOffsetMs: clock === null ? null : Math.round(clock.offsetMs),
        clockErrorMs: clock === null ? null : Math.ceil(clock.errorMs),
      })
      .where('groupPointId', '=', groupPointId)
      .where('sourceId', '=', sourceId)
      .execute()
  }
  await trx
    .updateTable('groupPoint')
    .set({ state: 'available', clockSpreadMs: result.spreadMs, reasonsJson: '["newest"]' })
    .where('id', '=', groupPointId)
    .execute()
  const group = await loadGroup(trx, groupId)
  const spec = await specOf(trx, group)
  await settleGroupRetention(trx, { groupId, spec, now })
  // What this moment keeps, and what those that went have kept, goes or stays with them.
  for (const source of spec === null ? [] : await listMembers(trx, groupId)) {
    const labels = labelsOf(source.labelsJson)
    await expireOld(services, trx, { sourceId: source.id, spec, labels, now })
  }
  const labels = labelsOf(group.labelsJson)
  const data = { groupId, at: new Date(atMs).toISOString(), clockSpreadMs: result.spreadMs }
  const more = { ...data, jobId: of.job.id, name: group.name }
  const event = { topic: 'points', type: 'group-point.created', subject: groupPointId } as const
  await appendEvent(trx, { ...event, labels, data: more }, of.clock)
}

/** Of a group that is run by hand each member keeps what its own policy says. */
async function specOf(trx: Trx, { policyId }: GroupRow): Promise<PolicySpec | null> {
  if (policyId === null) return null
  return (await loadPolicies(trx)).get(policyId)?.spec ?? null
}

/** It may have been dissolved meanwhile. */
export async function findGroup(trx: Trx, groupId: string): Promise<GroupRow | undefined> {
  try {
    return await loadGroup(trx, groupId)
  } catch (error) {
    if (isMaasError(error, 'OBJECT_NOT_FOUND')) return undefined
    throw error
  }
}

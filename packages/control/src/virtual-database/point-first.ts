/**
 * A moment later than the newest point is had by taking a point first. That one is on demand: the
 * policy's own take their turn as if it were not there (policy/retention.ts).
 */
import { findWay, type Moment } from '../database/moment.ts'
import { listDatabasePoints } from '../database/points.ts'
import type { HandlerContext, Trx } from '../http/handler-context.ts'
import { findActiveJob } from '../job/job-repository.ts'
import { protectDatabaseRequest } from '../job/kinds/protect-database.ts'
import type { SourceRow } from '../sources/list.ts'

/** Before backups that wait: a person does. */
const PRIORITY = 100

function wantedOf(moment: Moment): string | null {
  if (moment.kind === 'transaction') return moment.id
  return moment.kind === 'position' ? moment.position : null
}

/**
 * @returns the jobs to wait for
 * @throws MaasError DATABASE_TARGET_UNREACHABLE: no point to come has it either
 */
export async function requestPoint(
  trx: Trx,
  { jobs }: Pick<HandlerContext, 'jobs'>,
  of: {
    readonly source: SourceRow
    readonly moment: Moment
    readonly actor: string
    readonly forId: string
    /** Also when what is wanted is there: what follows production begins as late as it can. */
    readonly always?: boolean
  },
): Promise<string[]> {
  const { source, moment, actor, forId, always = false } = of
  const points = await listDatabasePoints(trx, source.id)
  const { needsPoint } = findWay(points, moment)
  if (!needsPoint && !always) return []
  // The first is the copy itself, which nobody makes for a day.
  const onDemand = points.length > 0
  // The copy itself is wanted whatever it has.
  const wanted = onDemand ? wantedOf(moment) : null
  const request = protectDatabaseRequest(source, { actor, priority: PRIORITY, onDemand, wanted })
  const active = await findActiveJob(trx, request.activeKey!)
  // One that is under way may have marked its moment already, before the one that is wanted. And
  // the key is its own: a run of the policy that is due meanwhile is not taken for done.
  const activeKey = onDemand ? `protect:${source.id}:for:${forId}` : request.activeKey!
  if (active === undefined) return [await jobs.enqueue(trx, { ...request, activeKey })]
  const behind = `protect:${source.id}:for:${forId}`
  return [await jobs.enqueue(trx, { ...request, activeKey: behind, dependsOn: [active] })]
}

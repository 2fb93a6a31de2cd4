/** A moment later than the newest point is had by taking a point first. */
import { findWay, type Moment } from '../database/moment.ts'
import { listDatabasePoints } from '../database/points.ts'
import type { HandlerContext, Trx } from '../http/handler-context.ts'
import { findActiveJob } from '../job/job-repository.ts'
import { protectDatabaseRequest } from '../job/kinds/protect-database.ts'
import type { SourceRow } from '../sources/list.ts'

/** Before backups that wait: a person does. */
const PRIORITY = 100

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
  },
): Promise<string[]> {
  const { source, moment, actor, forId } = of
  const { needsPoint } = findWay(await listDatabasePoints(trx, source.id), moment)
  if (!needsPoint) return []
  const request = protectDatabaseRequest(source, { actor, priority: PRIORITY })
  const active = await findActiveJob(trx, request.activeKey!)
  if (active === undefined) return [await jobs.enqueue(trx, request)]
  // One that is under way may have marked its moment already, before the one that is wanted.
  const activeKey = `protect:${source.id}:for:${forId}`
  return [await jobs.enqueue(trx, { ...request, activeKey, dependsOn: [active] })]
}

/** What is done with points beside looking into them: delete, lock, verify, restore. */
import { ownerOf } from '@openmaas/api/permissions'
import type { OrderGiver } from '@openmaas/protocols/channel/orders'
import { consentTo } from '../auth/consent.ts'
import { type HandlerRequest, type Handlers, acceptedJob, requestInvalid } from '../http/handler.ts'
import { labelsOf, timeOf } from '../http/columns.ts'
import { recordChange } from '../http/handler-context.ts'
import type { Db, HandlerContext } from '../http/handler-context.ts'
import { loadPoint, requireAvailable, showPoint } from './list.ts'
import type { PointRow } from './list.ts'
import { nodeOfPool } from '../job/kinds/choose-pool.ts'
import { expireRequest } from '../job/kinds/expire.ts'
import { verifyRequest } from '../job/kinds/pool-care.ts'
import { restoreRequest } from '../job/kinds/restore.ts'
import { pointsInUse, requireDeletable } from '../job/kinds/retention-rows.ts'

export interface PointContext extends HandlerContext {
  readonly orders: OrderGiver
}

const LOCK_TIMEOUT_MS = 30_000

export function makePointHandlers(context: PointContext) {
  return {
    deletePoint: (request) => deletePoint(context, request),
    lockPoint: (request) => lockPoint(context, request),
    verifyPoint: (request) => verifyPoint(context, request),
    restorePoint: (request) => restorePoint(context, request),
  } satisfies Handlers
}

const nameOf = (point: PointRow): string => timeOf(point.takenAt)

async function deletePoint(context: PointContext, request: HandlerRequest<'deletePoint'>) {
  const { params, principal, dryRun } = request
  const { catalog, clock } = context
  const point = await loadPoint(catalog.db, params.pointId)
  requireAvailable(point)
  const requireUnneeded = async (trx: Db): Promise<void> =>
    requireDeletable(point, await pointsInUse(trx, point.sourceId), clock.wallMs())
  await requireUnneeded(catalog.db)
  if (dryRun) {
    const detail = `${point.sizeBytes} bytes shown`
    const item = { action: 'delete for ever', object: point.id, name: nameOf(point), detail }
    const warnings = await isNewest(context, point)
    const body200 = { plan: [item], freesBytes: point.addedBytes, warnings }
    return { status: 200, body: body200 }
  }
  const consent = await consentTo(context, request, {
    action: 'deletePoint',
    id: point.id,
    name: point.id,
  })
  return catalog.transaction(async (trx) => {
    await consent.use(trx)
    // It may have been plugged while somebody consented; the job looks once more.
    await requireUnneeded(trx)
    const labels = labelsOf(point.labelsJson)
    const { sourceId, poolId } = point
    const actor = ownerOf(principal)
    const wanted = expireRequest({ sourceId, poolId, labels, actor, pointIds: [point.id] })
    const jobId = await context.jobs.enqueue(trx, wanted)
    await recordChange(trx, context, request, {
      action: 'deletePoint',
      topic: 'points',
      type: 'point.deleting',
      id: point.id,
      name: nameOf(point),
      labels,
      before: showPoint(point),
      reason: consent.reason,
    })
    return acceptedJob(jobId)
  })
}

async function isNewest(context: PointContext, point: PointRow): Promise<string[]> {
  const newer = await context.catalog.db
    .selectFrom('point')
    .select('id')
    .where('sourceId', '=', point.sourceId)
    .where('state', '=', 'available')
    .where('takenAt', '>', point.takenAt)
    .limit(1)
    .executeTakeFirst()
  return newer === undefined ? ['it is the newest point of its source'] : []
}

/** The pool first: a row that promises a lock which no pool keeps would be a lie. */
async function lockPoint(context: PointContext, request: HandlerRequest<'lockPoint'>) {
  const { params, body } = request
  const { catalog } = context
  const point = await loadPoint(catalog.db, params.pointId)
  requireAvailable(point)
  const lockUntil = Date.parse(body.until)
  if (lockUntil <= Math.max(point.lockUntil ?? 0, context.clock.wallMs())) {
    throw requestInvalid('/until', 'a lock is only ever made longer')
  }
  const { poolId, snapshotId } = point
  await context.orders.order(
    await nodeOfPool(catalog.db, poolId),
    'pool.lock',
    { poolId, snapshotId, lockUntil },
    { key: `lock:${point.id}:${lockUntil}`, timeoutMs: LOCK_TIMEOUT_MS, signal: request.signal },
  )
  return catalog.transaction(async (trx) => {
    await trx.updateTable('point').set({ lockUntil }).where('id', '=', point.id).execute()
    await recordChange(trx, context, request, {
      action: 'lockPoint',
      topic: 'points',
      type: 'point.locked',
      id: point.id,
      name: nameOf(point),
      labels: labelsOf(point.labelsJson),
      before: { lockUntil: point.lockUntil },
      after: { lockUntil },
      ...(body.reason !== undefined && { reason: body.reason }),
    })
    return { status: 200, body: showPoint({ ...point, lockUntil }) }
  })
}

async function verifyPoint(context: PointContext, request: HandlerRequest<'verifyPoint'>) {
  const { params, body, principal } = request
  return context.catalog.transaction(async (trx) => {
    const point = await loadPoint(trx, params.pointId)
    requireAvailable(point)
    const source = { id: point.sourceId, labelsJson: point.labelsJson }
    const options = { actor: ownerOf(principal), data: body.data, pointIds: [point.id] }
    const jobId = await context.jobs.enqueue(trx, verifyRequest(source, options))
    await recordChange(trx, context, request, {
      action: 'verifyPoint',
      topic: 'points',
      type: 'point.verifying',
      id: point.id,
      name: nameOf(point),
      labels: labelsOf(point.labelsJson),
      after: { jobId },
    })
    return acceptedJob(jobId)
  })
}

async function restorePoint(context: PointContext, request: HandlerRequest<'restorePoint'>) {
  const { params, body, principal, dryRun } = request
  const { hostId, paths, to, conflict, bytesPerSecond } = body
  return context.catalog.transaction(async (trx) => {
    const point = await loadPoint(trx, params.pointId)
    requireAvailable(point)
    if (dryRun) {
      const what = paths.length === 0 ? 'all of it' : `${paths.length} paths`
      const detail = `${what}; what is in the way: ${conflict}`
      const item = { action: `restore to ${to}`, object: point.id, name: nameOf(point), detail }
      const warnings = conflict === 'overwrite' ? ['files that are there are replaced'] : []
      return { status: 200, body: { plan: [item], warnings } }
    }
    const wanted = { hostId, paths, to, conflict, bytesPerSecond, actor: ownerOf(principal) }
    const jobId = await context.jobs.enqueue(trx, restoreRequest(point, wanted))
    await recordChange(trx, context, request, {
      action: 'restorePoint',
      topic: 'points',
      type: 'point.restoring',
      id: point.id,
      name: nameOf(point),
      labels: labelsOf(point.labelsJson),
      after: {
        hostId,
        paths,
        to,
        conflict,
        jobId,
      },
    })
    return acceptedJob(jobId)
  })
}

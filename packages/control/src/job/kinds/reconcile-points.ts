/**
 * reconcile-points: a pool is asked which snapshots it has. One that a capture has made although
 * its answer was lost for good becomes a point of its source; a point whose snapshot is gone is
 * `missing`. Nothing is deleted here: retention does that, with its reasons.
 */
import { z } from 'zod'
import { makeControlId } from '@openmaas/api/ids'
import type { SnapshotRowMessage } from '@openmaas/protocols/channel/orders'
import { appendEvent } from '../../catalog/events.ts'
import { CATALOG_TAG } from '../../catalog/point-tags.ts'
import { DATABASE_TAG, parseMark } from '../../database/points.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext, Trx } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

const params = z.object({ poolId: z.string(), nodeId: z.string() })
type PointsParams = z.infer<typeof params>
interface Reconciled {
  readonly snapshots: number
  readonly adopted: number
  readonly missing: number
}
type Context = StepContext<PointsParams, { readonly reconcile: Reconciled }>

/** Snapshots of one answer, and of one transaction. */
const PAGE = 500
/** 500,000 ids are some 50 MB; a pool with more is not looked through to the end. */
const PAGES_MAX = 1000
/** Set by the node on what it stores, whatever an agent says: whose it is, made for which job. */
const SOURCE_TAG = 'openmaas.source'
const REQUEST_TAG = 'openmaas.request'

export function reconcilePointsRequest(
  pool: { readonly id: string; readonly nodeId: string },
  actor: string,
): JobRequest {
  const { id: poolId, nodeId } = pool
  const activeKey = `reconcile-points:${poolId}`
  const jobParams = { poolId, nodeId }
  return {
    kind: 'reconcile-points',
    params: jobParams,
    actor,
    activeKey,
    poolId,
    nodeId,
    labels: {},
  }
}

async function reconcile(services: KindServices, context: Context): Promise<Reconciled> {
  const { poolId, nodeId } = context.params
  // Before the pool is asked: what comes into being meanwhile is neither unknown nor missing.
  const left = await listKnown(context)
  let [after, snapshots, adopted] = [null as string | null, 0, 0]
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await context.orders.order(
      nodeId,
      'pool.snapshots',
      { poolId, after, limit: PAGE },
      { key: context.key(`page-${page}`), timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal },
    )
    snapshots += answer.snapshots.length
    for (const { snapshotId } of answer.snapshots) left.delete(snapshotId)
    adopted += await context.commit((trx) => adopt(services, trx, context, answer.snapshots))
    after = answer.snapshots.at(-1)?.snapshotId ?? null
    if (!answer.more || after === null) {
      const missing = await context.commit((trx) => markMissing(trx, context, [...left.values()]))
      return { snapshots, adopted, missing }
    }
  }
  context.log('warning', 'POOL_TOO_LARGE', 'the pool was not looked through to the end')
  return { snapshots, adopted, missing: 0 }
}

async function listKnown(context: Context): Promise<Map<string, string>> {
  const rows = await context.catalog.db
    .selectFrom('point')
    .select(['id', 'snapshotId'])
    .where('poolId', '=', context.params.poolId)
    .where('state', '=', 'available')
    .execute()
  return new Map(rows.map((row) => [row.snapshotId, row.id]))
}

async function adopt(
  services: KindServices,
  trx: Trx,
  context: Context,
  snapshots: readonly SnapshotRowMessage[],
): Promise<number> {
  const { poolId } = context.params
  if (snapshots.length === 0) return 0
  const ids = snapshots.map((snapshot) => snapshot.snapshotId)
  const rows = await trx
    .selectFrom('point')
    .select(['snapshotId'])
    .where('poolId', '=', poolId)
    .where('snapshotId', 'in', ids)
    .execute()
  const known = new Set(rows.map((row) => row.snapshotId))
  let count = 0
  for (const snapshot of snapshots) {
    if (known.has(snapshot.snapshotId) || snapshot.tags[CATALOG_TAG] !== undefined) continue
    if (await adoptOne(services, trx, context, snapshot)) count += 1
  }
  return count
}

async function adoptOne(
  services: KindServices,
  trx: Trx,
  context: Context,
  snapshot: SnapshotRowMessage,
): Promise<boolean> {
  const { clock, job } = context
  const { poolId } = context.params
  const sourceId = snapshot.tags[SOURCE_TAG] ?? ''
  const source = await trx
    .selectFrom('source')
    .select(['hostId', 'kind', 'labelsJson', 'lastSuccessAt'])
    .where('id', '=', sourceId)
    .executeTakeFirst()
  if (source === undefined) return false
  const requester = await trx
    .selectFrom('job')
    .select('endedAt')
    .where('id', '=', snapshot.tags[REQUEST_TAG] ?? '')
    .executeTakeFirst()
  // A job that is at work records it, or takes it back, itself.
  if (requester?.endedAt === null) return false
  const { snapshotId, takenAt, sizeBytes, addedBytes, itemCount, warningCount, lockUntil } =
    snapshot
  const mark = parseMark(snapshot.tags[DATABASE_TAG])
  const id = makeControlId('point', clock, services.random)
  await trx
    .insertInto('point')
    .values({
      id,
      sourceId,
      hostId: source.hostId,
      poolId,
      snapshotId,
      kind: snapshot.kind,
      takenAt,
      sizeBytes,
      addedBytes,
      itemCount,
      warningCount,
      lockUntil,
      consistency: mark?.consistency ?? (source.kind === 'disk' ? 'crash' : 'files'),
      databaseJson: mark === null ? null : JSON.stringify(mark),
      state: 'available',
      reasonsJson: '["adopted"]',
      verifiedAt: null,
      labelsJson: source.labelsJson,
      onDemand: mark?.onDemand === true ? 1 : 0,
    })
    .execute()
  if ((source.lastSuccessAt ?? 0) < takenAt) {
    const newest = { lastSuccessAt: takenAt, lastPointId: id }
    await trx.updateTable('source').set(newest).where('id', '=', sourceId).execute()
  }
  const labels = JSON.parse(source.labelsJson) as Record<string, string>
  const data = { sourceId, poolId, snapshotId, takenAt, sizeBytes, addedBytes, jobId: job.id }
  const event = { topic: 'points', type: 'point.created', subject: id, labels, data } as const
  await appendEvent(trx, event, clock)
  context.log('info', 'POINT_ADOPTED', `${snapshotId} of ${sourceId}`)
  return true
}

async function markMissing(trx: Trx, context: Context, ids: readonly string[]): Promise<number> {
  let count = 0
  for (const id of ids) {
    const point = await trx
      .selectFrom('point')
      .select(['state', 'labelsJson', 'sourceId', 'poolId'])
      .where('id', '=', id)
      .executeTakeFirst()
    if (point?.state !== 'available') continue
    await trx.updateTable('point').set({ state: 'missing' }).where('id', '=', id).execute()
    const labels = JSON.parse(point.labelsJson) as Record<string, string>
    const data = { sourceId: point.sourceId, poolId: point.poolId, jobId: context.job.id }
    const event = { topic: 'points', type: 'point.missing', subject: id, labels, data } as const
    await appendEvent(trx, event, context.clock)
    context.log('warning', 'POINT_MISSING', id)
    count += 1
  }
  return count
}

export function makeReconcilePoints(services: KindServices): JobDefinition {
  return defineJob<PointsParams, { readonly reconcile: Reconciled }>({
    kind: 'reconcile-points',
    params,
    slots: ({ poolId }) => [`reconcile-points:${poolId}`],
    steps: [{ name: 'reconcile', run: (context) => reconcile(services, context) }],
    attemptMax: 3,
    deadlineMs: 6 * 3_600_000,
    conclude: ({ reconcile: result }) => ({ warning: result.missing > 0, result }),
  })
}

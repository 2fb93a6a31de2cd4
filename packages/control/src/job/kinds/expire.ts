/**
 * expire: points that nothing keeps any more leave their pool. What keeps a point is looked at
 * again here, in the transaction that marks it, since a medium may have been plugged meanwhile.
 */
import { z } from 'zod'
import { isMaasError, type MaasError } from '@openmaas/kernel/errors'
import type { Result } from '@openmaas/protocols/channel/orders'
import { appendEvent } from '../../catalog/events.ts'
import { loadPolicies } from '../../policy/resolve.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext, Trx } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { nodeOfPool } from './choose-pool.ts'
import { pointsInUse, requireDeletable, settleRetention } from './retention-rows.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'

/** Points of one job; what is left over goes with the next. */
const EXPIRE_MAX = 1000

const params = z.object({
  sourceId: z.string(),
  poolId: z.string(),
  /** Chosen by a person; null: those that the policy does not keep. */
  pointIds: z.array(z.string()).max(EXPIRE_MAX).nullable(),
})
type ExpireParams = z.infer<typeof params>
type Refused = readonly { readonly pointId: string; readonly code: string }[]
interface Selected {
  readonly points: readonly { readonly pointId: string; readonly snapshotId: string }[]
  /** Chosen by a person, and needed by somebody since. */
  readonly refused: Refused
}
interface Deleted {
  readonly deleted: readonly string[]
  readonly refused: Refused
}
interface ExpireResults {
  readonly select: Selected
  readonly delete: Deleted
}
type Context = StepContext<ExpireParams, ExpireResults>

export function expireRequest(options: {
  readonly sourceId: string
  readonly poolId: string
  readonly labels: Readonly<Record<string, string>>
  readonly actor: string
  readonly pointIds?: readonly string[]
}): JobRequest {
  const { sourceId, poolId, labels, actor, pointIds } = options
  const key = `expire:${sourceId}:${poolId}`
  return {
    kind: 'expire',
    params: { sourceId, poolId, pointIds: pointIds ?? null },
    actor,
    // A person's choice must not be swallowed by the sweep that happens to wait.
    activeKey: pointIds === undefined ? key : `${key}:${pointIds.join(',')}`,
    sourceId,
    poolId,
    labels,
  }
}

/**
 * Marks them; those that an earlier attempt has marked are among them.
 *
 * @throws MaasError SNAPSHOT_LOCKED, OBJECT_IN_USE when none of those that a person chose may go
 */
async function select(context: Context): Promise<Selected> {
  const { sourceId, poolId, pointIds } = context.params
  const policies = await loadPolicies(context.catalog.db)
  return context.commit(async (trx) => {
    const source = await trx
      .selectFrom('source')
      .select(['policyId', 'labelsJson'])
      .where('id', '=', sourceId)
      .executeTakeFirst()
    const labels = JSON.parse(source?.labelsJson ?? '{}') as Record<string, string>
    const policy = source === undefined ? null : policies.resolve({ ...source, labels })
    const now = context.clock.wallMs()
    const spec = policy?.spec ?? null
    const { chosen, refused } =
      pointIds === null
        ? {
            chosen: (await settleRetention(trx, { sourceId, spec, now }))
              .filter((point) => point.poolId === poolId)
              .map((point) => point.pointId),
            refused: [],
          }
        : await deletable(trx, sourceId, pointIds, now)
    for (const id of chosen.slice(0, EXPIRE_MAX)) {
      await trx.updateTable('point').set({ state: 'deleting' }).where('id', '=', id).execute()
    }
    const points = await listDeleting(trx, context.params)
    const [first] = refused
    if (points.length === 0 && first !== undefined) throw first.error
    for (const { pointId, error } of refused) context.log('warning', error.code, pointId)
    return { points, refused: refused.map(({ pointId, error: { code } }) => ({ pointId, code })) }
  })
}

/** Of those that a person has chosen: neither locked nor in use. */
async function deletable(
  trx: Trx,
  sourceId: string,
  pointIds: readonly string[],
  now: number,
): Promise<{ chosen: string[]; refused: { pointId: string; error: MaasError }[] }> {
  const inUse = await pointsInUse(trx, sourceId)
  const rows = await trx
    .selectFrom('point')
    .select(['id', 'lockUntil'])
    .where('sourceId', '=', sourceId)
    .where('id', 'in', pointIds)
    .where('state', '=', 'available')
    .execute()
  const chosen: string[] = []
  const refused: { pointId: string; error: MaasError }[] = []
  for (const row of rows) {
    try {
      requireDeletable(row, inUse, now)
      chosen.push(row.id)
    } catch (error) {
      if (!isMaasError(error)) throw error
      refused.push({ pointId: row.id, error })
    }
  }
  return { chosen, refused }
}

async function listDeleting(trx: Trx, of: ExpireParams): Promise<Selected['points']> {
  let query = trx
    .selectFrom('point')
    .select(['id as pointId', 'snapshotId'])
    .where('sourceId', '=', of.sourceId)
    .where('poolId', '=', of.poolId)
    .where('state', '=', 'deleting')
  if (of.pointIds !== null) query = query.where('id', 'in', of.pointIds)
  return query.orderBy('id').limit(EXPIRE_MAX).execute()
}

async function deletePoints(context: Context): Promise<Deleted> {
  const { points } = context.results.select
  const { poolId } = context.params
  if (points.length === 0) return { deleted: [], refused: [] }
  const nodeId = await nodeOfPool(context.catalog.db, poolId)
  const snapshotIds = points.map((point) => point.snapshotId)
  const answer = await context.orders.order(
    nodeId,
    'pool.delete',
    { poolId, snapshotIds },
    { key: context.key(), timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal },
  )
  const idOf = new Map(points.map((point) => [point.snapshotId, point.pointId]))
  // What the pool does not have is gone as wanted: an answer to an earlier attempt was lost.
  const gone = answer.refused.filter(({ code }) => code === 'SNAPSHOT_NOT_FOUND')
  const refused = answer.refused.filter(({ code }) => code !== 'SNAPSHOT_NOT_FOUND')
  const deleted = [...answer.deleted, ...gone.map(({ snapshotId }) => snapshotId)]
  for (const { snapshotId, code } of refused) context.log('warning', code, snapshotId)
  return {
    deleted: deleted.flatMap((id) => idOf.get(id) ?? []),
    refused: refused.flatMap(({ snapshotId, code }) => {
      const pointId = idOf.get(snapshotId)
      return pointId === undefined ? [] : [{ pointId, code }]
    }),
  }
}

async function recordDeleted(trx: Trx, context: Context, result: Deleted): Promise<void> {
  const labels = JSON.parse(context.job.labelsJson) as Record<string, string>
  const { sourceId, poolId } = context.params
  for (const id of result.deleted) {
    await trx
      .updateTable('point')
      .set({ state: 'deleted', reasonsJson: '[]' })
      .where('id', '=', id)
      .execute()
    const data = { sourceId, poolId, jobId: context.job.id }
    const event = { topic: 'points', type: 'point.deleted', subject: id, labels, data } as const
    await appendEvent(trx, event, context.clock)
  }
  await makeAvailable(
    trx,
    result.refused.map(({ pointId }) => pointId),
  )
}

/** Nobody knows what an order that got lost has deleted: the pool is asked what it still has. */
async function learnDeleted(context: Context, result: Deleted | null): Promise<void> {
  const { points } = context.results.select
  if (result !== null || points.length === 0) return
  const { poolId } = context.params
  const nodeId = await nodeOfPool(context.catalog.db, poolId)
  const missing = new Map(points.map((point) => [point.snapshotId, point.pointId]))
  let after: string | null = null
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer: Result<'pool.snapshots'> = await context.orders.order(
      nodeId,
      'pool.snapshots',
      { poolId, after, limit: PAGE },
      { key: context.key(`look-${page}`), timeoutMs: ORDER_TIMEOUT_MS },
    )
    for (const { snapshotId } of answer.snapshots) missing.delete(snapshotId)
    after = answer.snapshots.at(-1)?.snapshotId ?? null
    if (!answer.more || after === null) break
  }
  const deleted = [...missing.values()]
  await context.commit((trx) => recordDeleted(trx, context, { deleted, refused: [] }))
}
/** A pool of ours has fewer snapshots than this. */
const PAGE = 10_000
const PAGES_MAX = 100

async function makeAvailable(trx: Trx, pointIds: readonly string[]): Promise<void> {
  for (const id of pointIds) {
    await trx
      .updateTable('point')
      .set({ state: 'available' })
      .where('id', '=', id)
      .where('state', '=', 'deleting')
      .execute()
  }
}

export function makeExpire(): JobDefinition {
  return defineJob<ExpireParams, ExpireResults>({
    kind: 'expire',
    params,
    slots: ({ sourceId }) => [`expire:${sourceId}`],
    steps: [
      {
        name: 'select',
        run: select,
        undo: (context, result) =>
          context.commit(async (trx) => {
            const points = result?.points ?? (await listDeleting(trx, context.params))
            await makeAvailable(
              trx,
              points.map((point) => point.pointId),
            )
          }),
      },
      { name: 'delete', run: deletePoints, apply: recordDeleted, undo: learnDeleted },
    ],
    attemptMax: 6,
    deadlineMs: 3_600_000,
    conclude: ({ select: selected, delete: { deleted, refused } }) => {
      const all = [...selected.refused, ...refused]
      return { warning: all.length > 0, result: { deleted: deleted.length, refused: all } }
    },
  })
}

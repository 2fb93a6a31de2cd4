/** Pools: reading, labelling and caring for them. */
import type { Selectable } from 'kysely'
import { ownerOf } from '@openmaas/api/permissions'
import { type Pool, poolStats } from '@openmaas/api/resources/pool'
import { MaasError } from '@openmaas/kernel/errors'
import { consentTo } from '../auth/consent.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import { checkRequest, collectRequest } from '../job/kinds/pool-care.ts'
import type { JobRequest } from '../job/queue.ts'
import { requireInScope } from '../http/gate.ts'
import { requireNameFree } from '../http/names.ts'
import {
  type HandlerRequest,
  type Handlers,
  acceptedJob,
  objectNotFound,
  planned,
  requireVersion,
} from '../http/handler.ts'
import { labelsOf, objectOf, timeOf, timeOrNull } from '../http/columns.ts'
import { type Db, type HandlerContext, recordChange } from '../http/handler-context.ts'
import { readPage, whereVisible } from '../http/list-query.ts'

export type PoolRow = Selectable<CatalogTables['pool']>

export interface PoolContext extends HandlerContext {
  /** Of the forecast; null: it does not grow, or nobody knows. */
  readonly daysToFull?: (poolId: string) => number | null
}

export function makePoolHandlers(context: PoolContext) {
  return {
    listPools: (request) => listPools(context, request),
    getPool: async ({ params }) => {
      const row = await loadPool(context.catalog.db, params.poolId)
      return { body: showPool(row, context), etag: row.version }
    },
    changePool: (request) => changePool(context, request),
    collectPool: (request) => {
      const { approve } = request.body
      const wanted = (pool: PoolRow, actor: string) => collectRequest(pool, actor, approve)
      return care(context, request, 'collectPool', wanted)
    },
    checkPool: (request) => {
      const { data } = request.body
      const wanted = (pool: PoolRow, actor: string) => checkRequest(pool, actor, data)
      return care(context, request, 'checkPool', wanted)
    },
    removePool: (request) => removePool(context, request),
  } satisfies Handlers
}

export async function loadPool(db: Db, id: string): Promise<PoolRow> {
  const row = await db.selectFrom('pool').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined) throw objectNotFound('pool', id)
  return row
}

/** Before its node has reported. */
const NO_STATS = {
  sizeBytes: 0,
  freeBytes: 0,
  physicalBytes: 0,
  logicalBytes: 0,
  snapshotCount: 0,
  packCount: 0,
  badBlocks: 0,
}

export function showPool(row: PoolRow, context: Pick<PoolContext, 'daysToFull'>): Pool {
  const { id, name, nodeId, path, state, version } = row
  return {
    id,
    name,
    nodeId,
    path,
    state,
    version,
    labels: labelsOf(row.labelsJson),
    stats: poolStats.parse({
      ...NO_STATS,
      ...objectOf(row.statsJson),
    }),
    daysToFull: context.daysToFull?.(id) ?? null,
    seenAt: timeOrNull(row.seenAt),
    createdAt: timeOf(row.createdAt),
  }
}

async function listPools(context: PoolContext, request: HandlerRequest<'listPools'>) {
  const { query } = request
  const { db } = context.catalog
  let rows = whereVisible(db.selectFrom('pool').selectAll(), 'pool', context.catalog, request)
  const name = query['filter[name]']
  const state = query['filter[state]']
  const nodeId = query['filter[nodeId]']
  if (name !== undefined) rows = rows.where('name', '=', name)
  if (state !== undefined) rows = rows.where('state', '=', state)
  if (nodeId !== undefined) rows = rows.where('nodeId', '=', nodeId)
  const page = await readPage(rows, query, { table: 'pool' })
  return { body: { items: page.rows.map((row) => showPool(row, context)), next: page.next } }
}

function changePool(context: PoolContext, request: HandlerRequest<'changePool'>) {
  const { params, body, principal } = request
  if (body.labels !== undefined) requireInScope(principal, body.labels)
  return context.catalog.transaction(async (trx) => {
    const row = await loadPool(trx, params.poolId)
    requireVersion(row, request)
    const set = {
      ...(body.name !== undefined && { name: body.name }),
      ...(body.labels !== undefined && { labelsJson: JSON.stringify(body.labels) }),
      version: row.version + 1,
    }
    if (set.name !== undefined && set.name !== row.name)
      await requireNameFree(trx, 'pool', set.name)
    await trx.updateTable('pool').set(set).where('id', '=', row.id).execute()
    const [before, after] = [showPool(row, context), showPool({ ...row, ...set }, context)]
    await recordChange(trx, context, request, {
      action: 'changePool',
      topic: 'pools',
      type: 'pool.changed',
      before,
      after,
      id: row.id,
      name: after.name,
      labels: after.labels,
    })
    return { body: after, etag: set.version }
  })
}

async function care(
  context: PoolContext,
  request: HandlerRequest<'collectPool'> | HandlerRequest<'checkPool'>,
  action: 'collectPool' | 'checkPool',
  wanted: (pool: PoolRow, actor: string) => JobRequest,
) {
  const jobId = await context.catalog.transaction(async (trx) => {
    const row = await loadPool(trx, request.params.poolId)
    const id = await context.jobs.enqueue(trx, wanted(row, ownerOf(request.principal)))
    await recordChange(trx, context, request, {
      action,
      topic: 'pools',
      type: 'pool.tended',
      id: row.id,
      name: row.name,
      labels: labelsOf(row.labelsJson),
      after: { jobId: id },
    })
    return id
  })
  return acceptedJob(jobId)
}

async function removePool(context: PoolContext, request: HandlerRequest<'removePool'>) {
  const { params, dryRun } = request
  const row = await loadPool(context.catalog.db, params.poolId)
  if (dryRun) {
    return planned('forget; its bytes stay where they are', row)
  }
  const consent = await consentTo(context, request, {
    action: 'removePool',
    id: row.id,
    name: row.name,
  })
  await context.catalog.transaction(async (trx) => {
    await consent.use(trx)
    const current = await loadPool(trx, row.id)
    await checkUnused(trx, row.id)
    const missing = { state: 'missing' } as const
    await trx.updateTable('point').set(missing).where('poolId', '=', row.id).execute()
    await trx.deleteFrom('pool').where('id', '=', row.id).execute()
    await recordChange(trx, context, request, {
      action: 'removePool',
      topic: 'pools',
      type: 'pool.removed',
      id: row.id,
      name: row.name,
      labels: labelsOf(row.labelsJson),
      before: current,
      reason: consent.reason,
    })
  })
  return { status: 204, body: null }
}

/** @throws MaasError OBJECT_IN_USE */
async function checkUnused(db: Db, poolId: string): Promise<void> {
  const job = await db
    .selectFrom('job')
    .select('id')
    .where('poolId', '=', poolId)
    .where('endedAt', 'is', null)
    .executeTakeFirst()
  if (job !== undefined) {
    throw new MaasError('OBJECT_IN_USE', 'a job works on the pool', { jobId: job.id })
  }
  const medium = await db
    .selectFrom('medium')
    .select('id')
    .where('poolId', '=', poolId)
    .where('state', 'in', ['plugging', 'plugged', 'ejecting'])
    .executeTakeFirst()
  if (medium !== undefined) {
    throw new MaasError('OBJECT_IN_USE', 'a medium of the pool is plugged', { mediumId: medium.id })
  }
  const source = await db
    .selectFrom('source')
    .select('id')
    .where('poolId', '=', poolId)
    .executeTakeFirst()
  if (source !== undefined) {
    throw new MaasError('OBJECT_IN_USE', 'a source is kept in the pool', { sourceId: source.id })
  }
}

/** Pools that come into being or into care: both at once on the node and in the catalog. */
import type { OrderGiver } from '@openmaas/protocols/channel/orders'
import { loadHost } from '../host/host-repository.ts'
import { requireInScope } from '../http/gate.ts'
import { requireNameFree } from '../http/names.ts'
import type { HandlerRequest, Handlers } from '../http/handler.ts'
import { requestInvalid } from '../http/handler.ts'
import { recordChange } from '../http/handler-context.ts'
import type { HandlerContext } from '../http/handler-context.ts'
import { loadPool, showPool } from './handlers.ts'
import type { PoolContext } from './handlers.ts'

export interface PoolMakingContext extends PoolContext {
  readonly orders: OrderGiver
}

/** Making directories, or replaying the log of a pool of a petabyte. */
const TIMEOUT_MS = 120_000

export function makePoolMakingHandlers(context: PoolMakingContext) {
  return {
    createPool: async (request) => {
      const { nodeId, bricks, redundancy } = request.body
      await checkRequest(context, request)
      const order = { bricks, redundancy }
      const { poolId, passphrase } = await context.orders.order(
        nodeId,
        'pool.create',
        order,
        options(request),
      )
      const made = { id: poolId, path: bricks[0]!, action: 'createPool' } as const
      return { status: 201, body: { pool: await enter(context, request, made), passphrase } }
    },
    adoptPool: async (request) => {
      const { nodeId, path, passphrase } = request.body
      await checkRequest(context, request)
      const order = { path, passphrase }
      const { poolId } = await context.orders.order(nodeId, 'pool.adopt', order, options(request))
      const made = { id: poolId, path, action: 'adoptPool' } as const
      return { status: 201, body: { pool: await enter(context, request, made), passphrase: null } }
    },
  } satisfies Handlers
}

type Making = HandlerRequest<'createPool'> | HandlerRequest<'adoptPool'>

function options({ requestId, signal }: Making) {
  return { key: `pool:${requestId}`, timeoutMs: TIMEOUT_MS, signal }
}

/** Before anything is made: what would be refused afterwards. */
async function checkRequest(context: PoolMakingContext, request: Making): Promise<void> {
  const { name, nodeId, labels } = request.body
  const { db } = context.catalog
  requireInScope(request.principal, labels)
  const host = await loadHost(db, nodeId)
  if (host.kind !== 'node') throw requestInvalid('/nodeId', 'pools are kept by nodes')
  await requireNameFree(db, 'pool', name)
}

async function enter(
  context: PoolMakingContext,
  request: Making,
  made: {
    readonly id: string
    readonly path: string
    readonly action: 'createPool' | 'adoptPool'
  },
) {
  const { clock, catalog } = context
  const { name, nodeId, labels } = request.body
  return catalog.transaction(async (trx) => {
    await requireNameFree(trx, 'pool', name, made.id)
    const now = clock.wallMs()
    const values = { name, nodeId, path: made.path, labelsJson: JSON.stringify(labels) }
    await trx
      .insertInto('pool')
      .values({
        id: made.id,
        ...values,
        state: 'online',
        statsJson: '{}',
        seenAt: now,
        createdAt: now,
        version: 1,
      })
      // The node may have told of it already.
      .onConflict((conflict) => conflict.column('id').doUpdateSet(values))
      .execute()
    const shown = showPool(await loadPool(trx, made.id), context)
    const type = made.action === 'createPool' ? 'pool.created' : 'pool.adopted'
    await recordChange(trx, context as HandlerContext, request, {
      action: made.action,
      topic: 'pools',
      type,
      id: made.id,
      name,
      labels,
      after: shown,
    })
    return shown
  })
}

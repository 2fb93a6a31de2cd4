/**
 * plug: a point becomes a medium on a host. The node serves it; a host that is not the node's own
 * machine attaches it over NBD. A step that fails is rolled back, so that nothing is served to
 * nobody. The row (state `plugging`) was made by whoever asked.
 */
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import type { Result } from '@openmaas/protocols/channel/orders'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext } from '../definition.ts'
import { changeMedium, loadMedium, problemOf } from './medium-rows.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

const params = z.object({ mediumId: z.string(), hostId: z.string() })
type PlugParams = z.infer<typeof params>
interface PlugResults {
  readonly serve: Result<'medium.serve'>
  readonly attach: Result<'medium.attach'> | null
}
type Context = StepContext<PlugParams, PlugResults>

async function serve(context: Context): Promise<Result<'medium.serve'>> {
  const { db } = context.catalog
  const medium = await loadMedium(db, context.params.mediumId)
  const point = await db
    .selectFrom('point')
    // Points stay when their source is protected no longer.
    .leftJoin('source', 'source.id', 'point.sourceId')
    .select(['point.snapshotId', 'point.state', 'point.sourceId', 'source.name'])
    .where('point.id', '=', medium.pointId)
    .executeTakeFirst()
  if (point?.state !== 'available') {
    const { pointId } = medium
    throw new MaasError('POINT_NOT_AVAILABLE', 'the point is not available', { pointId })
  }
  const isLocal = medium.protocol === 'local'
  return context.orders.order(
    medium.nodeId,
    'medium.serve',
    {
      mediumId: medium.id,
      poolId: medium.poolId,
      snapshotId: point.snapshotId,
      sourceName: point.name ?? point.sourceId,
      readOnly: medium.readOnly === 1,
      quotaBytes: medium.quotaBytes,
      bytesPerSecond: medium.bytesPerSecond,
      local: isLocal ? { mountPath: medium.mountPath } : null,
    },
    { key: context.key(), timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal },
  )
}

async function attach(
  services: KindServices,
  context: Context,
): Promise<Result<'medium.attach'> | null> {
  const medium = await loadMedium(context.catalog.db, context.params.mediumId)
  if (medium.protocol === 'local') return null
  const { id: mediumId, hostId, nodeId, poolId, sourceId } = medium
  const exportName = context.results.serve.exportName ?? mediumId
  const nbd = await services.targets.medium({
    hostId,
    nodeId,
    poolId,
    sourceId,
    mediumId,
    exportName,
  })
  const order = { mediumId, readOnly: medium.readOnly === 1, mountPath: medium.mountPath, nbd }
  return context.orders.order(hostId, 'medium.attach', order, {
    key: context.key(),
    timeoutMs: ORDER_TIMEOUT_MS,
    signal: context.signal,
  })
}

export function makePlug(services: KindServices): JobDefinition {
  return defineJob<PlugParams, PlugResults>({
    kind: 'plug',
    params,
    slots: ({ mediumId }) => [`medium:${mediumId}`],
    steps: [
      {
        name: 'serve',
        run: serve,
        apply: (trx, { params: { mediumId }, clock }, result) =>
          changeMedium(trx, mediumId, { poolMediumId: result.poolMediumId }, clock),
        undo: async (context) => {
          const {
            id: mediumId,
            nodeId,
            poolId,
          } = await loadMedium(context.catalog.db, context.params.mediumId)
          const order = { mediumId, poolId, force: true }
          const options = { key: context.key(), timeoutMs: ORDER_TIMEOUT_MS }
          await context.orders.order(nodeId, 'medium.withdraw', order, options)
        },
      },
      {
        name: 'attach',
        run: (context) => attach(services, context),
        apply: (trx, { params: { mediumId }, results, clock }, result) => {
          const { device, mountPath } = result ?? results.serve
          const place = { state: 'plugged', device, mountPath } as const
          // A second try of one that had failed: it has not ended after all.
          const changes = { ...place, problemJson: null, endedAt: null }
          return changeMedium(trx, mediumId, changes, clock)
        },
        undo: async (context) => {
          const medium = await loadMedium(context.catalog.db, context.params.mediumId)
          if (medium.protocol === 'local') return
          const order = { mediumId: medium.id, force: true }
          const options = { key: context.key(), timeoutMs: ORDER_TIMEOUT_MS }
          await context.orders.order(medium.hostId, 'medium.detach', order, options)
        },
      },
    ],
    // A person waits: better to hear soon that a host is away than to wait for it.
    attemptMax: 2,
    deadlineMs: 15 * 60_000,
    conclude: ({ serve: served, attach: attached }) => ({
      result: {
        device: attached?.device ?? served.device,
        mountPath: attached?.mountPath ?? served.mountPath,
      },
    }),
    ended: async (trx, { params: { mediumId }, clock }, { state, problem }) => {
      if (state === 'succeeded' || state === 'warning') return
      const ended = state === 'cancelled' ? 'ejected' : 'failed'
      const changes = { state: ended, endedAt: clock.wallMs(), device: null } as const
      await changeMedium(trx, mediumId, { ...changes, problemJson: problemOf(problem) }, clock)
    },
  })
}

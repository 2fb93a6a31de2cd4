/** restore: files or a disk of a point are copied back to a host. */
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import type { Result } from '@openmaas/protocols/channel/orders'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { nodeOfPool } from './choose-pool.ts'
import { DATA_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

/** As the order has it. */
const PATHS_MAX = 10_000
const RESTORE_PRIORITY = 50
/** Data connections of a restore: somebody waits for it. */
const CHANNELS = 4

const params = z.object({
  pointId: z.string(),
  hostId: z.string(),
  paths: z.array(z.string()).max(PATHS_MAX),
  to: z.string(),
  conflict: z.enum(['fail', 'skip', 'overwrite', 'rename']),
  bytesPerSecond: z.number().nullable(),
})
type RestoreParams = z.infer<typeof params>
interface RestoreResults {
  readonly restore: Result<'point.restore'>
}

export function restoreRequest(
  point: {
    readonly id: string
    readonly sourceId: string
    readonly poolId: string
    readonly labelsJson: string
  },
  options: Omit<RestoreParams, 'pointId'> & { readonly actor: string },
): JobRequest {
  const { actor, ...rest } = options
  return {
    kind: 'restore',
    params: { pointId: point.id, ...rest },
    actor,
    priority: RESTORE_PRIORITY,
    pointId: point.id,
    sourceId: point.sourceId,
    poolId: point.poolId,
    hostId: rest.hostId,
    labels: JSON.parse(point.labelsJson) as Record<string, string>,
  }
}

async function restore(
  services: KindServices,
  context: StepContext<RestoreParams, RestoreResults>,
): Promise<Result<'point.restore'>> {
  const { pointId, hostId, paths, to, conflict, bytesPerSecond } = context.params
  const { db } = context.catalog
  const point = await db
    .selectFrom('point')
    .select(['sourceId', 'poolId', 'snapshotId', 'kind', 'state'])
    .where('id', '=', pointId)
    .executeTakeFirst()
  if (point?.state !== 'available') {
    throw new MaasError('POINT_NOT_AVAILABLE', 'the point is not available', { pointId })
  }
  const { sourceId, poolId, snapshotId, kind } = point
  const target = await services.targets.target({
    purpose: 'restore',
    hostId,
    nodeId: await nodeOfPool(db, poolId),
    poolId,
    sourceId,
    snapshotIds: [snapshotId],
    channels: CHANNELS,
  })
  const order = { sourceId, snapshotId, kind, paths, to, conflict, target, bytesPerSecond }
  const result = await context.orders.order(
    hostId,
    'point.restore',
    { ...order, dryRun: false },
    {
      key: context.key(),
      timeoutMs: DATA_TIMEOUT_MS,
      signal: context.signal,
      onProgress: context.progress,
    },
  )
  for (const { path, code, message } of result.warnings.slice(0, 100)) {
    context.log('warning', code, `${path}: ${message}`)
  }
  return result
}

export function makeRestore(services: KindServices): JobDefinition {
  return defineJob<RestoreParams, RestoreResults>({
    kind: 'restore',
    params,
    slots: ({ hostId }) => [`host:${hostId}`],
    // Not undone: what was restored is whole files, and taking them away again helps nobody.
    steps: [{ name: 'restore', run: (context) => restore(services, context) }],
    attemptMax: 2,
    deadlineMs: DATA_TIMEOUT_MS,
    conclude: ({ restore: result }) => ({
      warning: result.warningCount > 0,
      result: { ...result, warnings: result.warnings.slice(0, 20) },
    }),
  })
}

/**
 * protect: a new recovery point of a source. The job's id is the request id of its capture, so
 * asking twice makes one snapshot.
 */
import type { Result } from '@openmaas/protocols/channel/orders'
import { recordOutcome } from '../../schedule/outcome.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { prepareCapture, protectParams } from './prepare-capture.ts'
import type { Prepared, ProtectParams } from './prepare-capture.ts'
import { makeProtectRequest } from './protect-request.ts'
import type { ProtectWish, SourceToProtect } from './protect-request.ts'
import { recordPoint } from './record-point.ts'
import { DATA_TIMEOUT_MS, ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

/** Set by the node on what it stores: the request that it was made for. */
const REQUEST_TAG = 'openmaas.request'
/** Snapshots that came after the parent while this job ran. */
const STRAY_PAGE = 1000
const STRAY_PAGES_MAX = 20

interface ProtectResults {
  readonly prepare: Prepared
  readonly capture: Result<'source.capture'>
}
type Context = StepContext<ProtectParams, ProtectResults>

/** What `engine.enqueue` takes to protect this source. */
export function protectRequest(source: SourceToProtect, wish: ProtectWish): JobRequest {
  return makeProtectRequest('protect', source, wish)
}

async function capture(
  services: KindServices,
  context: Context,
): Promise<Result<'source.capture'>> {
  const { sourceId, hostId } = context.params
  const prepared = context.results.prepare
  const { parentSnapshotId, poolId, nodeId, channels } = prepared
  const target = await services.targets.target({
    purpose: 'capture',
    hostId,
    nodeId,
    poolId,
    sourceId,
    snapshotIds: parentSnapshotId === null ? [] : [parentSnapshotId],
    channels,
  })
  const order = {
    sourceId,
    sourceName: prepared.sourceName,
    kind: prepared.kind,
    path: prepared.path,
    rules: prepared.rules,
    target,
    parentSnapshotId,
    requestId: context.job.id,
    tags: prepared.tags,
    lockUntil: prepared.lockUntil,
    bytesPerSecond: prepared.bytesPerSecond,
  }
  const result = await context.orders.order(hostId, 'source.capture', order, {
    key: context.key(),
    timeoutMs: DATA_TIMEOUT_MS,
    signal: context.signal,
    onProgress: context.progress,
  })
  context.waits(result.waits)
  for (const { path, code, message } of result.warnings.slice(0, 100)) {
    context.log('warning', code, `${path}: ${message}`)
  }
  return result
}

/** Takes back a snapshot that the job may have made although its answer was lost. */
async function removeSnapshot(
  context: Context,
  result: Result<'source.capture'> | null,
): Promise<void> {
  const { poolId, nodeId, parentSnapshotId } = context.results.prepare
  const ids = result === null ? [] : [result.snapshotId]
  const options = { timeoutMs: ORDER_TIMEOUT_MS }
  let after = parentSnapshotId
  for (let page = 0; result === null && page < STRAY_PAGES_MAX; page += 1) {
    const answer = await context.orders.order(
      nodeId,
      'pool.snapshots',
      { poolId, after, limit: STRAY_PAGE },
      { ...options, key: context.key(`look-${page}`) },
    )
    const own = answer.snapshots.filter((row) => row.tags[REQUEST_TAG] === context.job.id)
    ids.push(...own.map((row) => row.snapshotId))
    after = answer.snapshots.at(-1)?.snapshotId ?? null
    if (!answer.more || after === null) break
  }
  if (ids.length === 0) return
  const deletion = { poolId, snapshotIds: ids }
  await context.orders.order(nodeId, 'pool.delete', deletion, { ...options, key: context.key() })
}
export function makeProtect(services: KindServices): JobDefinition {
  return defineJob<ProtectParams, ProtectResults>({
    kind: 'protect',
    params: protectParams,
    slots: ({ sourceId, hostId, poolId }) => [
      `source:${sourceId}`,
      `host:${hostId}`,
      // Of a first capture nobody knows yet where it goes: those share the slots of one pool.
      `pool:${poolId ?? 'any'}`,
    ],
    steps: [
      { name: 'prepare', run: prepareCapture },
      {
        name: 'capture',
        run: (context) => capture(services, context),
        apply: async (trx, context, result) => {
          await recordPoint(services, trx, context, result)
        },
        undo: removeSnapshot,
      },
    ],
    attemptMax: 4,
    deadlineMs: DATA_TIMEOUT_MS,
    conclude: ({ prepare: { poolId }, capture: result }) => ({
      warning: result.warningCount > 0,
      result: { ...result, poolId, warnings: result.warnings.slice(0, 20) },
    }),
    ended: (trx, { params: { sourceId }, job, clock }, { state }) =>
      recordOutcome(trx, { sourceId, purpose: 'protect', jobId: job.id, state, clock }),
  })
}

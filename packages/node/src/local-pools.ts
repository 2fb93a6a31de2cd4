/**
 * Capture and restore for the agent that lives in the node's own process: straight into the open
 * pool, without a wire. Same orders, same answers as over the data wire.
 */
import { randomUUID } from 'node:crypto'
import process from 'node:process'
import { captureTree } from '@openmaas/agent/capture/capture-tree'
import { captureVolume } from '@openmaas/agent/capture/capture-volume'
import type { CaptureOptions, CaptureResult } from '@openmaas/agent/capture/types'
import { restoreTree } from '@openmaas/agent/restore/restore-tree'
import { restoreVolume } from '@openmaas/agent/restore/restore-volume'
import { assert } from '@openmaas/kernel/assert'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { bootId } from '@openmaas/kernel/sysinfo'
import { PoolReader } from '@openmaas/pool/pool/reader'
import type { SnapshotRow } from '@openmaas/pool/pool/types'
import type {
  CheckedParams,
  OrderHandlers,
  OrderProgress,
  Result,
} from '@openmaas/protocols/channel/orders'
import type { Node } from './node.ts'
import { requireSnapshot } from './node.ts'
import type { OpenPool } from './open-pool.ts'
import { throttle } from './progress.ts'
import { REQUEST_TAG, SOURCE_TAG } from './snapshot-catalog.ts'

type Handler<V extends keyof OrderHandlers> = NonNullable<OrderHandlers[V]>

/** What agent/session asks for as `local`. */
export interface LocalPools {
  readonly capture: Handler<'source.capture'>
  readonly restore: Handler<'point.restore'>
}

export function makeLocalPools(node: Node): LocalPools {
  return {
    capture: async (params, { signal, progress }) => {
      assert(params.target.kind === 'local', 'an order for a pool of this process')
      const pool = await node.pool(params.target.poolId)
      const done = pool.snapshots.ofRequest(params.sourceId, params.requestId)
      if (done !== undefined) return describeDone(pool, done)
      const report = throttle(progress)
      const options: CaptureOptions = {
        ...captureOptions(pool, params),
        signal,
        onProgress: (now) => report(captureProgress(now)),
      }
      const volume = params.kind === 'disk'
      return describeCapture(await (volume ? captureVolume(options) : captureTree(options)))
    },
    restore: async (params, { signal, progress }) => {
      assert(params.target.kind === 'local', 'an order for a pool of this process')
      const pool = await node.pool(params.target.poolId)
      const { row } = requireSnapshot(pool, params.snapshotId)
      const report = throttle(progress)
      return withReader(pool, row, async (reader) => {
        const restore = row.kind === 'volume' ? restoreVolume : restoreTree
        const result = await restore({
          reader,
          snapshot: row,
          target: params.to,
          paths: params.paths,
          conflict: params.conflict,
          dryRun: params.dryRun,
          ...(params.bytesPerSecond !== null && { bytesPerSecond: params.bytesPerSecond }),
          signal,
          onProgress: ({ phase, bytes, bytesTotal, entries }) =>
            report({ phase, bytesDone: bytes, bytesTotal, itemsDone: entries }),
        })
        const { files, bytes } = result.progress
        const warnings = result.warnings.map((each) => ({ ...each, code: 'restore' }))
        return { files, bytes, warningCount: result.warningCount, warnings }
      })
    },
  }
}

function captureOptions(pool: OpenPool, params: CheckedParams<'source.capture'>): CaptureOptions {
  const { sourceId, requestId, parentSnapshotId, lockUntil, rules, bytesPerSecond } = params
  const parent = pool.snapshots.parentOf(sourceId, parentSnapshotId)
  return {
    pool: pool.pool,
    path: params.path,
    name: params.sourceName,
    rules,
    tags: { ...params.tags, [SOURCE_TAG]: sourceId, [REQUEST_TAG]: requestId },
    // One of another kind is no parent: the source has been given another kind since.
    parent: parent?.kind === (params.kind === 'disk' ? 'volume' : 'tree') ? parent.id : 'none',
    ...(bytesPerSecond !== null && { bytesPerSecond }),
    ...(lockUntil !== null && { lockUntil: new Date(lockUntil) }),
  }
}

/** Reads without the lock, and pinned: a collection may run meanwhile. */
async function withReader<T>(
  { pool, access }: OpenPool,
  row: SnapshotRow,
  work: (reader: PoolReader) => Promise<T>,
): Promise<T> {
  const id = `restore:${randomUUID()}`
  await pool.pin({ id, kind: 'reader', snapshots: [row.id], pid: process.pid, bootId: bootId() })
  try {
    const { path, masterKey, clock } = access
    const reader = await PoolReader.open({ path, unlock: { masterKey }, fs: new NodeFs(), clock })
    try {
      return await work(reader)
    } finally {
      reader.close()
    }
  } finally {
    await pool.unpin(id)
  }
}

function captureProgress(now: CaptureResult['progress']): OrderProgress {
  const { phase, bytes, bytesExpected, entries } = now
  return { phase, bytesDone: bytes, bytesTotal: bytesExpected ?? null, itemsDone: entries }
}

/** Lanes of this process do everything one after the other: nobody waits for another part. */
const NO_WAITS = { source: 0, network: 0, pool: 0, cpu: 0 }

export function describeCapture(result: CaptureResult): Result<'source.capture'> {
  const { snapshot, weights, progress, warningCount, warnings } = result
  return {
    snapshotId: snapshot.id,
    kind: snapshot.kind,
    takenAt: snapshot.createdAt.getTime(),
    sizeBytes: weights.bytes,
    addedBytes: progress.storedBytes,
    readBytes: progress.bytesRead,
    itemCount: weights.names,
    warningCount,
    warnings: warnings.map(({ kind, path, message }) => ({ path, code: kind, message })),
    waits: NO_WAITS,
  }
}

/** Asked a second time: what the first time made, as far as the pool still knows it. */
export function describeDone(pool: OpenPool, row: SnapshotRow): Result<'source.capture'> {
  const { kind, takenAt, sizeBytes, addedBytes, itemCount, warningCount } =
    pool.snapshots.describe(row)
  return {
    snapshotId: row.id,
    kind,
    takenAt,
    sizeBytes,
    addedBytes,
    readBytes: 0,
    itemCount,
    warningCount,
    warnings: [],
    waits: NO_WAITS,
  }
}

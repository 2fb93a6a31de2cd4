/**
 * Stores what a request froze as a snapshot of its own. In a thread: it takes as long as reading
 * what was written. Until the commit there is nothing but packs that the next collection takes.
 */
import { hostname } from 'node:os'
import { Worker } from 'node:worker_threads'
import { reviveError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { SnapshotId } from '@openmaas/kernel/ids'
import type { Freeze, MediumRecord } from '@openmaas/medium/media/record'
import type { SnapshotDescription } from '@openmaas/medium/stack/build-stack'
import type { Session } from '@openmaas/pool/pool/session'
import type { SnapshotRow } from '@openmaas/pool/pool/types'
import type { CheckedParams } from '@openmaas/protocols/channel/orders'
import type { OpenPool } from '../open-pool.ts'
import { type ReportProgress, throttle } from '../progress.ts'
import { MEDIUM_TAG, REQUEST_TAG } from '../snapshot-catalog.ts'
import type { FromSealer, Sealed, SealRequest } from './seal-worker.ts'

export interface SealOptions {
  readonly record: MediumRecord
  readonly freeze: Freeze
  readonly order: CheckedParams<'medium.seal'>
  readonly signal: AbortSignal
  readonly progress: ReportProgress
}

export interface Stored {
  readonly row: SnapshotRow
  readonly sealed: Sealed
}

/** @throws MaasError CANCELLED, SNAPSHOT_NOT_FOUND, OVERLAY_INVALID, POOL_*, FS_* */
export async function sealFrozen(open: OpenPool, options: SealOptions): Promise<Stored> {
  const { freeze, order, record } = options
  const { pool } = open
  const base = requireKept(open, freeze.snapshotId)
  // A base that was deleted stays as long as the medium's pin; it cannot be a parent any more.
  const session = pool.openSession(base.isLive ? { parent: freeze.snapshotId } : {})
  try {
    const { freeBytes } = record
    const snapshot = { ...base.snapshot, ...(freeBytes !== undefined && { freeBytes }) }
    const sealed = await runSealer(open, session, { ...options, snapshot })
    const { newBytes, storedBytes } = sealed
    const { lockUntil } = order
    const row = await session.commit(
      {
        ...sealed.manifest,
        source: { name: order.sourceName, host: hostname(), path: record.id },
        startedAt: new Date(freeze.frozenAt).toISOString(),
        endedAt: new Date(open.access.clock.wallMs()).toISOString(),
        root: sealed.root,
        summary: { ...sealed.manifest.summary, newBytes, storedBytes },
        status: 'complete',
        ...(base.isLive && { parent: freeze.snapshotId }),
        tags: { ...order.tags, [REQUEST_TAG]: order.requestId, [MEDIUM_TAG]: order.mediumId },
        ...(lockUntil !== null && { lockedUntil: new Date(lockUntil).toISOString() }),
      },
      lockUntil === null ? {} : { lockUntil: pool.lockTime(new Date(lockUntil)) },
    )
    return { row, sealed }
  } catch (error) {
    session.abort()
    throw error
  }
}

/** A point that is there, or that a pin keeps after it was deleted. */
function requireKept(
  { pool }: OpenPool,
  id: SnapshotId,
): { readonly snapshot: SnapshotDescription; readonly isLive: boolean } {
  const live = pool.snapshots().find((row) => row.id === id)
  const row = live ?? pool.core.state.pinnedSnapshots().find((each) => each.id === id)
  if (row === undefined) {
    throw new MaasError('SNAPSHOT_NOT_FOUND', 'the point of the medium is gone', { id })
  }
  return { snapshot: { kind: row.kind, root: row.root }, isLive: live !== undefined }
}

async function runSealer(
  open: OpenPool,
  session: Session,
  options: SealOptions & { readonly snapshot: SnapshotDescription },
): Promise<Sealed> {
  const { freeze, snapshot, signal, progress } = options
  const stop = new Int32Array(new SharedArrayBuffer(4))
  const cancel = (): void => void Atomics.store(stop, 0, 1)
  const report = throttle(progress)
  const workerData: SealRequest = {
    brick: open.path,
    reader: open.pool.readerHandoff(),
    session: session.laneHandoff(),
    snapshot,
    layers: freeze.layers,
    stop: stop.buffer as SharedArrayBuffer,
  }
  signal.addEventListener('abort', cancel)
  if (signal.aborted) cancel()
  try {
    const worker = new Worker(new URL('./seal-worker.ts', import.meta.url), { workerData })
    return await new Promise((resolve, reject) => {
      worker.on('message', (message: FromSealer) => {
        if (message.kind === 'sealed') session.packSealed(message.pack)
        else if (message.kind === 'progress') {
          const { bytesDone, itemsDone } = message
          report({ phase: 'sealing', bytesDone, bytesTotal: null, itemsDone })
        } else if (message.kind === 'done') resolve(message.result)
        else reject(reviveError(message.error))
      })
      worker.on('error', reject)
      worker.on('exit', () => reject(new MaasError('INTERNAL', 'a seal ended without a word')))
    })
  } finally {
    signal.removeEventListener('abort', cancel)
  }
}

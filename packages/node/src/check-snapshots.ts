/**
 * Checks some snapshots of a pool: every node and list is read and compared with what its parent
 * says of it, and every byte of the files when asked. In a thread: it takes as long as reading.
 */
import { randomUUID } from 'node:crypto'
import process from 'node:process'
import { Worker } from 'node:worker_threads'
import { reviveError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import { bootId } from '@openmaas/kernel/sysinfo'
import type { Pool } from '@openmaas/pool/pool/pool'
import type { SnapshotRow } from '@openmaas/pool/pool/types'
import type { Result } from '@openmaas/protocols/channel/orders'
import type { CheckRequest, FromChecker } from './check-worker.ts'
import { type ReportProgress, throttle } from './progress.ts'

export interface CheckOptions {
  readonly data: boolean
  readonly signal: AbortSignal
  readonly progress: ReportProgress
}

/** @throws MaasError CANCELLED; damage is in the answer, not an error */
export async function checkSnapshots(
  pool: Pool,
  rows: readonly SnapshotRow[],
  { data, signal, progress }: CheckOptions,
): Promise<Result<'pool.check'>> {
  const stop = new Int32Array(new SharedArrayBuffer(4))
  const request: CheckRequest = {
    reader: pool.readerHandoff(),
    snapshots: rows.map(({ id, kind, root, chunkCount }) => ({ id, kind, root, chunkCount })),
    data,
    stop: stop.buffer as SharedArrayBuffer,
  }
  const report = throttle(progress)
  const cancel = (): void => void Atomics.store(stop, 0, 1)
  signal.addEventListener('abort', cancel)
  if (signal.aborted) cancel()
  // Held while they are read: a collection must not take what is being checked.
  const id = `check:${randomUUID()}`
  const snapshots = rows.map((row) => row.id)
  await pool.pin({ id, kind: 'reader', snapshots, pid: process.pid, bootId: bootId() })
  try {
    const worker = new Worker(new URL('./check-worker.ts', import.meta.url), {
      workerData: request,
    })
    return await new Promise((resolve, reject) => {
      worker.on('message', (message: FromChecker) => {
        if (message.kind === 'progress') {
          const { bytesDone, itemsDone } = message
          report({ phase: 'checking', bytesDone, bytesTotal: null, itemsDone })
        } else if (message.kind === 'done') resolve(message.result)
        else reject(reviveError(message.error))
      })
      worker.on('error', reject)
      worker.on('exit', () => reject(new MaasError('INTERNAL', 'a check ended without a word')))
    })
  } finally {
    signal.removeEventListener('abort', cancel)
    await pool.unpin(id)
  }
}

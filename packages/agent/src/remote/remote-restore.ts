/** Restores from a node's pool on another machine, in a thread of its own. */
import { Worker } from 'node:worker_threads'
import { reviveError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { CheckedParams, Result } from '@openmaas/protocols/channel/orders'
import { PROGRESS_INTERVAL_MS, type RemoteContext } from './captured.ts'
import type { FromRestore, RestoreRequest } from './restore-thread.ts'

/** A restore that waits for a node does not hear that it was cancelled: then it is ended. */
const CANCEL_WAIT_MS = 4_000

/**
 * @throws MaasError DATA_UNREACHABLE, TICKET_*, RESTORE_*, CANCELLED, FS_*; what stands under its
 *   own name in the target is complete then, and a second run goes on
 */
export async function remoteRestore(
  params: CheckedParams<'point.restore'>,
  { identity, signal, progress }: RemoteContext,
): Promise<Result<'point.restore'>> {
  const cancelled = new MaasError('CANCELLED', 'the restore was cancelled')
  if (signal.aborted) throw cancelled
  const worker = new Worker(new URL('./restore-thread.ts', import.meta.url), {
    workerData: { params, identity } satisfies RestoreRequest,
  })
  let timer: NodeJS.Timeout | undefined
  const cancel = (): void => {
    worker.postMessage('cancel')
    timer = setTimeout(() => void worker.terminate(), CANCEL_WAIT_MS)
  }
  signal.addEventListener('abort', cancel)
  let lastMs = -Infinity
  try {
    return await new Promise((resolve, reject) => {
      worker.on('message', (message: FromRestore) => {
        if (message.kind === 'done') resolve(message.result)
        else if (message.kind === 'failed') reject(reviveError(message.error))
        else if (performance.now() - lastMs >= PROGRESS_INTERVAL_MS) {
          lastMs = performance.now()
          progress(message.progress)
        }
      })
      worker.on('error', reject)
      worker.on('exit', () => {
        reject(signal.aborted ? cancelled : new MaasError('INTERNAL', 'a restore ended silently'))
      })
    })
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', cancel)
  }
}

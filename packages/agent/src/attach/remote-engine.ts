/**
 * Serves a medium of another node as a file of this machine: FUSE on one side, an NBD client over
 * TLS on the other. Many requests are under way at once.
 *
 *   /dev/fuse ──▶ reader thread ──slot of shared memory──▶ this thread ──NBD──▶ node
 *       ◀──────────────────────── answer ─────────────────────┘
 *
 * Whoever dies: this process (the keeper starts another, the kernel sends again what was not
 * answered), the node or the line (the NBD client reconnects and sends again). A write is answered
 * only when the node's engine has it, so nothing is lost in between.
 */
import { Worker } from 'node:worker_threads'
import type { BlockDevice } from '@openmaas/kernel/block-device'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { E } from '@openmaas/kernel/posix/constants'
import { write } from '@openmaas/kernel/posix/files'
import { posixError } from '@openmaas/kernel/posix/library'
import { FUSE_REQUEST_MAX } from '@openmaas/protocols/fuse/constants'
import { FuseDiskServer } from '@openmaas/protocols/fuse/disk-server'
import { resendUnanswered } from '@openmaas/protocols/fuse/serve-descriptor'
import type { FromFuseReader, FuseReaderStart } from './fuse-reader-thread.ts'

/** Requests under way: 32 MiB of memory. The kernel sends 64 at most. */
export const SLOTS = 32

export interface RemoteEngineOptions {
  readonly fuseFd: number
  readonly device: BlockDevice
  /** After a restart: the kernel is asked for what was not answered. */
  readonly takesOver: boolean
  readonly onFailure: (operation: string, error: unknown) => void
}

export interface RemoteEngine {
  /** Resolves when the file system has been unmounted. */
  readonly ended: Promise<void>
  counters(): { requests: number; failures: number }
}

export function serveRemote(options: RemoteEngineOptions): RemoteEngine {
  const { fuseFd, device } = options
  const memory = new SharedArrayBuffer(SLOTS * FUSE_REQUEST_MAX)
  let [requests, failures] = [0, 0]
  const server = new FuseDiskServer(device, {
    waits: true,
    onFailure: (error, operation) => {
      failures += 1
      options.onFailure(operation, error)
    },
  })
  const reader = new Worker(new URL('./fuse-reader-thread.ts', import.meta.url), {
    workerData: { fd: fuseFd, memory } satisfies FuseReaderStart,
  })
  const serve = async (slot: number, length: number): Promise<void> => {
    requests += 1
    const request = Buffer.from(memory, slot * FUSE_REQUEST_MAX, length)
    const reply = await server.answer(request)
    if (reply !== undefined) sendReply(fuseFd, reply)
    reader.postMessage(slot)
  }
  const ended = new Promise<void>((resolve, reject) => {
    reader.on('message', (message: FromFuseReader) => {
      if (message.kind === 'request') serve(message.slot, message.length).catch(reject)
      else resolve()
    })
    reader.on('error', reject)
    reader.on('exit', () => resolve())
  })
  if (options.takesOver) resendUnanswered(fuseFd)
  return { ended, counters: () => ({ requests, failures }) }
}

/** ENOENT: the request was interrupted meanwhile, nobody waits for its answer. */
function sendReply(fd: number, reply: Buffer): void {
  for (;;) {
    const written = write(fd, reply)
    if (written === -E.EINTR) continue
    if (written >= 0 || written === -E.ENOENT || written === -E.ENODEV) return
    throw posixError(-written, 'write to /dev/fuse')
  }
}

export function describeFailure(operation: string, error: unknown): string {
  return `${JSON.stringify({ operation, ...errorToMessage(error) })}\n`
}

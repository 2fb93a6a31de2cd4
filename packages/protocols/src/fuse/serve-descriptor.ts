/**
 * Serves FUSE requests from an open /dev/fuse descriptor, synchronously, until the file system
 * is unmounted or the caller says stop. Run it in a worker thread; several threads may serve the
 * same descriptor, each with a server of its own.
 *
 * The descriptor is non-blocking: a thread waits in poll with a time limit, so that a request to
 * stop is seen without a signal.
 */
import { MaasError } from '@openmaas/kernel/errors'
import { E } from '@openmaas/kernel/posix/constants'
import { read, write } from '@openmaas/kernel/posix/files'
import { posixError } from '@openmaas/kernel/posix/library'
import { poll, POLLIN } from '@openmaas/kernel/posix/process'
import { FUSE_REQUEST_MAX } from './constants.ts'
import { type FuseDiskServer, resendRequest } from './disk-server.ts'

/** How long a thread waits before it looks whether to stop; bounds the time of a stop. */
const POLL_MS = 500

export interface ServeOptions {
  readonly fd: number
  /** Readable when it is time to look whether to stop; nothing is read from it. */
  readonly wakeFd?: number
  readonly server: FuseDiskServer
  /** Asked between requests and at least twice a second. */
  readonly shouldStop: () => boolean
  /** Called before each request is taken: the place to wait while the device is exchanged. */
  readonly beforeRequest?: () => void
}

/**
 * @returns why it ended
 * @throws MaasError FUSE_PROTOCOL_VIOLATION, or FS_* when the descriptor fails otherwise
 */
export function serveDescriptor(options: ServeOptions): 'unmounted' | 'stopped' {
  const request = Buffer.alloc(FUSE_REQUEST_MAX)
  const ready: number[] = []
  const waited = [options.fd, ...(options.wakeFd === undefined ? [] : [options.wakeFd])]
  const polled = waited.map((fd) => ({ fd, events: POLLIN }))
  for (;;) {
    if (options.shouldStop()) return 'stopped'
    options.beforeRequest?.()
    const length = read(options.fd, request)
    if (length === -E.EAGAIN) {
      poll(polled, POLL_MS, ready)
      continue
    }
    // ENOENT: the request was interrupted before anyone took it.
    if (length === -E.EINTR || length === -E.ENOENT) continue
    if (length === -E.ENODEV) return 'unmounted'
    if (length < 0) throw posixError(-length, 'read of /dev/fuse')
    const reply = options.server.answer(request.subarray(0, length))
    if (reply === undefined) continue
    if (reply instanceof Promise) {
      throw new MaasError('INTERNAL', 'a device that waits cannot be served synchronously')
    }
    sendReply(options.fd, reply)
  }
}

/** ENOENT says that the request was interrupted meanwhile: nobody waits for its answer. */
function sendReply(fd: number, reply: Buffer): void {
  for (;;) {
    const written = write(fd, reply)
    if (written === -E.EINTR) continue
    if (written >= 0 || written === -E.ENOENT || written === -E.ENODEV) return
    throw posixError(-written, 'write to /dev/fuse')
  }
}

/**
 * Asks the kernel for the unanswered requests of a server that died.
 *
 * @returns false when this kernel cannot (before Linux 6.9): those requests stay unanswered
 */
export function resendUnanswered(fd: number): boolean {
  const written = write(fd, resendRequest())
  if (written >= 0) return true
  if (written === -E.EINVAL) return false
  throw posixError(-written, 'write to /dev/fuse')
}

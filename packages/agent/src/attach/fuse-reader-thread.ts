/**
 * Reads requests from /dev/fuse into slots of shared memory. Synchronous: it sleeps in poll, and
 * while no slot is free.
 */
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { assert } from '@openmaas/kernel/assert'
import { E } from '@openmaas/kernel/posix/constants'
import { read } from '@openmaas/kernel/posix/files'
import { posixError } from '@openmaas/kernel/posix/library'
import { poll, POLLIN } from '@openmaas/kernel/posix/process'
import { FUSE_REQUEST_MAX } from '@openmaas/protocols/fuse/constants'

export interface FuseReaderStart {
  readonly fd: number
  readonly memory: SharedArrayBuffer
}

export type FromFuseReader =
  | { readonly kind: 'request'; readonly slot: number; readonly length: number }
  | { readonly kind: 'unmounted' }

/** Bounds how long a slot that has become free goes unseen; requests wake it at once. */
const POLL_MS = 500
/** While every slot is in use. */
const FULL_PAUSE_MS = 1

assert(parentPort !== null, 'this module runs in a worker thread')
const port = parentPort
const { fd, memory } = workerData as FuseReaderStart
const bytes = Buffer.from(memory)
const free = Array.from({ length: memory.byteLength / FUSE_REQUEST_MAX }, (_, slot) => slot)
const pause = new Int32Array(new SharedArrayBuffer(4))
const ready: number[] = []

function takeBack(): void {
  for (;;) {
    const message = receiveMessageOnPort(port) as { message: number } | undefined
    if (message === undefined) return
    free.push(message.message)
  }
}

for (;;) {
  takeBack()
  const slot = free.at(-1)
  if (slot === undefined) {
    Atomics.wait(pause, 0, 0, FULL_PAUSE_MS)
    continue
  }
  const start = slot * FUSE_REQUEST_MAX
  const length = read(fd, bytes.subarray(start, start + FUSE_REQUEST_MAX))
  if (length === -E.EAGAIN) {
    poll([{ fd, events: POLLIN }], POLL_MS, ready)
    continue
  }
  // ENOENT: the request was interrupted before anyone took it.
  if (length === -E.EINTR || length === -E.ENOENT) continue
  if (length === -E.ENODEV) break
  if (length < 0) throw posixError(-length, 'read of /dev/fuse')
  free.pop()
  port.postMessage({ kind: 'request', slot, length } satisfies FromFuseReader)
}
port.postMessage({ kind: 'unmounted' } satisfies FromFuseReader)
port.close()

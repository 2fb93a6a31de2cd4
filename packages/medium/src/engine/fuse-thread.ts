/**
 * One thread of the engine: builds its own device stack over what the threads share, then reads
 * requests from /dev/fuse, serves and answers them, one after another, until told to stop.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '@openmaas/kernel/assert'
import { errorToMessage } from '@openmaas/kernel/errors'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { FuseDiskServer } from '@openmaas/protocols/fuse/disk-server'
import { serveDescriptor } from '@openmaas/protocols/fuse/serve-descriptor'
import { DeviceStack } from '../stack/device-stack.ts'
import { type FuseThreadMessage, type FuseThreadStart, SLOT } from './thread-messages.ts'

const start = workerData as FuseThreadStart
const port = parentPort
assert(port !== null, 'the FUSE thread is started as a worker')
const control = new Int32Array(start.control)
const device = DeviceStack.open(start.stack, { fs: new NodeFs() })
try {
  const server = new FuseDiskServer(device, {
    onFailure: (error, operation) => {
      Atomics.add(control, SLOT.failures, 1)
      port.postMessage({ kind: 'failure', operation, error: errorToMessage(error) })
    },
  })
  const reason = serveDescriptor({
    fd: start.fd,
    server,
    shouldStop: () => Atomics.load(control, SLOT.stop) !== 0,
    beforeRequest: () => void Atomics.add(control, SLOT.requests, 1),
  })
  port.postMessage({ kind: 'end', reason } satisfies FuseThreadMessage)
} finally {
  device.close()
}

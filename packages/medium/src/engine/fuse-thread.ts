/**
 * One thread of the engine: waits to be told what to serve, builds its own device stack over what
 * the threads share, then reads requests from /dev/fuse, serves and answers them, one after
 * another, until told to stop.
 */
import { parentPort } from 'node:worker_threads'
import { assert } from '@openmaas/kernel/assert'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { FuseDiskServer } from '@openmaas/protocols/fuse/disk-server'
import { serveDescriptor } from '@openmaas/protocols/fuse/serve-descriptor'
import { DeviceStack } from '../stack/device-stack.ts'
import { type FuseThreadMessage, type FuseThreadStart, SLOT } from './thread-messages.ts'

const port = parentPort
assert(port !== null, 'the FUSE thread is started as a worker')

function serve(start: FuseThreadStart): FuseThreadMessage {
  const control = new Int32Array(start.control)
  const device = DeviceStack.open(start.stack, { fs: new NodeFs() })
  try {
    const server = new FuseDiskServer(device, {
      onFailure: (error, operation) => {
        Atomics.add(control, SLOT.failures, 1)
        port!.postMessage({ kind: 'failure', operation, error: errorToMessage(error) })
      },
    })
    const reason = serveDescriptor({
      fd: start.fd,
      server,
      shouldStop: () => Atomics.load(control, SLOT.stop) !== 0,
      beforeRequest: () => void Atomics.add(control, SLOT.requests, 1),
    })
    return { kind: 'end', reason }
  } finally {
    device.close()
  }
}

// Serving blocks the thread: one message is all it ever takes.
port.once('message', (start: FuseThreadStart) => {
  port.postMessage(serve(start))
  port.close()
})

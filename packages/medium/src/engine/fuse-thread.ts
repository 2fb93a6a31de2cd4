/**
 * One thread of the engine: waits to be told what to serve, builds its own device stack over what
 * the threads share, then reads requests from /dev/fuse, serves and answers them, one after
 * another, until told to stop. Then it waits for the next stack, with its code warm.
 */
import { parentPort } from 'node:worker_threads'
import { assert } from '@openmaas/kernel/assert'
import type { BlockDevice } from '@openmaas/kernel/block-device'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { Throttle } from '@openmaas/kernel/throttle'
import { FuseDiskServer } from '@openmaas/protocols/fuse/disk-server'
import { serveDescriptor } from '@openmaas/protocols/fuse/serve-descriptor'
import { DeviceStack } from '../stack/device-stack.ts'
import { passAsleep, ThrottledDevice } from '../stack/throttled-device.ts'
import { type FuseThreadMessage, type FuseThreadStart, SLOT } from './thread-messages.ts'

const port = parentPort
assert(port !== null, 'the FUSE thread is started as a worker')

function serve(start: FuseThreadStart): FuseThreadMessage {
  const control = new Int32Array(start.control)
  const device = DeviceStack.open(start.stack, { fs: new NodeFs() })
  const shouldStop = (): boolean => Atomics.load(control, SLOT.stop) !== 0
  try {
    const server = new FuseDiskServer(slowed(device, start.throttle, shouldStop), {
      onFailure: (error, operation) => {
        Atomics.add(control, SLOT.failures, 1)
        port!.postMessage({ kind: 'failure', operation, error: errorToMessage(error) })
      },
    })
    const reason = serveDescriptor({
      fd: start.fd,
      wakeFd: start.wakeFd,
      server,
      shouldStop,
      beforeRequest: () => void Atomics.add(control, SLOT.requests, 1),
    })
    return { kind: 'end', reason }
  } finally {
    device.close()
  }
}

function slowed(
  device: BlockDevice,
  memory: SharedArrayBuffer | undefined,
  isOver: () => boolean,
): BlockDevice {
  if (memory === undefined) return device
  return new ThrottledDevice(device, passAsleep(new Throttle(memory), isOver))
}

// Serving blocks the thread: the next message is taken when it is over.
port.on('message', (start: FuseThreadStart) => port.postMessage(serve(start)))

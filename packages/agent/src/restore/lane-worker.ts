/** The worker thread of one restore lane. */
import { parentPort } from 'node:worker_threads'
import { assert, unreachable } from '@openmaas/kernel/assert'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from '@openmaas/kernel/posix/constants'
import { close, openat } from '@openmaas/kernel/posix/files'
import { checked, cString, posixAvailable } from '@openmaas/kernel/posix/library'
import { makePrimitives } from '@openmaas/pool/chunk/native-primitives'
import type { FromRestoreLane, RestoreSetup, ToRestoreLane } from './messages.ts'
import { RestoreLane } from './restore-lane.ts'
import { openSource } from './source.ts'

assert(parentPort !== null, 'this module runs in a worker thread')
const port = parentPort
const post = (message: FromRestoreLane): void => port.postMessage(message)

// Bound now, while the caller still unlocks the pool.
makePrimitives()
posixAvailable()

interface OpenLane {
  readonly lane: RestoreLane
  close(): void
}

let opened: OpenLane | undefined

async function open(setup: RestoreSetup): Promise<OpenLane> {
  const chunks = await openSource(setup.reader, new NodeFs())
  const path = cString(setup.target)
  const targetFd = checked(openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY), 'open', setup.target)
  const closeLane = (): void => {
    chunks.close()
    close(targetFd)
  }
  return { lane: new RestoreLane(setup, targetFd, chunks), close: closeLane }
}

async function receive(message: ToRestoreLane): Promise<void> {
  switch (message.kind) {
    case 'setup':
      opened = await open(message.setup)
      return
    case 'stop':
      stop()
      return
    case 'volume': {
      // Only here: a tree restore does not wait for the code of the device stack.
      const { restoreSegments } = await import('./volume-lane.ts')
      await restoreSegments(message.data)
      break
    }
    case 'units':
      opened!.lane.restoreUnits()
      break
    case 'large':
      opened!.lane.writeLarge(message.task)
      break
    default:
      unreachable(message)
  }
  post({ kind: 'done' })
}

function stop(): void {
  if (opened !== undefined) {
    const { kept, count } = opened.lane.warnings
    post({ kind: 'warnings', kept, count })
    opened.close()
  }
  port.close()
}

// One after the other: a setup may have to wait for code.
let last: Promise<void> = Promise.resolve()
port.on('message', (message: ToRestoreLane) => {
  last = last
    .then(() => receive(message))
    .catch((error: unknown) => post({ kind: 'failed', error: errorToMessage(error) }))
})

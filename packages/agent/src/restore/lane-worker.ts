/** The worker thread of one restore lane. */
import { parentPort, workerData } from 'node:worker_threads'
import { assert, unreachable } from '@openmaas/kernel/assert'
import { errorToMessage } from '@openmaas/kernel/error-message'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { AT_FDCWD, O_DIRECTORY, O_RDONLY } from '@openmaas/kernel/posix/constants'
import { close, openat } from '@openmaas/kernel/posix/files'
import { checked, cString } from '@openmaas/kernel/posix/library'
import { ChunkReader } from '@openmaas/pool/pool/chunk-reader'
import type { FromRestoreLane, RestoreSetup, ToRestoreLane } from './messages.ts'
import { RestoreLane } from './restore-lane.ts'

assert(parentPort !== null, 'this module runs in a worker thread')
const port = parentPort
const setup = workerData as RestoreSetup
const post = (message: FromRestoreLane): void => port.postMessage(message)

let opened: { lane: RestoreLane; close(): void } | undefined

function open(): { lane: RestoreLane; close(): void } {
  const chunks = new ChunkReader(setup.reader, { fs: new NodeFs() })
  const path = cString(setup.target)
  const targetFd = checked(openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY), 'open', setup.target)
  const closeLane = (): void => {
    chunks.close()
    close(targetFd)
  }
  return { lane: new RestoreLane(setup, targetFd, chunks), close: closeLane }
}

function receive(message: ToRestoreLane): void {
  if (message.kind === 'stop') {
    if (opened !== undefined) {
      const { kept, count } = opened.lane.warnings
      post({ kind: 'warnings', kept, count })
      opened.close()
    }
    port.close()
    return
  }
  opened ??= open()
  if (message.kind === 'units') opened.lane.restoreUnits()
  else if (message.kind === 'large') opened.lane.writeLarge(message.task)
  else unreachable(message)
  post({ kind: 'done' })
}

port.on('message', (message: ToRestoreLane) => {
  try {
    receive(message)
  } catch (error) {
    post({ kind: 'failed', error: errorToMessage(error) })
  }
})

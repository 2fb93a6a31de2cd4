/** Puts the map of a volume together over one channel, when the lanes have ended. */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '@openmaas/kernel/assert'
import { type ErrorMessage, errorToMessage } from '@openmaas/kernel/error-message'
import { assembleVolume, type SegmentResult } from '@openmaas/source-disk/segment'
import type { RemoteHandoff } from '../capture/messages.ts'
import { RemoteLane } from './remote-lane.ts'

export interface AssembleRequest {
  readonly remote: RemoteHandoff
  /** Bytes of the device. */
  readonly size: number
  readonly results: readonly SegmentResult[]
}

export type FromAssembler =
  | { readonly kind: 'done'; readonly root: Uint8Array }
  | { readonly kind: 'failed'; readonly error: ErrorMessage }

assert(parentPort !== null, 'this module runs in a worker thread')
const post = (message: FromAssembler): void => parentPort!.postMessage(message)

try {
  const { remote, size, results } = workerData as AssembleRequest
  const lane = new RemoteLane(remote.memory, remote.chunkIdKey)
  const { id } = assembleVolume(lane, size, results)
  lane.flush()
  post({ kind: 'done', root: new Uint8Array(id) })
} catch (error) {
  post({ kind: 'failed', error: errorToMessage(error) })
}

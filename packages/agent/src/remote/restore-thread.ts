/**
 * The thread that runs one restore from a node: it waits for chunks without an event loop, which
 * the agent's own thread must not.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { assert } from '@openmaas/kernel/assert'
import { type ErrorMessage, errorToMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { SnapshotId } from '@openmaas/kernel/ids'
import type { CheckedParams, OrderProgress, Result } from '@openmaas/protocols/channel/orders'
import { restoreTree } from '../restore/restore-tree.ts'
import { restoreVolume } from '../restore/restore-volume.ts'
import type { RestoreReader } from '../restore/types.ts'
import type { AgentIdentity } from './channel-messages.ts'
import { Channels, type NodeTarget } from './channels.ts'
import { RemoteLane } from './remote-lane.ts'

export interface RestoreRequest {
  readonly params: CheckedParams<'point.restore'>
  readonly identity: AgentIdentity
}

export type FromRestore =
  | { readonly kind: 'progress'; readonly progress: OrderProgress }
  | { readonly kind: 'done'; readonly result: Result<'point.restore'> }
  | { readonly kind: 'failed'; readonly error: ErrorMessage }

/** Lanes of one restore; one more channel is the thread's own. */
const LANES_MAX = 8

assert(parentPort !== null, 'this module runs in a worker thread')
const port = parentPort
const post = (message: FromRestore): void => port.postMessage(message)
const cancelled = new AbortController()
// The only message there is: the order was cancelled.
port.on('message', () => cancelled.abort())

async function restore({ params, identity }: RestoreRequest): Promise<Result<'point.restore'>> {
  const target = params.target as NodeTarget
  const lanes = Math.min(target.channels, LANES_MAX)
  await using channels = await Channels.open({
    target,
    identity,
    open: { do: 'restore', snapshotId: params.snapshotId },
    connections: lanes + 1,
    // Kept where it is written: what the node sends waits for that.
    bytesPerSecond: null,
    signal: cancelled.signal,
  })
  const { snapshot } = channels.welcome
  if (snapshot === null) {
    throw new MaasError('DATA_PROTOCOL_VIOLATION', 'the node named no snapshot to restore')
  }
  const { memories } = channels
  const { sourceName: name, sourcePath, users, groups } = snapshot
  const reader: RestoreReader = {
    chunks: new RemoteLane(memories[0]!),
    manifest: () => ({ source: { name, host: '', path: sourcePath }, users, groups }),
    handoff: (lane) => ({ remote: memories[lane]! }),
  }
  try {
    const run = snapshot.kind === 'volume' ? restoreVolume : restoreTree
    const result = await run({
      reader,
      snapshot: { ...snapshot, id: params.snapshotId as SnapshotId },
      paths: params.paths,
      target: params.to,
      conflict: params.conflict,
      dryRun: params.dryRun,
      lanes,
      ...(params.bytesPerSecond !== null && { bytesPerSecond: params.bytesPerSecond }),
      signal: channels.signal,
      onProgress: ({ phase, bytes, bytesTotal, entries }) => {
        const progress = { phase, bytesDone: bytes, bytesTotal, itemsDone: entries }
        post({ kind: 'progress', progress })
      },
    })
    const { files, bytes } = result.progress
    const warnings = result.warnings.map((each) => ({ ...each, code: 'restore' }))
    return { files, bytes, warningCount: result.warningCount, warnings }
  } catch (error) {
    // Lanes only know that the connection is gone.
    throw channels.failure ?? error
  }
}

try {
  post({ kind: 'done', result: await restore(workerData as RestoreRequest) })
} catch (error) {
  post({ kind: 'failed', error: errorToMessage(error) })
}
port.close()

/** What the kinds of remote captures share. */
import { MaasError } from '@openmaas/kernel/errors'
import type { OrderProgress, Result } from '@openmaas/protocols/channel/orders'
import type { Commit } from '@openmaas/protocols/data/messages'
import { type Counters, sumCounters } from '../capture/counters.ts'
import type { AgentIdentity } from './channel-messages.ts'
import type { Channels } from './channels.ts'

export interface RemoteContext {
  readonly identity: AgentIdentity
  readonly signal: AbortSignal
  readonly progress: (progress: OrderProgress) => void
}

/** What a kind of capture leaves to be committed. */
export interface Captured {
  readonly root: Uint8Array
  readonly counters: Counters
  readonly waitedMs: number
  readonly manifest: Pick<Commit, 'users' | 'groups' | 'warnings'>
  readonly warnings: Result<'source.capture'>['warnings']
}

/** How often an order tells how far it is. */
export const PROGRESS_INTERVAL_MS = 500

/** @throws MaasError DATA_PROTOCOL_VIOLATION */
export function sessionKeys({ welcome }: Channels): {
  chunkIdKey: Uint8Array
  chunkerKey: Uint8Array
} {
  const { keys } = welcome
  if (keys === null) {
    throw new MaasError('DATA_PROTOCOL_VIOLATION', 'the node gave no keys for a capture')
  }
  return {
    chunkIdKey: Buffer.from(keys.chunkId, 'hex'),
    chunkerKey: Buffer.from(keys.chunker, 'hex'),
  }
}

export function describeProgress(
  phase: string,
  memory: SharedArrayBuffer,
  bytesTotal: number | undefined,
): OrderProgress {
  const { bytes, entries } = sumCounters(memory)
  return { phase, bytesDone: bytes, bytesTotal: bytesTotal ?? null, itemsDone: entries }
}

/** What the node's main thread and the thread of one data connection say to each other. */
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import type { ReaderHandoff } from '@openmaas/pool/pool/chunk-reader'
import type { LaneHandoff } from '@openmaas/pool/pool/lane'
import type { SealedPack } from '@openmaas/pool/pool/types'
import type { Flushed } from '@openmaas/protocols/data/messages'
import type { VerifiedSnapshot } from './verify-snapshot.ts'

/** The thread is started with it. */
export interface LaneSetup {
  readonly reader: ReaderHandoff
  /** Absent for a restore: then nothing may be sent, and file content may be read. */
  readonly session?: LaneHandoff
  readonly shown: SharedArrayBuffer
}

export type ToLane =
  /** As they came from the socket; transferred. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** So many bytes of answers have left. */
  | { readonly kind: 'sent'; readonly count: number }
  | {
      readonly kind: 'verify'
      readonly snapshot: 'tree' | 'volume'
      readonly root: string
      /** Tables of all connections of the session. */
      readonly received: readonly Int32Array[]
    }
  | { readonly kind: 'stop' }

export type FromLane =
  | { readonly kind: 'taken'; readonly count: number }
  | { readonly kind: 'answer'; readonly bytes: Uint8Array }
  | { readonly kind: 'sealed'; readonly pack: SealedPack }
  | { readonly kind: 'dirty' }
  | { readonly kind: 'flushed'; readonly report: Flushed; readonly received: Int32Array }
  | { readonly kind: 'commit'; readonly payload: Uint8Array }
  | { readonly kind: 'verified'; readonly verified: VerifiedSnapshot }
  | { readonly kind: 'failed'; readonly error: ErrorMessage }

/** Answers handed to the main thread and not yet sent; then READs wait. */
export const ANSWERS_MAX = 8 << 20

/** What captureVolume and its lanes say to each other. Everything is structured-cloneable. */
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import type { LaneHandoff } from '@openmaas/pool/pool/lane'
import type { SealedPack } from '@openmaas/pool/pool/types'
import type { RemoteHandoff } from './messages.ts'
import type { DiskImage } from '@openmaas/source-disk/image'
import type { SegmentResult } from '@openmaas/source-disk/segment'

export type VolumeLaneData = VolumeLaneSetup &
  (
    | { readonly session: LaneHandoff }
    | { readonly remote: RemoteHandoff; readonly parentRoot: Uint8Array | undefined }
  )

interface VolumeLaneSetup {
  readonly lane: number
  readonly path: string
  /** Of the image that the run began with: another may have taken its name. */
  readonly identity: DiskImage['identity']
  readonly counters: SharedArrayBuffer
  /** Uint32: indexes of the segments that may hold data. */
  readonly segments: SharedArrayBuffer
  /** Of a capture with a limit (kernel/throttle.ts), where the line does not keep it. */
  readonly throttle?: SharedArrayBuffer
  /** Int32: [0] the next place in `segments` to be taken, [1] 1 when the run is over. */
  readonly control: SharedArrayBuffer
}

export const NEXT_SEGMENT = 0
export const CANCELLED = 1

export type FromVolumeLane =
  | { readonly kind: 'sealed'; readonly pack: SealedPack }
  | {
      readonly kind: 'ended'
      readonly results: readonly SegmentResult[]
      /** Milliseconds it waited for the line to a node. */
      readonly waitedMs?: number
    }
  | { readonly kind: 'failed'; readonly error: ErrorMessage }

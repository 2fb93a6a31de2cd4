/** What captureVolume and its lanes say to each other. Everything is structured-cloneable. */
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import type { LaneHandoff } from '@openmaas/pool/pool/lane'
import type { SealedPack } from '@openmaas/pool/pool/types'
import type { DiskImage } from '@openmaas/source-disk/image'
import type { SegmentResult } from '@openmaas/source-disk/segment'

export interface VolumeLaneData {
  readonly lane: number
  readonly path: string
  /** Of the image that the run began with: another may have taken its name. */
  readonly identity: DiskImage['identity']
  readonly session: LaneHandoff
  readonly counters: SharedArrayBuffer
  /** Uint32: indexes of the segments that may hold data. */
  readonly segments: SharedArrayBuffer
  /** Int32: [0] the next place in `segments` to be taken, [1] 1 when the run is over. */
  readonly control: SharedArrayBuffer
}

export const NEXT_SEGMENT = 0
export const CANCELLED = 1

export type FromVolumeLane =
  | { readonly kind: 'sealed'; readonly pack: SealedPack }
  | { readonly kind: 'ended'; readonly results: readonly SegmentResult[] }
  | { readonly kind: 'failed'; readonly error: ErrorMessage }

/** What restoreVolume and its lanes say to each other. Everything is structured-cloneable. */
import type { SnapshotDescription } from '@openmaas/medium/stack/build-stack'
import { MiB } from '@openmaas/kernel/units'
import type { SourceHandoff } from './source.ts'

/** What a lane takes at a time: what one map node covers, so that each is read by one lane. */
export const VOLUME_SEGMENT_SIZE = 64 * MiB

export interface RestoreVolumeLaneData {
  readonly lane: number
  readonly snapshot: SnapshotDescription
  readonly reader: SourceHandoff
  /** There already: a file of the volume's size that is one hole, or a block device. */
  readonly path: string
  /** True for a file that is one hole: zeros need not be written. */
  readonly fresh: boolean
  readonly counters: SharedArrayBuffer
  /** Of a restore with a limit (kernel/throttle.ts). */
  readonly throttle?: SharedArrayBuffer
  /** Int32: [0] the next segment, [1] 1 when the run is over. */
  readonly control: SharedArrayBuffer
}

export const NEXT_SEGMENT = 0
export const OVER = 1

/** What plugging and its sister verbs take and give. */
import type { Clock } from '@openmaas/kernel/clock'
import type { Fs } from '@openmaas/kernel/fs'
import type { LayerId, MediumId, SnapshotId } from '@openmaas/kernel/ids'
import type { Random } from '@openmaas/kernel/random'
import type { PinOwner } from '@openmaas/pool/pool/owner-protocol'
import type { AttachWish } from '../attach/kernel-nbd.ts'
import type { MediumRecord } from '@openmaas/medium/media/record'

/** The pool a medium comes from, and how to open it. */
export interface PoolAccess {
  /** Brick 0. */
  readonly path: string
  readonly masterKey: Buffer
  readonly fs: Fs
  readonly clock: Clock
  readonly random: Random
  /** The owner, when it is this process: pins go to it without a detour. */
  readonly owner?: PinOwner
}

export interface PlugOptions {
  readonly snapshotId: SnapshotId
  /** Shown by `media`; the source's name. */
  readonly sourceName: string
  /** Where to mount the file system; it is made when missing. */
  readonly mountPoint?: string
  /** False: make the disk, mount nothing. */
  readonly mount: boolean
  /** False: no disk on this machine at all, only the NBD export. */
  readonly attach: boolean
  /** Which way to make the disk; absent means `auto`. */
  readonly attachWish?: AttachWish
  /** Export over NBD: `unix` for a socket in the runtime directory, or a path, or `host:port`. */
  readonly nbd?: string
  readonly readOnly: boolean
  readonly quotaBytes?: number
  readonly freeBytes?: number
  /** Of a clone of a medium that has grown. */
  readonly sizeBytes?: number
  /** Frozen layers the medium stands on: a clone. */
  readonly baseLayers?: readonly LayerId[]
  /** What control calls it, kept in the record. */
  readonly controlId?: string
  /** Kept in the record, for the node that exports it. */
  readonly bytesPerSecond?: number
}

export interface PlugResult {
  readonly medium: MediumRecord
  /** Type of the mounted file system. */
  readonly fileSystem?: string
  readonly elapsedMs: number
}

export type MediumState =
  /** The disk is there and answers. */
  | 'plugged'
  /** Its engine is being restarted by the keeper. */
  | 'restarting'
  /** A plug or an eject is under way in another process. */
  | 'changing'
  /** The machine or both processes died; the overlay is safe: `plug --resume` brings it back. */
  | 'interrupted'

export interface MediumStatus {
  readonly record: MediumRecord
  readonly state: MediumState
  readonly enginePid?: number
  readonly overlayBytes?: number
}

export interface EjectOptions {
  /** Take it away even while programs use it. */
  readonly force: boolean
  /** Keep overlay, record and pin: it can be resumed. */
  readonly keep: boolean
}

export interface EjectResult {
  readonly id: MediumId
  readonly kept: boolean
}

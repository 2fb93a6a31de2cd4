/** What the restore and its lanes say to each other. */
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import type { SourceHandoff } from './source.ts'
import type { ConflictRule, RestoreWarning } from './types.ts'
import type { RestoreVolumeLaneData } from './volume-messages.ts'

export interface RestoreSetup {
  readonly lane: number
  readonly reader: SourceHandoff
  readonly treeRoot: Uint8Array
  /** The directory restored into; there already. */
  readonly target: string
  readonly roots: readonly { readonly raw: Uint8Array; readonly name: string }[]
  readonly conflict: ConflictRule
  readonly owners: OwnerNames | undefined
  readonly counters: SharedArrayBuffer
  /** Int32: [0] the next unit, [1] 1 when the run is over, [2] 1 when there are large files. */
  readonly control: SharedArrayBuffer
  /** Of a restore with a limit (kernel/throttle.ts). */
  readonly throttle?: SharedArrayBuffer
  /** One byte for each directory: DirectoryState. */
  readonly directories: SharedArrayBuffer
  /** A default ACL on the target would be inherited: remove what is not in the snapshot. */
  readonly removeAcls: boolean
}

export interface OwnerNames {
  /** By number in decimal; empty: numbers are taken as they are. */
  readonly users: Readonly<Record<string, string>>
  readonly groups: Readonly<Record<string, string>>
}

/** What phase one found out of a directory. */
export const DIRECTORY_STATE = {
  /** Was there before: names in it may conflict. */
  merged: 0,
  /** Made by this run: nothing in it can conflict. */
  fresh: 1,
  /** Not restored: something else stands there and stays. */
  skipped: 2,
} as const

export interface LargeFileTask {
  /** Path of the temporary file from the target, bytes as latin1 characters. */
  readonly path: string
  /** The entry's bytes. */
  readonly raw: Uint8Array
  /** Int32: [0] the next segment. */
  readonly next: SharedArrayBuffer
}

export type ToRestoreLane =
  /** The first message of a lane of a tree restore; units and large files follow. */
  | { readonly kind: 'setup'; readonly setup: RestoreSetup }
  /** The only message of a lane of a volume restore, whose thread then ends. */
  | { readonly kind: 'volume'; readonly data: RestoreVolumeLaneData }
  | { readonly kind: 'units' }
  | { readonly kind: 'large'; readonly task: LargeFileTask }
  | { readonly kind: 'stop' }

export type FromRestoreLane =
  | { readonly kind: 'done' }
  | { readonly kind: 'warnings'; readonly kept: readonly RestoreWarning[]; readonly count: number }
  | { readonly kind: 'failed'; readonly error: ErrorMessage }

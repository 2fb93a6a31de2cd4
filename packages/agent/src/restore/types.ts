/** What restoreTree takes, tells and gives back. */
import type { ChunkSource } from '@openmaas/pool/chunk/chunk'
import type { SnapshotRow, StoredManifest } from '@openmaas/pool/pool/types'
import type { SourceHandoff } from './source.ts'
import type { WarmRestoreLanes } from './warm-lanes.ts'

/**
 * What happens where the target already has something of that name.
 * - `fail`: nothing is changed there and the run ends with RESTORE_CONFLICT;
 * - `skip`: what is there stays; directories are still gone into;
 * - `overwrite`: it is replaced; a directory is merged with a directory;
 * - `rename`: what is there is renamed to `name.~n~` first.
 *
 * An entry that is already complete (same kind, size and modification time; same target for a
 * link) is never a conflict, so an interrupted restore goes on where it stood.
 */
export type ConflictRule = 'fail' | 'skip' | 'overwrite' | 'rename'

export type RestoreSnapshot = Pick<SnapshotRow, 'id' | 'kind' | 'root'>

/** What is restored from: a PoolReader, or a session with a node. */
export interface RestoreReader {
  /** For the thread that begins the restore. */
  readonly chunks: ChunkSource
  manifest(snapshot: RestoreSnapshot): Pick<StoredManifest, 'source' | 'users' | 'groups'>
  /** For one lane. That of the thread that begins the restore has number 0. */
  handoff(lane: number): SourceHandoff
}

export interface RestoreOptions {
  /** Pinned or owned by the caller for as long as it takes. */
  readonly reader: RestoreReader
  readonly snapshot: RestoreSnapshot
  /**
   * What to restore: paths in the snapshot, with "/" between names. Each comes out under its own
   * last name in the target; default is the whole tree, whose entries come out in the target.
   */
  readonly paths?: readonly (string | Buffer)[]
  /** A directory; made when it is not there. */
  readonly target: string
  readonly conflict?: ConflictRule
  /**
   * `auto`: by name when user and group exist here, else by number, and only as root.
   * `numbers`: as recorded, only as root. `none`: left to the user who runs it.
   */
  readonly owners?: 'auto' | 'numbers' | 'none'
  /** Counts what would happen and changes nothing. */
  readonly dryRun?: boolean
  /**
   * Content written, no faster: all lanes together, as kernel/throttle.ts says. Over a line it is
   * the same on average; what is asked for ahead (64 chunks a lane) may come at once.
   */
  readonly bytesPerSecond?: number
  /** Worker threads; default: one per core, at most 8. */
  readonly lanes?: number
  /** Threads that were started ahead; those that are needed are taken. */
  readonly warm?: WarmRestoreLanes
  readonly onProgress?: (progress: RestoreProgress) => void
  /** Ends with CANCELLED; what stands in the target is complete or has a temporary name. */
  readonly signal?: AbortSignal
}

export interface RestoreProgress {
  readonly phase: 'restoring' | 'finishing' | 'done'
  readonly entries: number
  readonly files: number
  readonly directories: number
  readonly bytes: number
  /** Known before the first byte is written. */
  readonly entriesTotal: number
  readonly bytesTotal: number
  /** Already complete, or left alone by `skip`. */
  readonly skipped: number
  readonly warnings: number
}

export interface RestoreWarning {
  /** Path in the snapshot; bytes that are not UTF-8 become U+FFFD. */
  readonly path: string
  readonly message: string
}

export interface RestoreResult {
  readonly progress: RestoreProgress
  readonly status: 'complete' | 'warnings'
  readonly warningCount: number
  /** The first thousand: metadata that the target cannot hold, devices without privilege… */
  readonly warnings: readonly RestoreWarning[]
  readonly durationMs: number
}

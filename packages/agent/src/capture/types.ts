/** What captureTree takes, tells and gives back. */
import type { SnapshotId } from '@openmaas/kernel/ids'
import type { Pool } from '@openmaas/pool/pool/pool'
import type { SnapshotRow } from '@openmaas/pool/pool/types'
import type { Weights } from '@openmaas/pool/tree/weights'
import type { WarmLanes } from './warm-lanes.ts'

/** What of the source is taken (sources/files/rules.ts says how patterns match). */
export interface CaptureRules {
  /** gitignore-like patterns, in order; a later one wins. */
  readonly exclude?: readonly string[]
  /** Patterns that are taken even when an exclude pattern matches; they come last. */
  readonly include?: readonly string[]
  /** Do not go into directories of other file systems; they appear empty. */
  readonly oneFileSystem?: boolean
}

export interface CaptureOptions {
  /** Open for writing; stays open. */
  readonly pool: Pool
  /** The directory to capture. */
  readonly path: string
  /** Name of the source; the newest point of the same name, host and path is the parent. */
  readonly name: string
  /** Default: this machine's host name. */
  readonly host?: string
  readonly tags?: Readonly<Record<string, string>>
  readonly rules?: CaptureRules
  /** Worker threads; default: one per core, at most LANES_MAX. */
  readonly lanes?: number
  /** Threads started ahead; those that are taken end with the run. */
  readonly warm?: WarmLanes
  /** `auto` chooses as `name` says; `none` reads everything again. */
  readonly parent?: SnapshotId | 'auto' | 'none'
  /** What is read of the source, no faster: all lanes together, as kernel/throttle.ts says. */
  readonly bytesPerSecond?: number
  /** The point cannot be deleted before this time. */
  readonly lockUntil?: Date
  /** Called about ten times a second, and once at the end. */
  readonly onProgress?: (progress: CaptureProgress) => void
  /** Ends with CANCELLED; the pool stays as if the run had never been. */
  readonly signal?: AbortSignal
}

export interface CaptureProgress {
  readonly phase: 'scanning' | 'committing' | 'done'
  /** Entries seen so far, of every kind. */
  readonly entries: number
  /** Regular files dealt with, and how many of them were taken over unread. */
  readonly files: number
  readonly unchangedFiles: number
  readonly directories: number
  /** Bytes of files dealt with, and how many of them were read. */
  readonly bytes: number
  readonly bytesRead: number
  /** Bytes of chunks the pool did not have, before and after compression and encryption. */
  readonly newBytes: number
  readonly storedBytes: number
  readonly warnings: number
  /** From the parent point; undefined for a first backup. Good for an ETA, not exact. */
  readonly bytesExpected: number | undefined
  readonly filesExpected: number | undefined
}

export interface CaptureWarning {
  readonly kind:
    | 'unreadable' // Denied, or the disk answered with an error: not in the point.
    | 'vanished' // Gone between listing and reading: not in the point.
    | 'changed' // Changed while it was read, twice: in the point, possibly torn.
    | 'unsupported' // Of a kind or size that cannot be kept: not in the point, or in part.
  /** Path from the source's directory; bytes that are not UTF-8 become U+FFFD. */
  readonly path: string
  /** Plain words and the error's name. */
  readonly message: string
}

export interface CaptureResult {
  readonly snapshot: SnapshotRow
  /** Of the whole snapshot. */
  readonly weights: Weights
  /** The counters at the end. */
  readonly progress: CaptureProgress
  readonly status: 'complete' | 'warnings'
  readonly warningCount: number
  /** The first WARNINGS_KEPT_MAX by path. */
  readonly warnings: readonly CaptureWarning[]
  readonly parent: SnapshotId | undefined
  readonly durationMs: number
}

/** More are counted, not kept. */
export const WARNINGS_KEPT_MAX = 1000
/** Lanes beyond this gain nothing: the owner's log becomes the limit. */
export const LANES_MAX = 16

/** Shapes that cross the border of the pool: what sources, media and the CLI see. */
import type { SnapshotId } from '@openmaas/kernel/ids'
import type { PackKind } from '../chunk/chunk.ts'
import type { SnapshotKind } from '../log/types.ts'

export type { SnapshotKind } from '../log/types.ts'

/** Plain JSON, as it stands in a manifest: Weights of a tree, counters of a volume. */
export type Summary = Readonly<Record<string, number>>

export interface VolumeGeometry {
  /** Bytes of the device. */
  readonly size: number
  /** Bytes of one map entry. */
  readonly grain: number
  /** Root chunk id (hex) of the snapshot below; absent grains read from it. */
  readonly base?: string
  readonly [extra: string]: string | number | undefined
}

/**
 * What a snapshot says of itself; stored encrypted as a chunk of type manifest, and the only place
 * where names stand. With the packs alone, the log is rebuilt from these.
 */
export interface SnapshotManifest {
  readonly kind: SnapshotKind
  readonly source: { readonly name: string; readonly host: string; readonly path: string }
  /** RFC 3339, UTC. */
  readonly startedAt: string
  readonly endedAt: string
  /** Chunk id of the root, 64 hex digits. */
  readonly root: string
  readonly summary: Summary
  readonly parent?: SnapshotId
  /** Names of the owners in the tree, by number in decimal. */
  readonly users?: Readonly<Record<string, string>>
  readonly groups?: Readonly<Record<string, string>>
  readonly tags?: Readonly<Record<string, string>>
  readonly status: 'complete' | 'warnings'
  readonly warnings?: { readonly count: number; readonly first: readonly string[] }
  /** RFC 3339: the date that was asked for. What counts is the log's, in pool time. */
  readonly lockedUntil?: string
  readonly volume?: VolumeGeometry
}

/** A manifest as the pool stores it: with what a rebuilt log needs. */
export interface StoredManifest extends SnapshotManifest {
  readonly snapshot: {
    readonly id: SnapshotId
    readonly createdAtMs: number
    readonly chunkCount: number
    readonly lockUntil?: number
  }
}

export interface SnapshotRow {
  readonly id: SnapshotId
  readonly kind: SnapshotKind
  /** Chunk ids, 64 hex digits. */
  readonly root: string
  readonly manifestChunk: string
  readonly createdAt: Date
  readonly parent?: SnapshotId
  /** Pool time in milliseconds, see pool/pool-time.ts. */
  readonly lockUntil?: number
  readonly chunkCount: number
  /** Sequence of its SNAPSHOT record: rises with time, whatever the clock says. */
  readonly seq: number
}

/** A pack whose files and names are durable on its bricks, not yet in the log. */
export interface SealedPack {
  readonly packNo: number
  /** 16 bytes, 32 hex digits. */
  readonly packId: string
  readonly kind: PackKind
  readonly size: number
  /** 64 hex digits. */
  readonly hash: string
  readonly recordCount: number
  readonly bricks: readonly number[]
}

/** Where one copy of a chunk lies, in terms of the log. */
export interface Location {
  readonly packNo: number
  readonly recordNumber: number
  readonly offset: number
  readonly encodedLength: number
  readonly rawLength: number
}

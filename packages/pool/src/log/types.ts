/**
 * What the log says: one body type per record type. Bodies hold no names of people or paths; the
 * log is authenticated, not encrypted, and names stand in manifests, which are.
 *
 * Times are pool time in milliseconds (pool/pool-time.ts) unless named wall. Pack numbers are
 * dense u32 and never used twice.
 */
import type { PackKind } from '../chunk/chunk.ts'

export const LogType = {
  owner: 1,
  sessionOpen: 2,
  sessionClose: 3,
  pack: 4,
  snapshot: 5,
  snapshotDelete: 6,
  lockExtend: 7,
  pin: 8,
  unpin: 9,
  condemn: 10,
  uncondemn: 11,
  delete: 12,
  repair: 13,
  checkpoint: 14,
  keyEpoch: 15,
  poolTime: 16,
} as const
export type LogType = (typeof LogType)[keyof typeof LogType]

export function isLogType(value: number): value is LogType {
  return value >= 1 && value <= 16
}

export interface OwnerBody {
  readonly epoch: number
  readonly poolId: string
  readonly wallMs: number
  /** True when this log was made anew from the packs, because every mirror was lost. */
  readonly rebuilt?: boolean
}

export interface SessionOpenBody {
  readonly session: string
  readonly parent?: string
}

export interface SessionCloseBody {
  readonly session: string
}

export interface PackBody {
  readonly packNo: number
  /** 32 hex digits. */
  readonly packId: string
  readonly kind: PackKind
  /** Bytes of the file. */
  readonly size: number
  /** BLAKE3 over the file before its trailer, 64 hex digits. */
  readonly hash: string
  readonly recordCount: number
  /** Indexes of the bricks that hold a copy. */
  readonly bricks: readonly number[]
  readonly at: number
}

export type SnapshotKind = 'tree' | 'volume'

export interface SnapshotBody {
  readonly id: string
  readonly kind: SnapshotKind
  /** Chunk ids, 64 hex digits. */
  readonly root: string
  readonly manifestChunk: string
  readonly chunkCount: number
  readonly parent?: string
  readonly lockUntil?: number
  readonly createdAtMs: number
  /** The session that ends with this record: its pins drop in the turn in which this applies. */
  readonly session?: string
}

export interface SnapshotDeleteBody {
  readonly id: string
}

export interface LockExtendBody {
  readonly id: string
  readonly lockUntil: number
}

export type PinKind = 'reader' | 'medium' | 'hold'

export interface PinBody {
  readonly id: string
  readonly kind: PinKind
  readonly snapshots: readonly string[]
  readonly at: number
  /** Who holds it, so that a pin of a process that is gone can be found: pid and boot id. */
  readonly pid?: number
  readonly bootId?: string
}

export interface UnpinBody {
  readonly id: string
}

export interface PacksBody {
  readonly packs: readonly number[]
  readonly at: number
  /** CONDEMN only: what is referenced in these packs lies in newer ones too. */
  readonly superseded?: boolean
}

export interface RepairBody {
  readonly packNo: number
  readonly bricks: readonly number[]
}

export interface CheckpointBody {
  readonly stateHash: string
  readonly indexGeneration: number
  /** True for the last record of an owner that ended in order. */
  readonly closed: boolean
}

export interface KeyEpochBody {
  readonly keyEpoch: number
}

export interface PoolTimeBody {
  readonly at: number
  readonly wallMs: number
  /** Set when the clock cannot be believed: deletions wait. */
  readonly frozen?: boolean
  /** The people who confirmed the time by hand. */
  readonly confirmedBy?: readonly string[]
}

export type LogEntry =
  | { readonly type: typeof LogType.owner; readonly body: OwnerBody }
  | { readonly type: typeof LogType.sessionOpen; readonly body: SessionOpenBody }
  | { readonly type: typeof LogType.sessionClose; readonly body: SessionCloseBody }
  | { readonly type: typeof LogType.pack; readonly body: PackBody }
  | { readonly type: typeof LogType.snapshot; readonly body: SnapshotBody }
  | { readonly type: typeof LogType.snapshotDelete; readonly body: SnapshotDeleteBody }
  | { readonly type: typeof LogType.lockExtend; readonly body: LockExtendBody }
  | { readonly type: typeof LogType.pin; readonly body: PinBody }
  | { readonly type: typeof LogType.unpin; readonly body: UnpinBody }
  | { readonly type: typeof LogType.condemn; readonly body: PacksBody }
  | { readonly type: typeof LogType.uncondemn; readonly body: PacksBody }
  | { readonly type: typeof LogType.delete; readonly body: PacksBody }
  | { readonly type: typeof LogType.repair; readonly body: RepairBody }
  | { readonly type: typeof LogType.checkpoint; readonly body: CheckpointBody }
  | { readonly type: typeof LogType.keyEpoch; readonly body: KeyEpochBody }
  | { readonly type: typeof LogType.poolTime; readonly body: PoolTimeBody }

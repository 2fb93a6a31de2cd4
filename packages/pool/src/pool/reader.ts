/**
 * Reading a pool without owning it: log, index files and packs are read as they are, nothing is
 * written. A reader that must outlive a garbage collection holds a pin (Pool.pin).
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { Clock } from '@openmaas/kernel/clock'
import type { Fs } from '@openmaas/kernel/fs'
import { findBricks } from '../backend/bricks.ts'
import type { Superblock } from '../backend/superblock.ts'
import { PackStatus, PackTable } from '../index/pack-table.ts'
import { SharedIndex } from '../index/shared-index.ts'
import { KeyRing } from '../keys/key-ring.ts'
import { unlockMasterKey } from '../keys/key-slot-store.ts'
import { logDirectories, readMirror } from '../log/mirrors.ts'
import { RecordCodec } from '../log/record.ts'
import { recoverLog } from '../log/recovery.ts'
import type { LogRecovery } from '../log/recovery.ts'
import { ChunkReader } from './chunk-reader.ts'
import type { ChunkReaderDeps, ReaderHandoff } from './chunk-reader.ts'
import { parseManifest } from './manifest.ts'
import { indexedPacks } from './pack-records.ts'
import { snapshotRow } from './snapshot-row.ts'
import { PoolState } from './state.ts'
import type { SnapshotRow, StoredManifest } from './types.ts'

export type Unlock = { readonly passphrase: string } | { readonly masterKey: Uint8Array }

export interface PoolReaderOptions {
  /** Of any brick. */
  readonly path: string
  readonly unlock: Unlock
  readonly fs: Fs
  readonly clock?: Clock
  readonly cache?: Omit<ChunkReaderDeps, 'fs'>
}

export class PoolReader {
  readonly superblock: Superblock
  readonly brickPaths: readonly string[]
  /** Bricks that are not there; with a mirror the pool still reads. */
  readonly missingBricks: readonly number[]
  readonly #options: PoolReaderOptions
  readonly #keys: KeyRing
  readonly #masterKey: Buffer
  #state: PoolState
  #index: SharedIndex
  #chunks: ChunkReader

  private constructor(options: PoolReaderOptions) {
    const { fs, path, unlock } = options
    const { superblock, paths, missing } = findBricks(fs, path)
    this.superblock = superblock
    this.brickPaths = paths
    this.missingBricks = missing.map(({ index }) => index)
    this.#options = options
    this.#masterKey = openMasterKey(fs, paths, unlock)
    this.#keys = new KeyRing(this.#masterKey, superblock.poolId)
    const loaded = this.#load()
    this.#state = loaded.state
    this.#index = loaded.index
    this.#chunks = this.#makeReader()
  }

  /** @throws MaasError POOL_NOT_FOUND, POOL_PASSPHRASE_WRONG, LOG_CORRUPT… */
  static async open(options: PoolReaderOptions): Promise<PoolReader> {
    return new PoolReader(options)
  }

  get chunks(): ChunkReader {
    return this.#chunks
  }

  get state(): PoolState {
    return this.#state
  }

  get masterKey(): Buffer {
    return this.#masterKey
  }

  /** Live snapshots, oldest first. */
  snapshots(): SnapshotRow[] {
    return [...this.#state.snapshots.values()]
      .toSorted((a, b) => a.sequence - b.sequence)
      .map(snapshotRow)
  }

  /** @throws MaasError CHUNK_MISSING, RECORD_INVALID… */
  manifest(row: SnapshotRow): StoredManifest {
    return parseManifest(this.#chunks.read(Buffer.from(row.manifestChunk, 'hex')), row)
  }

  /** For another thread: new ChunkReader(handoff, { fs }). */
  handoff(): ReaderHandoff {
    return {
      poolId: this.superblock.poolId,
      masterKey: this.#masterKey,
      bricks: this.brickPaths,
      index: this.#index.handoff(),
    }
  }

  /** Sees what was committed since; handoffs of before keep what they saw. */
  refresh(): void {
    const { state, index } = this.#load()
    this.close()
    this.#state = state
    this.#index = index
    this.#chunks = this.#makeReader()
  }

  close(): void {
    this.#chunks.close()
    this.#index.close()
  }

  #makeReader(): ChunkReader {
    return new ChunkReader(this.handoff(), { fs: this.#options.fs, ...this.#options.cache })
  }

  #load(): { state: PoolState; index: SharedIndex } {
    const { fs } = this.#options
    const { recovery, state } = readLog(fs, this.brickPaths, this.#keys)
    const packTable = PackTable.allocate()
    fillPackTable(new PackTable(packTable), state)
    const index = SharedIndex.open({
      fs,
      directory: indexDirectory(this.brickPaths),
      poolId: this.superblock.poolId,
      poolIdBytes: this.#keys.poolIdBytes,
      packs: indexedPacks(fs, this.brickPaths, state),
      packTable,
      nextPackNo: state.nextPackNo,
      logMac: (sequence) => recovery.records[sequence - 1]?.mac.toString('hex'),
      writable: false,
    })
    return { state, index }
  }
}

export function openMasterKey(fs: Fs, bricks: readonly string[], unlock: Unlock): Buffer {
  if ('masterKey' in unlock) return Buffer.from(unlock.masterKey)
  return unlockMasterKey(fs, bricks, unlock.passphrase).masterKey
}

export function indexDirectory(bricks: readonly string[]): string {
  return `${bricks[0]!}/index`
}

/**
 * Reads all mirrors and replays the log.
 * @throws MaasError LOG_CORRUPT when it has a hole, contradicts itself, or holds nothing
 */
export function readLog(
  fs: Fs,
  bricks: readonly string[],
  keys: KeyRing,
): { recovery: LogRecovery; state: PoolState } {
  const mirrors = logDirectories(bricks).map((directory) => readMirror(fs, directory))
  const recovery = recoverLog(new RecordCodec(keys.logMacKey), mirrors)
  const state = new PoolState()
  for (const record of recovery.records) state.apply(record)
  if (state.poolId !== keys.poolId) {
    // A pool is made with its first record: a log without one has been lost, not begun.
    throw new MaasError('LOG_CORRUPT', 'no mirror holds the log of this pool', {
      mirrors: logDirectories(bricks),
      mirrorsRead: mirrors.filter((mirror) => mirror !== undefined).length,
    })
  }
  return { recovery, state }
}

export function fillPackTable(table: PackTable, state: PoolState): void {
  const statuses = {
    live: PackStatus.live,
    condemned: PackStatus.condemned,
    deleted: PackStatus.dead,
  } as const
  for (const { packNo, packId, kind, bricks, size, state: packState } of state.packs.values()) {
    table.setFile(packNo, { packId: Buffer.from(packId, 'hex'), kind, bricks, size })
    table.setStatus(packNo, statuses[packState])
  }
}

/**
 * Reading a pool without owning it: log, index files and packs are read as they are, nothing is
 * written. A reader that must outlive a garbage collection holds a pin (Pool.pin).
 */
import type { Clock } from '@openmaas/kernel/clock'
import type { Fs } from '@openmaas/kernel/fs'
import { findBricks } from '../backend/bricks.ts'
import type { Superblock } from '../backend/superblock.ts'
import { KeyRing } from '../keys/key-ring.ts'
import { unlockMasterKey } from '../keys/key-slot-store.ts'
import { ChunkReader } from './chunk-reader.ts'
import type { ChunkReaderDeps, ReaderHandoff } from './chunk-reader.ts'
import { loadPool } from './load.ts'
import type { LoadedPool } from './load.ts'
import { parseManifest } from './manifest.ts'
import { snapshotRow } from './snapshot-row.ts'
import type { PoolState } from './state.ts'
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
  #loaded: LoadedPool
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
    this.#loaded = this.#load()
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
    return this.#loaded.state
  }

  get masterKey(): Buffer {
    return this.#masterKey
  }

  /** Live snapshots, oldest first. */
  snapshots(): SnapshotRow[] {
    return [...this.#loaded.state.snapshots.values()]
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
      index: this.#loaded.index.handoff(),
      logSize: this.#loaded.logSize,
    }
  }

  /** Sees what was committed since; handoffs of before keep what they saw. */
  refresh(): void {
    const loaded = this.#load()
    this.close()
    this.#loaded = loaded
    this.#chunks = this.#makeReader()
  }

  #load(): LoadedPool {
    return loadPool(this.#options.fs, this.brickPaths, this.#keys)
  }

  close(): void {
    this.#chunks.close()
    this.#loaded.index.close()
  }

  #makeReader(): ChunkReader {
    return new ChunkReader(this.handoff(), { fs: this.#options.fs, ...this.#options.cache })
  }
}

export function openMasterKey(fs: Fs, bricks: readonly string[], unlock: Unlock): Buffer {
  if ('masterKey' in unlock) return Buffer.from(unlock.masterKey)
  return unlockMasterKey(fs, bricks, unlock.passphrase).masterKey
}

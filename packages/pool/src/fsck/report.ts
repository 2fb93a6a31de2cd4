/** What a check of the pool found, and what it did about it. */
import { ChunkHasher } from '../chunk/chunk-hasher.ts'
import { PackReader } from '../pack/reader.ts'
import { threadCodec } from '../pool/thread-memory.ts'
import type { ChunkReader } from '../pool/chunk-reader.ts'
import type { PoolCore } from '../pool/core.ts'

export type FsckLevel =
  /** Superblocks, key slots, log, footers, index, and that every snapshot is complete. */
  | 'structure'
  /** Also every byte of every copy, decrypted and compared with its chunk id. */
  | 'data'

export interface FsckOptions {
  readonly level?: FsckLevel
  /** Rewrites bad copies from good ones. Never deletes. */
  readonly repair?: boolean
}

export interface FsckProblem {
  readonly what:
    | 'superblock'
    | 'key-slot'
    | 'log'
    | 'pack-missing'
    | 'pack-damaged'
    | 'pack-copies'
    | 'index'
    | 'snapshot'
  readonly message: string
  readonly path?: string
  readonly packId?: string
  /** True when it is as it should be now. */
  readonly repaired: boolean
}

/** Beyond so many the list says no more than that everything is broken; the count goes on. */
export const PROBLEMS_MAX = 10_000

export interface AffectedSnapshot {
  readonly id: string
  /** Name of the source, or the id when the manifest itself cannot be read. */
  readonly name: string
  readonly path: string
  /** Why it is not complete. */
  readonly message: string
  readonly missingChunks: number
}

export interface FsckReport {
  readonly level: FsckLevel
  readonly snapshots: number
  readonly packs: number
  readonly records: number
  readonly bytesRead: number
  readonly problems: readonly FsckProblem[]
  readonly problemCount: number
  readonly repairedCount: number
  readonly affected: readonly AffectedSnapshot[]
  /** Nothing is wrong now: all problems are repaired and every snapshot is complete. */
  readonly healthy: boolean
}

export interface FsckProgress {
  readonly phase: 'files' | 'packs' | 'index' | 'snapshots'
  readonly done: number
  readonly total: number
}

/** One check under way; the parts add what they find. */
export class FsckRun {
  readonly core: PoolCore
  readonly reader: ChunkReader
  /** Indexes of bricks that are there. */
  readonly available: readonly number[]
  readonly level: FsckLevel
  readonly repair: boolean
  readonly onProgress: (progress: FsckProgress) => void
  readonly signal: AbortSignal | undefined
  readonly problems: FsckProblem[] = []
  /** Reads single copies, whatever the index says. */
  readonly copyReader: PackReader
  #scratch: Buffer = Buffer.alloc(0)
  problemCount = 0
  repairedCount = 0
  records = 0
  bytesRead = 0

  constructor(parts: {
    core: PoolCore
    reader: ChunkReader
    available: readonly number[]
    options: FsckOptions
    onProgress: (progress: FsckProgress) => void
    signal: AbortSignal | undefined
  }) {
    this.core = parts.core
    this.reader = parts.reader
    this.available = parts.available
    this.level = parts.options.level ?? 'structure'
    this.repair = parts.options.repair ?? false
    this.onProgress = parts.onProgress
    this.signal = parts.signal
    const { deps, keys } = parts.core
    const hasher = new ChunkHasher(keys.chunkIdKey)
    this.copyReader = new PackReader({ fs: deps.fs, keys, codec: threadCodec(), hasher })
  }

  /** Memory for one whole pack, used again for the next. */
  scratch(size: number): Buffer {
    if (this.#scratch.length < size) this.#scratch = Buffer.allocUnsafeSlow(size)
    return this.#scratch
  }

  close(): void {
    this.copyReader.close()
  }

  add(problem: FsckProblem): void {
    this.problemCount += 1
    if (problem.repaired) this.repairedCount += 1
    if (this.problems.length < PROBLEMS_MAX) this.problems.push(problem)
  }
}

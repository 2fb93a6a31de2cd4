/**
 * Reads chunks by id: index look-up, pack record, verification, a small cache. Needs no lock; one
 * per thread. What it returns must not be changed: it may be in the cache.
 *
 * Outside of the owner the index is that of one moment. The owner may have merged its run files
 * since, and a collection may have moved a chunk to another pack; so a reader that does not find
 * what it looks for loads log and index again when the log has grown, and looks once more.
 */
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import type { PoolId } from '@openmaas/kernel/ids'
import { MiB } from '@openmaas/kernel/units'
import { FIXED_CHUNK_SIZE } from '../chunk/chunk.ts'
import type { ChunkSource } from '../chunk/chunk.ts'
import { ChunkHasher } from '../chunk/chunk-hasher.ts'
import { PackStatus } from '../index/pack-table.ts'
import { IndexView } from '../index/view.ts'
import type { IndexHandoff } from '../index/view.ts'
import { KeyRing } from '../keys/key-ring.ts'
import { PackReader } from '../pack/reader.ts'
import type { BadCopy, PackCopies, RecordLocation } from '../pack/reader.ts'
import { loadPool, logSizeOf } from './load.ts'
import { threadCodec } from './thread-memory.ts'
import { PartCache } from './part-cache.ts'
import type { Location } from './types.ts'

/** Everything a thread needs to read the pool. Structured-cloneable. */
export interface ReaderHandoff {
  readonly poolId: PoolId
  readonly masterKey: Uint8Array
  readonly bricks: readonly string[]
  readonly index: IndexHandoff
  /** Outside of the owner: size of the log (load.ts) when the index was loaded. */
  readonly logSize?: number
}

export interface ChunkReaderDeps {
  readonly fs: Fs
  /** Bytes of decoded metadata chunks kept. */
  readonly metadataCacheBytes?: number
  /** Bytes of decoded data chunks kept, and as many again of grains. */
  readonly dataCacheBytes?: number
  readonly onBadCopy?: (copy: BadCopy) => void
}

const METADATA_CACHE_BYTES = 16 * MiB
const DATA_CACHE_BYTES = 16 * MiB

/** A pack as PackReader knows it, with its place in the pack table. */
interface NumberedPack extends PackCopies {
  readonly packNo: number
}

/** Packs whose description is kept; each has some hundred bytes. */
const COPIES_MAX = 65_536

/** What a reader with an old index may meet. */
const OLD_INDEX_CODES = [
  'CHUNK_MISSING',
  'PACK_MISSING',
  'RECORD_INVALID',
  'INDEX_INVALID',
  'FS_NOT_FOUND',
] as const

interface Loaded {
  readonly raw: Buffer
  /** The pack it came from. */
  readonly packNo: number
}

export class ChunkReader implements ChunkSource {
  #index: IndexView
  readonly #fs: Fs
  readonly #keys: KeyRing
  readonly #packs: PackReader
  readonly #bricks: readonly string[]
  /** Undefined in the owner's process, whose index is never old. */
  #logSize: number | undefined
  readonly #copies = new Map<number, NumberedPack>()
  readonly #caches: Record<'data' | 'metadata', ChunkCache>
  readonly #parts: PartCache

  constructor(handoff: ReaderHandoff, deps: ChunkReaderDeps) {
    const keys = new KeyRing(Buffer.from(handoff.masterKey), handoff.poolId)
    const { fs, onBadCopy } = deps
    this.#fs = fs
    this.#keys = keys
    this.#logSize = handoff.logSize
    this.#index = new IndexView(handoff.index, { fs })
    this.#bricks = handoff.bricks
    this.#packs = new PackReader({
      fs,
      keys,
      codec: threadCodec(),
      hasher: new ChunkHasher(keys.chunkIdKey),
      ...(onBadCopy === undefined ? {} : { onBadCopy }),
    })
    this.#caches = {
      metadata: new ChunkCache(deps.metadataCacheBytes ?? METADATA_CACHE_BYTES),
      data: new ChunkCache(deps.dataCacheBytes ?? DATA_CACHE_BYTES),
    }
    this.#parts = new PartCache(deps.dataCacheBytes ?? DATA_CACHE_BYTES)
  }

  /**
   * @returns the raw bytes, verified against the id; not to be changed
   * @throws MaasError CHUNK_MISSING, PACK_MISSING, RECORD_INVALID, INDEX_INVALID, FS_*
   */
  read(id: Buffer): Buffer {
    const key = id.toString('latin1')
    const cached = this.#caches.metadata.get(key) ?? this.#caches.data.get(key)
    if (cached !== undefined) return cached
    const { raw, packNo } = this.#load(id)
    this.#caches[this.#index.packs.file(packNo).kind].set(key, raw)
    return raw
  }

  /**
   * Reads past the cache into the target.
   * @returns the first rawLength bytes of the target; a buffer of its own when the chunk is longer
   */
  readInto(id: Buffer, target: Buffer): Buffer {
    return this.#load(id, target).raw
  }

  /** See ChunkSource. A whole grain is decoded into the target itself, and not kept. */
  readPart(id: Buffer, start: number, target: Buffer): number {
    const key = id.toString('latin1')
    const cached = this.#parts.get(key) ?? this.#caches.data.get(key)
    if (cached !== undefined) {
      cached.copy(target, 0, Math.min(start, cached.length))
      return cached.length
    }
    if (start === 0 && target.length >= FIXED_CHUNK_SIZE) {
      const raw = this.readInto(id, target)
      if (raw.buffer !== target.buffer) raw.copy(target)
      return raw.length
    }
    const slot = this.#parts.take()
    let raw: Buffer
    try {
      raw = this.readInto(id, slot)
    } catch (error) {
      this.#parts.give(slot)
      throw error
    }
    raw.copy(target, 0, Math.min(start, raw.length))
    if (raw.buffer === slot.buffer) this.#parts.set(key, slot, raw.length)
    else {
      // Longer than a slot.
      this.#parts.give(slot)
      this.#caches.data.set(key, raw)
    }
    return raw.length
  }

  /** True when the index knows a location that may be read. */
  has(id: Buffer): boolean {
    return this.#locate(id, new Set()) !== undefined
  }

  /** Reads one exact copy's record, for compaction and fsck. */
  readAt(id: Buffer, location: Location): Buffer {
    return this.#packs.read(this.#recordAt(id, location))
  }

  /** Forgets an open pack, because it was deleted or repaired. */
  forget(packNo: number): void {
    const copies = this.#copies.get(packNo)
    if (copies !== undefined) this.#packs.forget(copies)
    this.#copies.delete(packNo)
  }

  close(): void {
    this.#packs.close()
    this.#index.close()
  }

  #load(id: Buffer, target?: Buffer): Loaded {
    try {
      return this.#tryLoad(id, target)
    } catch (error) {
      const isOld = OLD_INDEX_CODES.some((code) => isMaasError(error, code))
      if (!isOld || !this.#reload()) throw error
      return this.#tryLoad(id, target)
    }
  }

  /** Loads log and index as they are now. @returns false when nothing has changed */
  #reload(): boolean {
    if (this.#logSize === undefined) return false
    if (logSizeOf(this.#fs, this.#bricks) === this.#logSize) return false
    const { index, logSize } = loadPool(this.#fs, this.#bricks, this.#keys)
    for (const packNo of this.#copies.keys()) this.forget(packNo)
    this.#index.close()
    index.close()
    this.#index = new IndexView(index.handoff(), { fs: this.#fs })
    this.#logSize = logSize
    return true
  }

  #tryLoad(id: Buffer, target?: Buffer): Loaded {
    const next = this.#loadNext(id, target)
    if (next !== undefined) return next
    const tried = new Set<number>()
    let failure: MaasError | undefined
    for (;;) {
      const location = this.#locate(id, tried)
      if (location === undefined) throw failure ?? this.#missing(id)
      tried.add(location.packNo)
      try {
        const raw = this.#packs.read(this.#recordAt(id, location), target)
        return { raw, packNo: location.packNo }
      } catch (error) {
        // Another pack may hold the chunk too; the first failure is told when none does.
        if (!isMaasError(error)) throw error
        failure ??= error
        this.forget(location.packNo)
      }
    }
  }

  /** The chunk that stands behind the last one read, while its pack may be read. */
  #loadNext(id: Buffer, target?: Buffer): Loaded | undefined {
    const location = this.#packs.locateNext(id)
    if (location === undefined) return undefined
    const { packNo } = location.pack as NumberedPack
    const { packs } = this.#index
    const status = packs.status(packNo)
    if (status !== PackStatus.live && status !== PackStatus.condemned) return undefined
    try {
      return { raw: this.#packs.read(location, target), packNo }
    } catch (error) {
      if (!isMaasError(error)) throw error
      // As with every location that fails: the index may know a better one.
      this.forget(packNo)
      return undefined
    }
  }

  /** Live packs first; a condemned one is readable until it is deleted. */
  #locate(id: Buffer, tried: ReadonlySet<number>): Location | undefined {
    const { packs } = this.#index
    const accept = (status: PackStatus) => (packNo: number) =>
      packs.status(packNo) === status && !tried.has(packNo)
    return (
      this.#index.find(id, accept(PackStatus.live)) ??
      this.#index.find(id, accept(PackStatus.condemned))
    )
  }

  #missing(id: Buffer): MaasError {
    const details = { chunkId: id.toString('hex') }
    return this.#index.damaged
      ? new MaasError('INDEX_INVALID', 'the index is damaged; the chunk may be there', details)
      : new MaasError('CHUNK_MISSING', 'the pool does not hold the chunk', details)
  }

  #recordAt(id: Buffer, location: Location): RecordLocation {
    return { ...location, chunkId: id, pack: this.#packAt(location.packNo) }
  }

  #packAt(packNo: number): NumberedPack {
    const known = this.#copies.get(packNo)
    if (known !== undefined) return known
    if (this.#copies.size >= COPIES_MAX) {
      const [oldest] = this.#copies.keys()
      this.forget(oldest!)
    }
    const { packId, bricks } = this.#index.packs.file(packNo)
    const copies = { packNo, packId, bricks: bricks.map((brick) => this.#bricks[brick]!) }
    this.#copies.set(packNo, copies)
    return copies
  }
}

/** Least recently used, bounded by bytes. A Map keeps its keys in order of insertion. */
class ChunkCache {
  readonly #budget: number
  readonly #entries = new Map<string, Buffer>()
  #bytes = 0

  constructor(budget: number) {
    this.#budget = budget
  }

  get(key: string): Buffer | undefined {
    const value = this.#entries.get(key)
    if (value === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }

  set(key: string, value: Buffer): void {
    if (value.length > this.#budget) return
    this.#bytes += value.length
    this.#entries.set(key, value)
    for (const [oldest, { length }] of this.#entries) {
      if (this.#bytes <= this.#budget) break
      this.#entries.delete(oldest)
      this.#bytes -= length
    }
  }
}

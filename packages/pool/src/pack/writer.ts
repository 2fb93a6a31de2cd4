/**
 * Fills packs, one after the other, in one buffer that is reused (docs/formats/pack.md).
 *
 *     idle ── append ──► filling ── seal ──► idle
 *                          │  ▲
 *            a call fails  ▼  │  new id, same records, same offsets, encrypted again
 *                        poisoned ── third failure in a row ──► failed (throws)
 *
 * The whole pack stays in memory until it is sealed, because only memory can be believed after
 * a failed write or sync: the kernel may have dropped the pages and would report success the
 * next time. So a file is never touched again after an error (POOL.md, section 3).
 *
 * Everything is synchronous: one writer belongs to one lane. Memory: `sizeMax` bytes.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { MiB } from '@openmaas/kernel/units'
import type { Fs } from '@openmaas/kernel/fs'
import type { Random } from '@openmaas/kernel/random'
import { PackHasher } from '../chunk/chunk-hasher.ts'
import type { ChunkType, PackKind } from '../chunk/chunk.ts'
import type { ChunkHasher } from '../chunk/chunk-hasher.ts'
import type { PayloadCodec } from '../chunk/payload-codec.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { PackFiles } from './files.ts'
import { PACK_ALIGNMENT, PACK_ID_SIZE } from './format.ts'
import { PackImage } from './image.ts'
import type { RecordEntry } from './format.ts'
import type { AppendedRecord } from './image.ts'

export type { AppendedRecord }

/** File size aimed at: large for sequential speed, small enough to sit in a lane's memory. */
export const PACK_SIZES: Record<PackKind, number> = { data: 64 * MiB, metadata: 16 * MiB }

/** Smaller writes do not reach the speed of the disk. */
const PIECE_SIZE = 1 * MiB

/** Failed files in a row for the same records: a disk that fails thrice is not given a fourth. */
export const PACK_FAILURES_MAX = 3

export interface PackIdentity {
  /** 16 random bytes, never used for another file. */
  readonly packId: Buffer
  readonly kind: PackKind
  /** Absolute paths of the bricks that get a copy. */
  readonly bricks: readonly string[]
}

export interface PackFailure {
  readonly error: MaasError
  /** Whose call failed. */
  readonly brick: string
  /** Bricks on which the dead file could not be removed: recovery takes it to quarantine. */
  readonly leftBehind: readonly string[]
}

export interface SealedPack extends PackIdentity {
  /** Bytes of the file. */
  readonly size: number
  /** BLAKE3 of everything before the trailer. */
  readonly hash: Buffer
  /** Count of records. */
  readonly records: number
  /** Raw bytes of all records. */
  readonly rawBytes: number
}

export interface PackWriterOptions {
  readonly fs: Fs
  readonly random: Random
  readonly keys: KeyRing
  readonly codec: PayloadCodec
  readonly hasher: ChunkHasher
  readonly kind: PackKind
  /** Names the bricks of a new file. Asked again for each new file, also after a failure. */
  readonly place: (kind: PackKind) => readonly string[]
  /**
   * A pack id came to life, before its first byte is written. After a failure the writer already
   * holds the records of the poisoned pack: `records()` gives them, at their old offsets.
   */
  readonly onOpen?: (pack: PackIdentity) => void
  /** A pack id died; none of its bytes may be referred to. `onOpen` of its successor follows. */
  readonly onPoison?: (pack: PackIdentity, failure: PackFailure) => void
  /** Bytes of the largest file; an empty pack has to hold the largest chunk that is put. */
  readonly sizeMax?: number
  /** Written as soon as so many bytes are complete. */
  readonly pieceSize?: number
  /** Page-aligned memory of sizeMax bytes to use, so that it can be reused; made when absent. */
  readonly buffer?: Buffer
}

export class PackWriter {
  readonly #options: PackWriterOptions
  readonly #image: PackImage
  readonly #files: PackFiles
  readonly #packHasher = new PackHasher()
  #identity: PackIdentity | undefined
  #isFailed = false
  /** Bytes that are in the files (and in the hash). */
  #flushed = 0
  #failures = 0

  constructor(options: PackWriterOptions) {
    const { keys, codec, hasher, kind, buffer, sizeMax = PACK_SIZES[kind] } = options
    this.#options = options
    const memory = buffer === undefined ? {} : { buffer }
    this.#image = new PackImage({ keys, codec, hasher, kind, sizeMax, ...memory })
    this.#files = new PackFiles(options.fs)
  }

  /** The pack being filled, if any. */
  get pack(): PackIdentity | undefined {
    return this.#identity
  }

  /** Records in the pack being filled. */
  get count(): number {
    return this.#identity === undefined ? 0 : this.#image.count
  }

  /** Bytes the pack would have in the file system if it was sealed now; 0 when there is none. */
  get size(): number {
    return this.#identity === undefined ? 0 : this.#image.size
  }

  /** The records of the pack being filled, in order. */
  *records(): Generator<RecordEntry> {
    if (this.#identity !== undefined) yield* this.#image.records()
  }

  /**
   * Encodes a chunk, reads it back, and adds it. The raw bytes may be reused afterwards.
   *
   * @returns undefined when the pack is full: seal it and append again
   * @throws MaasError ENCODE_MISMATCH when the encoded record does not read back as its id;
   *   FS_* after PACK_FAILURES_MAX failed files; what `place` throws. The writer is then dead:
   *   only `abandon` may follow.
   */
  append(type: ChunkType, chunkId: Buffer, raw: Buffer): AppendedRecord | undefined {
    return this.#alive(() => {
      if (this.#identity === undefined) this.#begin()
      if (!this.#image.fits(raw.length)) {
        assert(this.#image.count > 0, 'a chunk fits an empty pack')
        return undefined
      }
      // Earlier records first: when that fails, `records()` holds what the caller knows about.
      const { end } = this.#image
      if (end - this.#flushed >= (this.#options.pieceSize ?? PIECE_SIZE)) {
        this.#persist(() => this.#flush(end - (end % PACK_ALIGNMENT)))
      }
      return this.#image.append(type, chunkId, raw)
    })
  }

  /**
   * Makes the pack durable on all its bricks: footer, file sync, directory sync.
   * @returns undefined when nothing was appended
   * @throws as `append`
   */
  seal(): SealedPack | undefined {
    if (this.#identity === undefined) return undefined
    const hash = this.#alive(() => this.#persist(() => this.#finish()))
    const { size, count, rawBytes } = this.#image
    const sealed = { ...this.#identity, size, hash, records: count, rawBytes }
    this.#identity = undefined
    return sealed
  }

  /** Gives up the pack being filled: its files are removed where that works. */
  abandon(): void {
    if (this.#identity !== undefined) this.#files.discard()
    this.#identity = undefined
  }

  #begin(): void {
    this.#failures = 0
    this.#identity = this.#makeIdentity()
    this.#image.begin(this.#identity.packId)
    this.#announce(this.#identity)
  }

  #makeIdentity(): PackIdentity {
    const { random, kind, place } = this.#options
    const bricks = [...place(kind)]
    assert(bricks.length > 0, 'a pack goes to at least one brick')
    return { packId: random.bytes(PACK_ID_SIZE), kind, bricks }
  }

  #announce(identity: PackIdentity): void {
    this.#flushed = 0
    this.#packHasher.reset()
    this.#files.begin(identity)
    this.#options.onOpen?.(identity)
  }

  #flush(limit: number): void {
    const bytes = this.#image.bytes.subarray(this.#flushed, limit)
    this.#files.write(bytes, this.#flushed)
    this.#packHasher.update(bytes)
    this.#flushed = limit
  }

  /** Footer, sync, close. Run again from the beginning on the files of a new id. */
  #finish(): Buffer {
    const image = this.#image
    const trailerOffset = image.encodeTable()
    this.#packHasher.update(image.bytes.subarray(this.#flushed, trailerOffset))
    const hash = this.#packHasher.digest()
    image.encodeTrailer(hash)
    this.#files.write(image.bytes.subarray(this.#flushed, image.size), this.#flushed)
    this.#files.sync()
    return hash
  }

  /** Runs a step on the files; after a failure, everything again under a new id. */
  #persist<T>(step: () => T): T {
    for (;;) {
      try {
        return step()
      } catch (error) {
        if (!(error instanceof MaasError && error.code.startsWith('FS_'))) throw error
        this.#poison(error)
      }
      this.#identity = this.#makeIdentity()
      this.#image.changeId(this.#identity.packId)
      this.#announce(this.#identity)
    }
  }

  #poison(error: MaasError): void {
    assert(this.#identity !== undefined, 'a pack is open')
    const brick = this.#files.lastBrick
    const leftBehind = this.#files.discard()
    this.#options.onPoison?.(this.#identity, { error, brick, leftBehind })
    this.#failures += 1
    if (this.#failures < PACK_FAILURES_MAX) return
    throw new MaasError(
      error.code,
      `a pack could not be written in ${PACK_FAILURES_MAX} attempts: ${error.message}`,
      { ...error.details, brick },
      { cause: error },
    )
  }

  /** Whatever is thrown in here leaves a pack whose state nobody knows: the writer is dead. */
  #alive<T>(step: () => T): T {
    assert(!this.#isFailed, 'a failed writer is not used again')
    this.#isFailed = true
    const result = step()
    this.#isFailed = false
    return result
  }
}

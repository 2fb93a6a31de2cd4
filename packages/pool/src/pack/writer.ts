/**
 * Fills packs, one after the other, in one buffer that is reused (docs/formats/pack.md).
 *
 *     idle ── append ──► filling ── seal ──► sealed = idle
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
import { crc32c } from '@node-rs/crc32'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { alignedBuffer } from '@openmaas/kernel/posix/align'
import { MiB } from '@openmaas/kernel/units'
import type { Fs } from '@openmaas/kernel/fs'
import type { Random } from '@openmaas/kernel/random'
import { CHUNK_SIZE_MAX } from '../chunk/chunk.ts'
import { PackHasher } from '../chunk/chunk-hasher.ts'
import { TAG_SIZE } from '../chunk/primitives.ts'
import type { ChunkType, PackKind } from '../chunk/chunk.ts'
import type { ChunkHasher } from '../chunk/chunk-hasher.ts'
import type { Codec, PayloadCodec } from '../chunk/payload-codec.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { PackFiles } from './files.ts'
import {
  decodeRecordHeader,
  encodePackHeader,
  encodePackTrailer,
  encodeRecordHeader,
  encodeTableEntry,
  kindAllows,
  PACK_ALIGNMENT,
  PACK_HEADER_SIZE,
  PACK_ID_SIZE,
  PACK_RECORDS_MAX,
  PACK_TRAILER_SIZE,
  packFileSize,
  RECORD_HEADER_SIZE,
  RECORD_OVERHEAD,
  RecordBinding,
  recordEnd,
  TABLE_ENTRY_SIZE,
} from './format.ts'
import type { RecordEntry } from './format.ts'

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

export interface AppendedRecord {
  readonly recordNumber: number
  readonly offset: number
  readonly encodedLength: number
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
  readonly sizeMax?: number
}

export class PackWriter {
  readonly #options: PackWriterOptions
  readonly #buffer: Buffer
  readonly #binding = new RecordBinding()
  readonly #bindingBefore = new RecordBinding()
  readonly #packHasher = new PackHasher()
  readonly #files: PackFiles
  #identity: PackIdentity | undefined
  #key: Buffer = Buffer.alloc(0)
  #state: 'idle' | 'filling' | 'failed' = 'idle'
  #count = 0
  /** End of the last record. */
  #end = 0
  /** Bytes that are in the files (and in the hash). */
  #flushed = 0
  #rawBytes = 0
  #failures = 0

  constructor(options: PackWriterOptions) {
    const sizeMax = options.sizeMax ?? PACK_SIZES[options.kind]
    assert(sizeMax % PACK_ALIGNMENT === 0, 'a pack is whole blocks')
    assert(sizeMax >= 2 * CHUNK_SIZE_MAX, 'any chunk fits an empty pack')
    this.#options = options
    this.#buffer = alignedBuffer(sizeMax)
    this.#files = new PackFiles(options.fs)
  }

  /** The pack being filled, if any. */
  get pack(): PackIdentity | undefined {
    return this.#identity
  }

  /** Records in the pack being filled. */
  get count(): number {
    return this.#count
  }

  /** Bytes the pack would have in the file system if it was sealed now; 0 when there is none. */
  get size(): number {
    return this.#identity === undefined ? 0 : packFileSize(this.#end, this.#count)
  }

  /**
   * Encodes a chunk, reads it back, and adds it. The raw bytes may be reused afterwards.
   *
   * @returns undefined when the pack is full: seal it and append again
   * @throws MaasError ENCODE_MISMATCH when the encoded record does not read back as its id;
   *   FS_* after PACK_FAILURES_MAX failed files; what `place` throws. The writer is then dead.
   */
  append(type: ChunkType, chunkId: Buffer, raw: Buffer): AppendedRecord | undefined {
    assert(this.#state !== 'failed', 'a failed writer is not used again')
    assert(kindAllows(this.#options.kind, type), 'a chunk goes to a pack of its kind')
    if (this.#state === 'idle') this.#begin()
    const worst = packFileSize(this.#end + RECORD_OVERHEAD + raw.length, this.#count + 1)
    if (worst > this.#buffer.length || this.#count === PACK_RECORDS_MAX) return undefined
    // Earlier records first: when that fails, `records()` holds what the caller knows about.
    if (this.#end - this.#flushed >= PIECE_SIZE) this.#guard(() => this.#flushPieces())
    return this.#alive(() => this.#encode(type, chunkId, raw))
  }

  /** The records of the pack being filled, in order. */
  *records(): Generator<RecordEntry> {
    let offset = PACK_HEADER_SIZE
    for (let recordNumber = 0; recordNumber < this.#count; recordNumber += 1) {
      const header = decodeRecordHeader(this.#buffer.subarray(offset))
      assert(header !== undefined, 'the records in memory are whole')
      const { chunkId, encodedLength, rawLength, type, codec } = header
      yield { chunkId, recordNumber, offset, encodedLength, rawLength, type, codec }
      offset = recordEnd(offset, encodedLength)
    }
  }

  /**
   * Makes the pack durable on all its bricks: footer, file sync, directory sync.
   * @returns undefined when nothing was appended
   * @throws as `append`
   */
  seal(): SealedPack | undefined {
    assert(this.#state !== 'failed', 'a failed writer is not used again')
    if (this.#identity === undefined || this.#count === 0) return undefined
    let hash: Buffer = Buffer.alloc(0)
    this.#guard(() => {
      hash = this.#finish()
    })
    const sealed: SealedPack = {
      ...this.#identity,
      size: packFileSize(this.#end, this.#count),
      hash,
      records: this.#count,
      rawBytes: this.#rawBytes,
    }
    this.#reset()
    return sealed
  }

  /** Gives up the pack being filled: its files are removed where that works. */
  abandon(): void {
    if (this.#identity !== undefined) this.#files.discard()
    this.#reset()
  }

  #reset(): void {
    this.#identity = undefined
    this.#state = 'idle'
    this.#count = 0
    this.#rawBytes = 0
    this.#failures = 0
  }

  #begin(): void {
    this.#end = PACK_HEADER_SIZE
    this.#alive(() => this.#openIdentity())
    this.#state = 'filling'
  }

  /** A new id and key, the header in the buffer; the files come with the first flush. */
  #openIdentity(): void {
    const { random, keys, kind, place } = this.#options
    const bricks = place(kind)
    assert(bricks.length > 0, 'a pack goes to at least one brick')
    this.#identity = { packId: random.bytes(PACK_ID_SIZE), kind, bricks: [...bricks] }
    this.#key = keys.packKey(this.#identity.packId)
    this.#flushed = 0
    this.#packHasher.reset()
    const { packId } = this.#identity
    encodePackHeader({ kind, poolId: keys.poolIdBytes, packId }, this.#buffer)
    this.#files.begin(this.#identity)
    this.#options.onOpen?.(this.#identity)
  }

  #encode(type: ChunkType, chunkId: Buffer, raw: Buffer): AppendedRecord {
    const { codec } = this.#options
    const offset = this.#end
    const recordNumber = this.#count
    const packed = codec.pack(raw)
    const encodedLength = packed.length + TAG_SIZE
    const begin = offset + RECORD_HEADER_SIZE
    const header = this.#buffer.subarray(offset, begin)
    const encoded = this.#buffer.subarray(begin, begin + encodedLength)
    const numberLow = recordNumber & 0xff
    const rawLength = raw.length
    encodeRecordHeader(
      { type, codec: packed.codec, numberLow, rawLength, encodedLength, chunkId },
      header,
    )
    const operation = this.#bind(this.#binding, this.#key, recordNumber, header)
    codec.seal(operation, encoded)
    this.#verify(operation, { codec: packed.codec, encoded, rawLength, chunkId })
    this.#buffer.writeUInt32LE(crc32c(encoded), begin + encodedLength)
    this.#end = recordEnd(offset, encodedLength)
    this.#count += 1
    this.#rawBytes += rawLength
    return { recordNumber, offset, encodedLength }
  }

  /** Bad memory and codec bugs end here, before the record counts. */
  #verify(
    operation: { key: Buffer; nonce: Buffer; associatedData: Buffer },
    record: { codec: Codec; encoded: Buffer; rawLength: number; chunkId: Buffer },
  ): void {
    const { codec, hasher } = this.#options
    const back = codec.openToScratch(operation, record.codec, record.encoded, record.rawLength)
    if (back !== undefined && hasher.hash(back).equals(record.chunkId)) return
    throw new MaasError('ENCODE_MISMATCH', 'an encoded chunk does not read back as its id', {
      chunkId: record.chunkId.toString('hex'),
      step: back === undefined ? 'decode' : 'hash',
    })
  }

  #bind(binding: RecordBinding, key: Buffer, recordNumber: number, header: Buffer) {
    assert(this.#identity !== undefined, 'a pack is open')
    const poolId = this.#options.keys.poolIdBytes
    const { nonce, associatedData } = binding.bind(
      { poolId, packId: this.#identity.packId },
      recordNumber,
      header,
    )
    return { key, nonce, associatedData }
  }

  /** Writes whole blocks of what is complete. */
  #flushPieces(): void {
    this.#flushTo(this.#end - (this.#end % PACK_ALIGNMENT))
  }

  #flushTo(limit: number): void {
    const bytes = this.#buffer.subarray(this.#flushed, limit)
    this.#files.write(bytes, this.#flushed)
    this.#packHasher.update(bytes)
    this.#flushed = limit
  }

  /** Footer, sync, close. Can be run again from the beginning on the files of a new id. */
  #finish(): Buffer {
    const size = packFileSize(this.#end, this.#count)
    const trailerOffset = size - PACK_TRAILER_SIZE
    const tableOffset = trailerOffset - this.#count * TABLE_ENTRY_SIZE
    // The buffer may still hold bytes of an earlier pack here.
    this.#buffer.fill(0, this.#end, tableOffset)
    for (const record of this.records()) {
      encodeTableEntry(
        record,
        this.#buffer.subarray(tableOffset + record.recordNumber * TABLE_ENTRY_SIZE, trailerOffset),
      )
    }
    this.#packHasher.update(this.#buffer.subarray(this.#flushed, trailerOffset))
    const hash = this.#packHasher.digest()
    encodePackTrailer(
      {
        count: this.#count,
        tableOffset,
        recordsEnd: this.#end,
        kind: this.#options.kind,
        hash,
      },
      this.#buffer.subarray(trailerOffset),
    )
    this.#files.write(this.#buffer.subarray(this.#flushed, size), this.#flushed)
    this.#flushed = size
    this.#files.sync()
    return hash
  }

  /** Runs a step on the files; after a failure, everything again under a new id. */
  #guard(step: () => void): void {
    this.#alive(() => {
      for (;;) {
        try {
          return step()
        } catch (error) {
          if (!(error instanceof MaasError && error.code.startsWith('FS_'))) throw error
          this.#poison(error)
        }
        this.#reopen()
      }
    })
  }

  /** Whatever is thrown here leaves a pack whose state nobody knows: the writer is dead. */
  #alive<T>(step: () => T): T {
    let done = false
    try {
      const result = step()
      done = true
      return result
    } finally {
      if (!done) this.#state = 'failed'
    }
  }

  #poison(error: MaasError): void {
    assert(this.#identity !== undefined, 'a pack is open')
    const brick = this.#files.lastBrick
    const leftBehind = this.#files.discard()
    this.#options.onPoison?.(this.#identity, { error, brick, leftBehind })
    this.#failures += 1
    if (this.#failures < PACK_FAILURES_MAX) return
    const { path, errno } = error.details
    throw new MaasError(
      error.code,
      `a pack could not be written in ${PACK_FAILURES_MAX} attempts: ${error.message}`,
      { ...(path === undefined ? {} : { path }), ...(errno === undefined ? {} : { errno }), brick },
      { cause: error },
    )
  }

  /** The same records at the same offsets, encrypted for a new pack id. */
  #reopen(): void {
    assert(this.#identity !== undefined, 'a pack is open')
    const before = this.#identity
    const keyBefore = this.#key
    const { keys, codec } = this.#options
    const poolId = keys.poolIdBytes
    const entries = [...this.records()]
    this.#openIdentity()
    for (const entry of entries) {
      const begin = entry.offset + RECORD_HEADER_SIZE
      const header = this.#buffer.subarray(entry.offset, begin)
      const encoded = this.#buffer.subarray(begin, begin + entry.encodedLength)
      const bound = this.#bindingBefore.bind(
        { poolId, packId: before.packId },
        entry.recordNumber,
        header,
      )
      const from = {
        key: keyBefore,
        nonce: bound.nonce,
        associatedData: bound.associatedData,
      }
      const to = this.#bind(this.#binding, this.#key, entry.recordNumber, header)
      const read = codec.reseal(from, to, encoded)
      assert(read, 'the records in memory are whole')
      this.#verify(to, { ...entry, encoded })
      this.#buffer.writeUInt32LE(crc32c(encoded), begin + entry.encodedLength)
    }
  }
}

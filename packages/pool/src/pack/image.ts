/**
 * A pack in memory while it is filled: header, encoded records, later table and trailer. Only
 * bytes and keys; files are the writer's.
 *
 * Every record is decoded and compared with its id right after it was encoded, so bad memory and
 * codec bugs end here and not in a pack.
 */
import { crc32c } from '@node-rs/crc32'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { alignedBuffer } from '@openmaas/kernel/posix/align'
import { TAG_SIZE } from '../chunk/primitives.ts'
import type { ChunkType, PackKind } from '../chunk/chunk.ts'
import type { ChunkHasher } from '../chunk/chunk-hasher.ts'
import type { Codec, PayloadCodec } from '../chunk/payload-codec.ts'
import type { CipherOperation } from '../chunk/primitives.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import {
  decodeRecordHeader,
  encodePackHeader,
  encodePackTrailer,
  encodeRecordHeader,
  encodeTableEntry,
  kindAllows,
  PACK_ALIGNMENT,
  PACK_HEADER_SIZE,
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

export interface AppendedRecord {
  readonly recordNumber: number
  /** Of the record in the file. */
  readonly offset: number
  /** Ciphertext and tag. */
  readonly encodedLength: number
}

export interface PackImageOptions {
  readonly keys: KeyRing
  readonly codec: PayloadCodec
  readonly hasher: ChunkHasher
  readonly kind: PackKind
  /** Bytes of the largest file. */
  readonly sizeMax: number
  /** Page-aligned memory of that size to use; made when absent. */
  readonly buffer?: Buffer
}

export class PackImage {
  /** Page aligned, for direct I/O. Bytes behind `end` mean nothing until `encodeFooter`. */
  readonly bytes: Buffer
  readonly #options: PackImageOptions
  readonly #binding = new RecordBinding()
  readonly #bindingBefore = new RecordBinding()
  #packId: Buffer = Buffer.alloc(0)
  #key: Buffer = Buffer.alloc(0)
  #count = 0
  #end = 0
  #rawBytes = 0

  constructor(options: PackImageOptions) {
    assert(options.sizeMax % PACK_ALIGNMENT === 0, 'a pack is whole blocks')
    assert(options.sizeMax >= 2 * PACK_ALIGNMENT, 'a pack has room for a chunk')
    this.#options = options
    const { sizeMax, buffer } = options
    assert(buffer === undefined || buffer.length === sizeMax, 'the memory is of the right size')
    this.bytes = buffer ?? alignedBuffer(sizeMax)
  }

  /** Count of records. */
  get count(): number {
    return this.#count
  }

  /** End of the last record. */
  get end(): number {
    return this.#end
  }

  /** Of the file, if it was sealed now. */
  get size(): number {
    return packFileSize(this.#end, this.#count)
  }

  /** Of all records together. */
  get rawBytes(): number {
    return this.#rawBytes
  }

  /** Empties the image for a pack of that id. */
  begin(packId: Buffer): void {
    this.#count = 0
    this.#rawBytes = 0
    this.#end = PACK_HEADER_SIZE
    this.#setId(packId)
  }

  fits(rawLength: number): boolean {
    // The worst case: bytes that do not compress.
    const end = this.#end + RECORD_OVERHEAD + rawLength
    return this.#count < PACK_RECORDS_MAX && packFileSize(end, this.#count + 1) <= this.bytes.length
  }

  /**
   * Adds a record. The raw bytes may be reused afterwards.
   * @throws MaasError ENCODE_MISMATCH when it does not read back; then the image is not used on
   */
  append(type: ChunkType, chunkId: Buffer, raw: Buffer): AppendedRecord {
    const { codec, kind } = this.#options
    assert(kindAllows(kind, type), 'a chunk goes to a pack of its kind')
    assert(this.fits(raw.length), 'the caller asked whether the chunk fits')
    const offset = this.#end
    const recordNumber = this.#count
    const rawLength = raw.length
    const packed = codec.pack(raw)
    const encodedLength = packed.length + TAG_SIZE
    const { header, encoded, crcAt } = this.#slices(offset, encodedLength)
    const numberLow = recordNumber & 0xff
    encodeRecordHeader(
      { type, codec: packed.codec, numberLow, rawLength, encodedLength, chunkId },
      header,
    )
    const operation = this.#operation(this.#binding, recordNumber, header)
    codec.seal(operation, encoded)
    this.#verify(operation, { codec: packed.codec, encoded, rawLength, chunkId })
    this.bytes.writeUInt32LE(crc32c(encoded), crcAt)
    this.#end = recordEnd(offset, encodedLength)
    this.#count += 1
    this.#rawBytes += rawLength
    return { recordNumber, offset, encodedLength }
  }

  /** The records, in order. */
  *records(): Generator<RecordEntry> {
    let offset = PACK_HEADER_SIZE
    for (let recordNumber = 0; recordNumber < this.#count; recordNumber += 1) {
      const header = decodeRecordHeader(this.bytes.subarray(offset, offset + RECORD_HEADER_SIZE))
      if (header === undefined) throw this.#mismatch(Buffer.alloc(0), 'header in memory')
      const { chunkId, encodedLength, rawLength, type, codec } = header
      yield { chunkId, recordNumber, offset, encodedLength, rawLength, type, codec }
      offset = recordEnd(offset, encodedLength)
    }
  }

  /**
   * The same records at the same offsets, encrypted for another pack id: what was written under
   * the old id is dead, and a key is never used twice for one nonce.
   */
  changeId(packId: Buffer): void {
    const before = { poolId: this.#options.keys.poolIdBytes, packId: this.#packId }
    const keyBefore = this.#key
    this.#setId(packId)
    for (const record of this.records()) {
      const { recordNumber } = record
      const { header, encoded, crcAt } = this.#slices(record.offset, record.encodedLength)
      const { nonce, associatedData } = this.#bindingBefore.bind(before, recordNumber, header)
      const from = { key: keyBefore, nonce, associatedData }
      const to = this.#operation(this.#binding, recordNumber, header)
      if (!this.#options.codec.reseal(from, to, encoded)) {
        throw this.#mismatch(record.chunkId, 'payload in memory')
      }
      this.#verify(to, { ...record, encoded })
      this.bytes.writeUInt32LE(crc32c(encoded), crcAt)
    }
  }

  /** Writes zeros and table behind the records. @returns the offset of the trailer */
  encodeTable(): number {
    const trailerOffset = this.size - PACK_TRAILER_SIZE
    const tableOffset = trailerOffset - this.#count * TABLE_ENTRY_SIZE
    // Bytes of an earlier pack may stand here.
    this.bytes.fill(0, this.#end, tableOffset)
    for (const record of this.records()) {
      const at = tableOffset + record.recordNumber * TABLE_ENTRY_SIZE
      encodeTableEntry(record, this.bytes.subarray(at, at + TABLE_ENTRY_SIZE))
    }
    return trailerOffset
  }

  /** @param hash of everything before the trailer */
  encodeTrailer(hash: Buffer): void {
    const trailerOffset = this.size - PACK_TRAILER_SIZE
    const tableOffset = trailerOffset - this.#count * TABLE_ENTRY_SIZE
    const { kind } = this.#options
    encodePackTrailer(
      { count: this.#count, tableOffset, recordsEnd: this.#end, kind, hash },
      this.bytes.subarray(trailerOffset, trailerOffset + PACK_TRAILER_SIZE),
    )
  }

  #setId(packId: Buffer): void {
    const { keys, kind } = this.#options
    this.#packId = packId
    this.#key = keys.packKey(packId)
    encodePackHeader({ kind, poolId: keys.poolIdBytes, packId }, this.bytes)
  }

  #slices(offset: number, encodedLength: number) {
    const begin = offset + RECORD_HEADER_SIZE
    const crcAt = begin + encodedLength
    const header = this.bytes.subarray(offset, begin)
    return { header, encoded: this.bytes.subarray(begin, crcAt), crcAt }
  }

  #operation(binding: RecordBinding, recordNumber: number, header: Buffer): CipherOperation {
    const pack = { poolId: this.#options.keys.poolIdBytes, packId: this.#packId }
    const { nonce, associatedData } = binding.bind(pack, recordNumber, header)
    return { key: this.#key, nonce, associatedData }
  }

  #verify(
    operation: CipherOperation,
    record: { codec: Codec; encoded: Buffer; rawLength: number; chunkId: Buffer },
  ): void {
    const { codec, hasher } = this.#options
    const back = codec.openToScratch(operation, record.codec, record.encoded, record.rawLength)
    if (back === undefined) throw this.#mismatch(record.chunkId, 'payload')
    if (!hasher.matches(back, record.chunkId)) throw this.#mismatch(record.chunkId, 'id')
  }

  #mismatch(chunkId: Buffer, what: string): MaasError {
    return new MaasError('ENCODE_MISMATCH', `an encoded chunk does not read back: ${what}`, {
      chunkId: chunkId.toString('hex'),
      packId: this.#packId.toString('hex'),
      what,
    })
  }
}

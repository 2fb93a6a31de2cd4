/**
 * Bytes of a pack file (docs/formats/pack.md; offsets stand there and in the code below).
 *
 *     header 64 | records | zeros | table 52 × count | trailer 64     size = n × 4096
 *
 * Decoders verify magic and checksum before any field, reserved bytes and lengths before use,
 * and answer undefined for damage: the caller knows the path and says it.
 */
import { crc32c } from '@node-rs/crc32'
import { assert } from '@openmaas/kernel/assert'
import { KiB, MiB } from '@openmaas/kernel/units'
import { CHUNK_ID_SIZE, CHUNK_SIZE_MAX, isChunkType, packKindOf } from '../chunk/chunk.ts'
import type { ChunkType, PackKind } from '../chunk/chunk.ts'
import { CODEC_RAW, CODEC_ZSTD } from '../chunk/payload-codec.ts'
import type { Codec } from '../chunk/payload-codec.ts'
import { TAG_SIZE } from '../chunk/primitives.ts'

export const PACK_VERSION = 1
export const PACK_ID_SIZE = 16
export const PACK_HASH_SIZE = 32

export const PACK_HEADER_SIZE = 64
export const RECORD_HEADER_SIZE = 52
/** CRC of the encoded bytes, after them. */
export const RECORD_TRAILER_SIZE = 4
export const TABLE_ENTRY_SIZE = 52
export const PACK_TRAILER_SIZE = 64
/** Direct I/O writes whole blocks. */
export const PACK_ALIGNMENT = 4 * KiB

/** Largest file a reader accepts: four times the largest that is written. */
export const PACK_SIZE_MAX = 256 * MiB
/** Large enough for the shortest possible records of a 64 MiB pack. */
export const PACK_RECORDS_MAX = 2 ** 20

/** Overhead of one record in the file: headers and tag, without its table entry. */
export const RECORD_OVERHEAD = RECORD_HEADER_SIZE + TAG_SIZE + RECORD_TRAILER_SIZE

const PACK_MAGIC = Buffer.from('MOSPACK1', 'latin1')
const PACK_END_MAGIC = Buffer.from('KCAPSOM1', 'latin1')
const RECORD_MAGIC = Buffer.from('MRC1', 'latin1')
export const RECORD_MAGIC_U32 = RECORD_MAGIC.readUInt32LE(0)

const PACK_KINDS: Record<PackKind, number> = { data: 1, metadata: 2 }

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0)
}

function kindOf(value: number): PackKind | undefined {
  if (value === PACK_KINDS.data) return 'data'
  return value === PACK_KINDS.metadata ? 'metadata' : undefined
}

export interface PackHeader {
  readonly kind: PackKind
  /** 16 bytes, see keys/pool-id.ts. */
  readonly poolId: Buffer
  /** 16 bytes. */
  readonly packId: Buffer
}

export function encodePackHeader(header: PackHeader, target: Buffer): void {
  assert(header.poolId.length === 16 && header.packId.length === PACK_ID_SIZE, 'ids: 16 bytes')
  target.fill(0, 0, PACK_HEADER_SIZE)
  PACK_MAGIC.copy(target, 0)
  target.writeUInt8(PACK_VERSION, 8)
  target.writeUInt8(PACK_KINDS[header.kind], 9)
  header.poolId.copy(target, 16)
  header.packId.copy(target, 32)
  target.writeUInt32LE(crc32c(target.subarray(0, 60)), 60)
}

export function decodePackHeader(bytes: Buffer): PackHeader | undefined {
  if (bytes.length < PACK_HEADER_SIZE) return undefined
  if (!bytes.subarray(0, 8).equals(PACK_MAGIC)) return undefined
  if (crc32c(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) return undefined
  const kind = kindOf(bytes[9]!)
  if (bytes[8] !== PACK_VERSION || kind === undefined) return undefined
  if (!isZero(bytes.subarray(10, 16)) || !isZero(bytes.subarray(48, 60))) return undefined
  return {
    kind,
    poolId: Buffer.from(bytes.subarray(16, 32)),
    packId: Buffer.from(bytes.subarray(32, 48)),
  }
}

export interface RecordHeader {
  readonly type: ChunkType
  readonly codec: Codec
  /** Record number modulo 256. */
  readonly numberLow: number
  readonly rawLength: number
  /** Ciphertext and tag. */
  readonly encodedLength: number
  readonly chunkId: Buffer
}

export function encodeRecordHeader(header: RecordHeader, target: Buffer): void {
  assert(header.chunkId.length === CHUNK_ID_SIZE, 'a chunk id has 32 bytes')
  RECORD_MAGIC.copy(target, 0)
  target[4] = PACK_VERSION
  target[5] = header.type
  target[6] = header.codec
  target[7] = header.numberLow
  target.writeUInt32LE(header.rawLength, 8)
  target.writeUInt32LE(header.encodedLength, 12)
  header.chunkId.copy(target, 16)
  target.writeUInt32LE(crc32c(target.subarray(0, 48)), 48)
}

function lengthsFit(codec: number, rawLength: number, encodedLength: number): boolean {
  if (rawLength < 1 || rawLength > CHUNK_SIZE_MAX) return false
  const payload = encodedLength - TAG_SIZE
  return codec === CODEC_RAW ? payload === rawLength : payload >= 1 && payload < rawLength
}

export function decodeRecordHeader(bytes: Buffer): RecordHeader | undefined {
  if (bytes.length < RECORD_HEADER_SIZE || bytes.readUInt32LE(0) !== RECORD_MAGIC_U32) return
  if (crc32c(bytes.subarray(0, 48)) !== bytes.readUInt32LE(48)) return undefined
  const [type, codec] = [bytes[5]!, bytes[6]!]
  const [rawLength, encodedLength] = [bytes.readUInt32LE(8), bytes.readUInt32LE(12)]
  if (bytes[4] !== PACK_VERSION || !isChunkType(type)) return undefined
  if (codec !== CODEC_RAW && codec !== CODEC_ZSTD) return undefined
  if (!lengthsFit(codec, rawLength, encodedLength)) return undefined
  const chunkId = Buffer.allocUnsafe(CHUNK_ID_SIZE)
  bytes.copy(chunkId, 0, 16, 48)
  return { type, codec, numberLow: bytes[7]!, rawLength, encodedLength, chunkId }
}

/** One record as table and scan see it. Its number is its place in the table. */
export interface RecordEntry {
  readonly chunkId: Buffer
  readonly recordNumber: number
  /** Of the record header in the file. */
  readonly offset: number
  readonly encodedLength: number
  readonly rawLength: number
  readonly type: ChunkType
  readonly codec: Codec
}

export function encodeTableEntry(entry: RecordEntry, target: Buffer): void {
  entry.chunkId.copy(target, 0)
  target.writeUInt32LE(entry.offset, 32)
  target.writeUInt32LE(entry.encodedLength, 36)
  target.writeUInt32LE(entry.rawLength, 40)
  target[44] = entry.type
  target[45] = entry.codec
  target.writeUInt16LE(0, 46)
  target.writeUInt32LE(crc32c(target.subarray(0, 48)), 48)
}

/** @param limit no record reaches beyond this offset */
export function decodeTableEntry(
  bytes: Buffer,
  recordNumber: number,
  limit: number,
): RecordEntry | undefined {
  if (crc32c(bytes.subarray(0, 48)) !== bytes.readUInt32LE(48)) return undefined
  const offset = bytes.readUInt32LE(32)
  const [encodedLength, rawLength] = [bytes.readUInt32LE(36), bytes.readUInt32LE(40)]
  const [type, codec] = [bytes[44]!, bytes[45]!]
  if (!isChunkType(type) || (codec !== CODEC_RAW && codec !== CODEC_ZSTD)) return undefined
  if (!lengthsFit(codec, rawLength, encodedLength) || bytes.readUInt16LE(46) !== 0) return undefined
  if (offset < PACK_HEADER_SIZE || recordEnd(offset, encodedLength) > limit) return undefined
  const chunkId = Buffer.from(bytes.subarray(0, 32))
  return { chunkId, recordNumber, offset, encodedLength, rawLength, type, codec }
}

/** Offset after a record. */
export function recordEnd(offset: number, encodedLength: number): number {
  return offset + RECORD_HEADER_SIZE + encodedLength + RECORD_TRAILER_SIZE
}

export interface PackTrailer {
  readonly count: number
  readonly tableOffset: number
  /** End of the last record. */
  readonly recordsEnd: number
  readonly kind: PackKind
  /** BLAKE3 of everything before the trailer. */
  readonly hash: Buffer
}

export function encodePackTrailer(trailer: PackTrailer, target: Buffer): void {
  target.fill(0, 0, PACK_TRAILER_SIZE)
  target.writeUInt32LE(trailer.count, 0)
  target.writeUInt32LE(trailer.tableOffset, 4)
  target.writeUInt32LE(trailer.recordsEnd, 8)
  target[12] = PACK_VERSION
  target[13] = PACK_KINDS[trailer.kind]
  trailer.hash.copy(target, 16)
  target.writeUInt32LE(crc32c(target.subarray(0, 52)), 52)
  PACK_END_MAGIC.copy(target, 56)
}

/** @param fileSize of the whole file, whose last 64 bytes these are */
export function decodePackTrailer(bytes: Buffer, fileSize: number): PackTrailer | undefined {
  if (bytes.length !== PACK_TRAILER_SIZE || !bytes.subarray(56).equals(PACK_END_MAGIC)) return
  if (crc32c(bytes.subarray(0, 52)) !== bytes.readUInt32LE(52)) return undefined
  const kind = kindOf(bytes[13]!)
  if (bytes[12] !== PACK_VERSION || kind === undefined) return undefined
  if (bytes.readUInt16LE(14) !== 0 || bytes.readUInt32LE(48) !== 0) return undefined
  const [count, tableOffset] = [bytes.readUInt32LE(0), bytes.readUInt32LE(4)]
  const recordsEnd = bytes.readUInt32LE(8)
  if (count > PACK_RECORDS_MAX) return undefined
  if (tableOffset + count * TABLE_ENTRY_SIZE + PACK_TRAILER_SIZE !== fileSize) return undefined
  if (recordsEnd < PACK_HEADER_SIZE || recordsEnd > tableOffset) return undefined
  return { count, tableOffset, recordsEnd, kind, hash: Buffer.from(bytes.subarray(16, 48)) }
}

/** Size of a finished file. */
export function packFileSize(recordsEnd: number, count: number): number {
  const size = recordsEnd + count * TABLE_ENTRY_SIZE + PACK_TRAILER_SIZE
  return Math.ceil(size / PACK_ALIGNMENT) * PACK_ALIGNMENT
}

/** True when a record of that type may stand in a pack of that kind. */
export function kindAllows(kind: PackKind, type: ChunkType): boolean {
  return packKindOf(type) === kind
}

/** Nonce and associated data of one record's payload. Buffers are reused between calls. */
export class RecordBinding {
  readonly nonce = Buffer.alloc(12)
  /** pool id 16 | pack id 16 | record number u32 | record header bytes 0–47 */
  readonly associatedData = Buffer.alloc(84)

  /** @returns this, filled for that record */
  bind(pack: { poolId: Buffer; packId: Buffer }, recordNumber: number, header: Buffer): this {
    this.nonce.writeUInt32LE(recordNumber, 0)
    pack.poolId.copy(this.associatedData, 0)
    pack.packId.copy(this.associatedData, 16)
    this.associatedData.writeUInt32LE(recordNumber, 32)
    header.copy(this.associatedData, 36, 0, 48)
    return this
  }
}

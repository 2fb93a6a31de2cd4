/**
 * One record of the pool's log, version 1. Little-endian; length is a multiple of nothing.
 *
 *   offset  size  field         notes
 *        0     4  length        of the whole record, RECORD_OVERHEAD to RECORD_SIZE_MAX
 *        4     4  crc32c        over bytes 0 to 3 and 8 to length − 33 (everything but crc and mac)
 *        8     8  sequence      1, 2, 3 … without a gap
 *       16     4  ownerEpoch    of the owner that wrote it
 *       20     1  type          LogType
 *       21     1  reserved      zero
 *       22     2  batchIndex    0-based place in its batch: records written and synced together
 *       24    32  previousMac   mac of the record before; zeros for the first
 *       56     n  body          canonical JSON, UTF-8
 *   56 + n    32  mac           BLAKE3 keyed with the log-MAC key, over everything before
 *
 * batchIndex tells a torn tail from corruption: a batch is begun only when the one before it is
 * durable on every mirror, so a hole with a valid record of a *later* batch behind it cannot come
 * from a crash. Specification: docs/formats/log.md.
 */
import { Blake3Hasher } from '@napi-rs/blake-hash'
import { crc32c } from '@node-rs/crc32'
import { assert } from '@openmaas/kernel/assert'
import { KiB } from '@openmaas/kernel/units'
import { canonicalJson } from '../keys/canonical-json.ts'
import type { Json } from '../keys/canonical-json.ts'
import { isLogType } from './types.ts'
import type { LogEntry, LogType } from './types.ts'

export const RECORD_HEADER_SIZE = 56
export const MAC_SIZE = 32
export const RECORD_OVERHEAD = RECORD_HEADER_SIZE + MAC_SIZE
/** A CONDEMN of 4,096 packs has 40 KiB; the rest is room. Bounds what a reader allocates. */
export const RECORD_SIZE_MAX = 256 * KiB
/** Records synced together. A u16 in the format; 1,024 keep one batch under a few MiB. */
export const BATCH_COUNT_MAX = 1024

export const FIRST_MAC: Buffer = Buffer.alloc(MAC_SIZE)

export interface LogRecord {
  readonly sequence: number
  readonly ownerEpoch: number
  readonly batchIndex: number
  readonly entry: LogEntry
  readonly mac: Buffer
  /** Bytes of the whole record. */
  readonly length: number
}

export interface RecordHead {
  readonly sequence: number
  readonly ownerEpoch: number
  readonly batchIndex: number
  readonly previousMac: Buffer
}

export class RecordCodec {
  readonly #hasher: Blake3Hasher

  constructor(logMacKey: Buffer) {
    this.#hasher = Blake3Hasher.newKeyed(logMacKey)
  }

  encode(head: RecordHead, entry: LogEntry): Buffer {
    assert(head.batchIndex < BATCH_COUNT_MAX, 'a batch holds at most BATCH_COUNT_MAX records')
    assert(head.previousMac.length === MAC_SIZE, 'a mac has 32 bytes')
    const body = Buffer.from(canonicalJson(entry.body as unknown as Json), 'utf8')
    const length = RECORD_OVERHEAD + body.length
    assert(length <= RECORD_SIZE_MAX, 'callers split what does not fit one record')
    const bytes = Buffer.alloc(length)
    bytes.writeUInt32LE(length, 0)
    bytes.writeBigUInt64LE(BigInt(head.sequence), 8)
    bytes.writeUInt32LE(head.ownerEpoch, 16)
    bytes.writeUInt8(entry.type, 20)
    bytes.writeUInt16LE(head.batchIndex, 22)
    head.previousMac.copy(bytes, 24)
    body.copy(bytes, RECORD_HEADER_SIZE)
    bytes.writeUInt32LE(checksum(bytes, length), 4)
    this.#mac(bytes.subarray(0, length - MAC_SIZE)).copy(bytes, length - MAC_SIZE)
    return bytes
  }

  /**
   * Decodes the record at the offset; crc and mac are verified before any field is believed.
   * @returns undefined when no valid record stands there (torn, damaged, or the end)
   */
  decode(log: Buffer, offset: number): LogRecord | undefined {
    const bytes = this.#frame(log, offset)
    if (bytes === undefined) return undefined
    const type = bytes[20]!
    const body = bytes.toString('utf8', RECORD_HEADER_SIZE, bytes.length - MAC_SIZE)
    return {
      sequence: Number(bytes.readBigUInt64LE(8)),
      ownerEpoch: bytes.readUInt32LE(16),
      batchIndex: bytes.readUInt16LE(22),
      // The mac vouches for the body: only an owner with the key can have written it.
      entry: { type: type as LogType, body: JSON.parse(body) } as LogEntry,
      mac: Buffer.from(bytes.subarray(bytes.length - MAC_SIZE)),
      length: bytes.length,
    }
  }

  /** The mac the record at the offset says its predecessor has; the record must be valid. */
  static previousMac(log: Buffer, offset: number): Buffer {
    return log.subarray(offset + 24, offset + 24 + MAC_SIZE)
  }

  #frame(log: Buffer, offset: number): Buffer | undefined {
    if (offset + RECORD_OVERHEAD > log.length) return undefined
    const length = log.readUInt32LE(offset)
    if (length < RECORD_OVERHEAD || length > RECORD_SIZE_MAX) return undefined
    if (offset + length > log.length) return undefined
    if (!isLogType(log[offset + 20]!) || log[offset + 21] !== 0) return undefined
    const bytes = log.subarray(offset, offset + length)
    if (bytes.readUInt32LE(4) !== checksum(bytes, length)) return undefined
    if (bytes.readBigUInt64LE(8) > BigInt(Number.MAX_SAFE_INTEGER)) return undefined
    const mac = this.#mac(bytes.subarray(0, length - MAC_SIZE))
    return mac.equals(bytes.subarray(length - MAC_SIZE)) ? bytes : undefined
  }

  #mac(bytes: Buffer): Buffer {
    this.#hasher.reset()
    return this.#hasher.update(bytes).digestBuffer()
  }
}

function checksum(bytes: Buffer, length: number): number {
  return crc32c(bytes.subarray(8, length - MAC_SIZE), crc32c(bytes.subarray(0, 4)))
}

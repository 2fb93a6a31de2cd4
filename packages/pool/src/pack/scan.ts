/**
 * Reads whole packs without any key: the footer for an index rebuild, all records for fsck and
 * salvage (docs/formats/pack.md, "Reading damaged packs").
 */
import { crc32c } from '@node-rs/crc32'
import { MaasError } from '@openmaas/kernel/errors'
import type { FileHandle, Fs } from '@openmaas/kernel/fs'
import { PackHasher } from '../chunk/chunk-hasher.ts'
import {
  decodePackHeader,
  decodePackTrailer,
  decodeRecordHeader,
  decodeTableEntry,
  PACK_ALIGNMENT,
  PACK_HEADER_SIZE,
  PACK_SIZE_MAX,
  PACK_TRAILER_SIZE,
  RECORD_HEADER_SIZE,
  RECORD_MAGIC_U32,
  recordEnd,
  TABLE_ENTRY_SIZE,
} from './format.ts'
import type { PackHeader, PackTrailer, RecordEntry } from './format.ts'

export interface PackFooter {
  readonly header: PackHeader
  readonly trailer: PackTrailer
  /** Of the file. */
  readonly size: number
  readonly records: RecordEntry[]
}

export interface DamagedRange {
  readonly offset: number
  readonly length: number
  readonly what: 'header' | 'record' | 'payload' | 'footer'
  /** The record, where its header could still be read. */
  readonly record?: RecordEntry
}

export interface PackScan {
  readonly size: number
  readonly header: PackHeader | undefined
  /** Undefined when header, trailer or table are damaged or missing. */
  readonly footer: PackFooter | undefined
  /** Records whose header and payload checksums are right, in order. */
  readonly records: RecordEntry[]
  readonly damaged: DamagedRange[]
  /** BLAKE3 of everything before the last 64 bytes: equals the logged hash of a whole pack. */
  readonly hash: Buffer
  /** Every byte is as it was written: nothing is damaged and the hash is the trailer's. */
  readonly whole: boolean
}

/**
 * Reads header, trailer and table; not the records. Cost: two or three small reads.
 * @throws MaasError PACK_INVALID when they are damaged; FS_* of the file system
 */
export function readFooter(fs: Fs, path: string): PackFooter {
  const file = fs.open(path, 'read')
  try {
    const size = fs.size(file)
    const fail = (reason: string): never => {
      throw new MaasError('PACK_INVALID', `a pack is damaged: ${reason}`, { path, size, reason })
    }
    if (!isPackSize(size)) fail('its size is not one of a pack')
    const header = decodePackHeader(readAt(fs, file, 0, PACK_HEADER_SIZE)) ?? fail('header')
    const end = readAt(fs, file, size - PACK_TRAILER_SIZE, PACK_TRAILER_SIZE)
    const trailer = decodePackTrailer(end, size) ?? fail('trailer')
    if (trailer.kind !== header.kind) fail('kind')
    const tableSize = trailer.count * TABLE_ENTRY_SIZE
    const table = readAt(fs, file, trailer.tableOffset, tableSize)
    const records = decodeTable(table, trailer) ?? fail('table')
    return { header, trailer, size, records }
  } finally {
    fs.close(file)
  }
}

/**
 * Reads and checks every byte of a pack. Needs memory for the whole file (at most 256 MiB).
 * @param scratch reused memory, where the file fits it
 * @throws MaasError PACK_INVALID when the file is larger than any pack; FS_* of the file system
 */
export function scanPack(fs: Fs, path: string, scratch?: Buffer): PackScan {
  const bytes = readWhole(fs, path, scratch)
  const header = decodePackHeader(bytes)
  const table = decodeEnd(bytes)
  const { records, damaged } = scanRecords(bytes, table)
  if (header === undefined) {
    const length = Math.min(PACK_HEADER_SIZE, bytes.length)
    damaged.unshift({ offset: 0, length, what: 'header' })
  }
  const size = bytes.length
  const hash = hashBeforeTrailer(bytes)
  const footer =
    header === undefined || table === undefined || header.kind !== table.trailer.kind
      ? undefined
      : { header, size, ...table }
  const whole = damaged.length === 0 && footer?.trailer.hash.equals(hash) === true
  return { size, header, footer, records, damaged, hash, whole }
}

function isPackSize(size: number): boolean {
  return size >= PACK_ALIGNMENT && size <= PACK_SIZE_MAX && size % PACK_ALIGNMENT === 0
}

function readAt(fs: Fs, file: FileHandle, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  // A file that became shorter meanwhile leaves zeros, which no checksum accepts.
  if (length > 0) fs.read(file, bytes, offset)
  return bytes
}

function readWhole(fs: Fs, path: string, scratch?: Buffer): Buffer {
  const file = fs.open(path, 'read')
  try {
    const size = fs.size(file)
    if (size > PACK_SIZE_MAX) {
      throw new MaasError('PACK_INVALID', 'a file is larger than any pack', { path, size })
    }
    const fits = scratch !== undefined && scratch.length >= size
    const bytes = fits ? scratch.subarray(0, size) : Buffer.allocUnsafeSlow(size)
    const count = size === 0 ? 0 : fs.read(file, bytes, 0)
    return bytes.subarray(0, count)
  } finally {
    fs.close(file)
  }
}

function decodeTable(table: Buffer, trailer: PackTrailer): RecordEntry[] | undefined {
  const records: RecordEntry[] = []
  // Records follow each other without a gap: a table that says otherwise is not believed.
  let offset = PACK_HEADER_SIZE
  for (let number = 0; number < trailer.count; number += 1) {
    const at = number * TABLE_ENTRY_SIZE
    const bytes = table.subarray(at, at + TABLE_ENTRY_SIZE)
    const entry = decodeTableEntry(bytes, number, trailer.recordsEnd)
    if (entry === undefined || entry.offset !== offset) return undefined
    offset = recordEnd(offset, entry.encodedLength)
    records.push(entry)
  }
  return offset === trailer.recordsEnd ? records : undefined
}

interface PackEnd {
  readonly trailer: PackTrailer
  readonly records: RecordEntry[]
}

function decodeEnd(bytes: Buffer): PackEnd | undefined {
  const size = bytes.length
  if (!isPackSize(size)) return undefined
  const trailer = decodePackTrailer(bytes.subarray(size - PACK_TRAILER_SIZE), size)
  if (trailer === undefined) return undefined
  const table = bytes.subarray(trailer.tableOffset, size - PACK_TRAILER_SIZE)
  const records = decodeTable(table, trailer)
  return records === undefined ? undefined : { trailer, records }
}

function hashBeforeTrailer(bytes: Buffer): Buffer {
  const hasher = new PackHasher()
  hasher.update(bytes.subarray(0, Math.max(0, bytes.length - PACK_TRAILER_SIZE)))
  return hasher.digest()
}

function scanRecords(
  bytes: Buffer,
  table: PackEnd | undefined,
): { records: RecordEntry[]; damaged: DamagedRange[] } {
  const limit = table?.trailer.recordsEnd ?? bytes.length
  const numbers = new Map(table?.records.map((record) => [record.offset, record.recordNumber]))
  const records: RecordEntry[] = []
  const damaged: DamagedRange[] = []
  let offset = PACK_HEADER_SIZE
  let next = 0
  while (offset < limit) {
    const header = decodeRecordHeader(bytes.subarray(offset, limit))
    const end = header === undefined ? limit : recordEnd(offset, header.encodedLength)
    if (header === undefined || end > limit) {
      const found = findRecord(bytes, offset + 1, limit)
      const isTail = found === limit && table === undefined
      damaged.push({ offset, length: found - offset, what: isTail ? 'footer' : 'record' })
      offset = found
      continue
    }
    // After a gap the low byte tells how many records were lost, up to 255 of them.
    next = numbers.get(offset) ?? next + ((header.numberLow - next) & 0xff)
    const { chunkId, encodedLength, rawLength, type, codec } = header
    const entry = { chunkId, recordNumber: next, offset, encodedLength, rawLength, type, codec }
    const encoded = bytes.subarray(offset + RECORD_HEADER_SIZE, end - 4)
    if (crc32c(encoded) === bytes.readUInt32LE(end - 4)) records.push(entry)
    else damaged.push({ offset, length: end - offset, what: 'payload', record: entry })
    offset = end
    next += 1
  }
  if (table === undefined && !damaged.some((range) => range.what === 'footer')) {
    damaged.push({ offset: limit, length: 0, what: 'footer' })
  }
  return { records, damaged }
}

const MAGIC_BYTES = Buffer.alloc(4)
MAGIC_BYTES.writeUInt32LE(RECORD_MAGIC_U32)

/** Offset of the next record header whose checksum is right, or the limit. */
function findRecord(bytes: Buffer, from: number, limit: number): number {
  let at = bytes.indexOf(MAGIC_BYTES, from)
  while (at !== -1 && at < limit) {
    const header = decodeRecordHeader(bytes.subarray(at, limit))
    if (header !== undefined && recordEnd(at, header.encodedLength) <= limit) return at
    at = bytes.indexOf(MAGIC_BYTES, at + 1)
  }
  return limit
}

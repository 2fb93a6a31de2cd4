/**
 * The bytes of an overlay's files, version 1: journal header, journal batches, dirty records.
 * Tables, limits and crash behaviour: docs/formats/overlay.md.
 *
 *   journal header      batch header         entry                dirty record
 *    0  8 "MOSOVL01"     0 4 "MOJB"           0 8 first grain      0 4 crc32 (4 to 31)
 *    8  4 generation     4 4 crc32 (8 to end) 8 4 count            4 4 slot
 *   12  4 grain size     8 4 length          12 1 state            8 8 first grain
 *   16  8 device size   12 4 entry count     13 1 kind            16 4 count
 *   24  8 base length   16 8 sequence        14 2 zero            20 1 state
 *   32 28 zero          24 4 generation      (kind 1: 2048 bytes) 21 11 zero
 *   60  4 crc32         28 4 zero
 */
import { crc32 } from 'node:zlib'
import { assert } from '@openmaas/kernel/assert'
import { KiB, MiB, TiB } from '@openmaas/kernel/units'

/** The unit of the map; a page, so that the kernel writes it whole or not at all. */
export const GRAIN_SIZE = 4 * KiB
/** Bounds the map to 4 GiB of addresses; the largest ext4 with 4 KiB blocks in practice. */
export const OVERLAY_SIZE_MAX = 64 * TiB

/** What a grain is. Two bits in the map. */
export const GrainState = { absent: 0, written: 1, zero: 2 } as const
export type GrainState = (typeof GrainState)[keyof typeof GrainState]

export interface GrainRun {
  /** Grain number, not bytes. */
  readonly first: number
  readonly count: number
  readonly state: GrainState
}

export const LEAF_GRAINS = 8192
export const LEAF_BYTES = LEAF_GRAINS / 4

/** Runs in one entry: keeps `count` a positive 32-bit number. */
export const RUN_GRAINS_MAX = 2 ** 31

export const JOURNAL_HEADER_SIZE = 64
/** Batches begin here: rewriting the header cannot tear one. */
export const JOURNAL_START = 4096
export const BATCH_HEADER_SIZE = 32
/** A batch is read and checked as one buffer. */
export const BATCH_SIZE_MAX = 1 * MiB
export const ENTRY_SIZE = 16
/** Runs that fit one batch. */
export const BATCH_RUNS_MAX = (BATCH_SIZE_MAX - BATCH_HEADER_SIZE) / ENTRY_SIZE
export const DIRTY_HEADER_SIZE = 64
export const DIRTY_RECORD_SIZE = 32
export const BOOT_ID_SIZE = 36
const DIRTY_FAILED_OFFSET = 44

const JOURNAL_MAGIC = Buffer.from('MOSOVL01', 'latin1')
const BATCH_MAGIC = 0x424a4f4d // "MOJB"
const DIRTY_MAGIC = Buffer.from('MOSDIRT1', 'latin1')

export interface JournalHeader {
  readonly generation: number
  readonly deviceSize: number
  readonly baseLength: number
}

export function encodeJournalHeader(header: JournalHeader): Buffer {
  const bytes = Buffer.alloc(JOURNAL_HEADER_SIZE)
  JOURNAL_MAGIC.copy(bytes, 0)
  bytes.writeUInt32LE(header.generation, 8)
  bytes.writeUInt32LE(GRAIN_SIZE, 12)
  bytes.writeBigUInt64LE(BigInt(header.deviceSize), 16)
  bytes.writeBigUInt64LE(BigInt(header.baseLength), 24)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
  return bytes
}

/** @returns undefined for anything encodeJournalHeader did not write: the other file may count */
export function decodeJournalHeader(bytes: Buffer): JournalHeader | undefined {
  assert(bytes.length === JOURNAL_HEADER_SIZE, 'the caller read exactly one journal header')
  if (crc32(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) return undefined
  if (!bytes.subarray(0, 8).equals(JOURNAL_MAGIC)) return undefined
  if (bytes.readUInt32LE(12) !== GRAIN_SIZE) return undefined
  if (bytes.subarray(32, 60).some((byte) => byte !== 0)) return undefined
  const generation = bytes.readUInt32LE(8)
  const deviceSize = Number(bytes.readBigUInt64LE(16))
  const baseLength = Number(bytes.readBigUInt64LE(24))
  if (generation < 1 || baseLength < JOURNAL_START) return undefined
  if (deviceSize < 512 || deviceSize > OVERLAY_SIZE_MAX || deviceSize % 512 !== 0) return undefined
  return { generation, deviceSize, baseLength }
}

/** One thing a batch says: a run, or the 2-bit states of a whole leaf. */
export type BatchEntry =
  | { readonly kind: 'run'; readonly run: GrainRun }
  | { readonly kind: 'leaf'; readonly first: number; readonly states: Buffer }

/** Bytes an entry takes in a batch. */
export function entrySize(entry: BatchEntry): number {
  return entry.kind === 'run' ? ENTRY_SIZE : ENTRY_SIZE + LEAF_BYTES
}

export interface Batch {
  readonly sequence: number
  readonly generation: number
  readonly entries: readonly BatchEntry[]
}

export function encodeBatch(batch: Batch): Buffer {
  assert(batch.entries.length >= 1, 'a batch says something')
  const length = batch.entries.reduce((sum, entry) => sum + entrySize(entry), BATCH_HEADER_SIZE)
  assert(length <= BATCH_SIZE_MAX, 'the batch fits its limit')
  const bytes = Buffer.alloc(length)
  bytes.writeUInt32LE(BATCH_MAGIC, 0)
  bytes.writeUInt32LE(length, 8)
  bytes.writeUInt32LE(batch.entries.length, 12)
  bytes.writeBigUInt64LE(BigInt(batch.sequence), 16)
  bytes.writeUInt32LE(batch.generation, 24)
  let at = BATCH_HEADER_SIZE
  for (const entry of batch.entries) {
    const leaf = entry.kind === 'leaf'
    bytes.writeBigUInt64LE(BigInt(leaf ? entry.first : entry.run.first), at)
    bytes.writeUInt32LE(leaf ? LEAF_GRAINS : entry.run.count, at + 8)
    bytes.writeUInt8(leaf ? 0 : entry.run.state, at + 12)
    bytes.writeUInt8(leaf ? 1 : 0, at + 13)
    if (leaf) entry.states.copy(bytes, at + ENTRY_SIZE)
    at += entrySize(entry)
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(8)), 4)
  return bytes
}

/** The length a batch claims at this place, or 0 when no batch can begin here. */
export function batchLength(header: Buffer): number {
  if (header.length < BATCH_HEADER_SIZE || header.readUInt32LE(0) !== BATCH_MAGIC) return 0
  const length = header.readUInt32LE(8)
  const fits = length > BATCH_HEADER_SIZE && length <= BATCH_SIZE_MAX && length % 16 === 0
  return fits ? length : 0
}

/** @returns undefined unless the bytes are exactly what encodeBatch writes for such a device */
export function decodeBatch(bytes: Buffer, grainCount: number): Batch | undefined {
  if (batchLength(bytes) !== bytes.length) return undefined
  if (crc32(bytes.subarray(8)) !== bytes.readUInt32LE(4)) return undefined
  if (bytes.readUInt32LE(28) !== 0) return undefined
  const entries: BatchEntry[] = []
  let at = BATCH_HEADER_SIZE
  while (at + ENTRY_SIZE <= bytes.length) {
    const first = Number(bytes.readBigUInt64LE(at))
    const count = bytes.readUInt32LE(at + 8)
    const state = bytes.readUInt8(at + 12)
    const kind = bytes.readUInt8(at + 13)
    if (bytes.readUInt16LE(at + 14) !== 0 || count < 1 || count > RUN_GRAINS_MAX) return undefined
    if (kind === 0) {
      if (state > GrainState.zero || first + count > grainCount) return undefined
      entries.push({ kind: 'run', run: { first, count, state: state as GrainState } })
    } else {
      const states = bytes.subarray(at + ENTRY_SIZE, at + ENTRY_SIZE + LEAF_BYTES)
      if (kind !== 1 || state !== 0 || count !== LEAF_GRAINS) return undefined
      if (first % LEAF_GRAINS !== 0 || first >= grainCount) return undefined
      if (states.length !== LEAF_BYTES || !statesValid(states)) return undefined
      entries.push({ kind: 'leaf', first, states })
    }
    at += entrySize(entries.at(-1)!)
  }
  if (at !== bytes.length || entries.length !== bytes.readUInt32LE(12)) return undefined
  return {
    sequence: Number(bytes.readBigUInt64LE(16)),
    generation: bytes.readUInt32LE(24),
    entries,
  }
}

/** No grain has the fourth value. */
function statesValid(states: Buffer): boolean {
  return states.every((byte) => (byte & (byte >> 1) & 0x55) === 0)
}

export interface DirtyHeader {
  readonly bootId: string
  /** A sync has failed in this boot: the page cache may show what is on no disk. */
  readonly failed: boolean
}

export function encodeDirtyHeader({ bootId, failed }: DirtyHeader): Buffer {
  assert(Buffer.byteLength(bootId) === BOOT_ID_SIZE, 'a boot id is a UUID in text form')
  const bytes = Buffer.alloc(DIRTY_HEADER_SIZE)
  DIRTY_MAGIC.copy(bytes, 0)
  bytes.write(bootId, 8, 'latin1')
  bytes.writeUInt8(failed ? 1 : 0, DIRTY_FAILED_OFFSET)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 60)), 60)
  return bytes
}

/** @returns undefined when the header is not whole */
export function decodeDirtyHeader(bytes: Buffer): DirtyHeader | undefined {
  assert(bytes.length === DIRTY_HEADER_SIZE, 'the caller read exactly one dirty header')
  if (crc32(bytes.subarray(0, 60)) !== bytes.readUInt32LE(60)) return undefined
  if (!bytes.subarray(0, 8).equals(DIRTY_MAGIC)) return undefined
  const bootId = bytes.toString('latin1', 8, 8 + BOOT_ID_SIZE)
  return { bootId, failed: bytes.readUInt8(DIRTY_FAILED_OFFSET) !== 0 }
}

/** Writes into `target`, which its owner reuses: one record per first touch of a grain. */
export function encodeDirtyRecord(target: Buffer, slot: number, run: GrainRun): void {
  assert(target.length === DIRTY_RECORD_SIZE, 'the target is one record')
  target.fill(0)
  target.writeUInt32LE(slot, 4)
  target.writeUInt32LE(run.first % 2 ** 32, 8)
  target.writeUInt32LE(Math.floor(run.first / 2 ** 32), 12)
  target.writeUInt32LE(run.count, 16)
  target.writeUInt8(run.state, 20)
  target.writeUInt32LE(crc32(target.subarray(4)), 0)
}

/** @returns undefined for a record that is not whole, or not of this slot and device */
export function decodeDirtyRecord(
  bytes: Buffer,
  slot: number,
  grainCount: number,
): GrainRun | undefined {
  assert(bytes.length === DIRTY_RECORD_SIZE, 'the caller read exactly one record')
  if (crc32(bytes.subarray(4)) !== bytes.readUInt32LE(0)) return undefined
  const first = bytes.readUInt32LE(8) + bytes.readUInt32LE(12) * 2 ** 32
  const count = bytes.readUInt32LE(16)
  const state = bytes.readUInt8(20)
  if (bytes.readUInt32LE(4) !== slot || state > GrainState.zero) return undefined
  if (count < 1 || count > RUN_GRAINS_MAX || first + count > grainCount) return undefined
  return { first, count, state: state as GrainState }
}

/**
 * A run: a sorted, immutable file of index entries, version 1. docs/formats/index.md.
 *
 *   blocks    4096 bytes each: up to 78 entries in ascending order of id, then at
 *               4056  4  entry count     4060  32  zeros     4092  4  crc32c of bytes 0 to 4091
 *   fences    8 bytes per block: the first 8 bytes of its first id
 *   bloom     bloomSize bytes, 10 bits per entry, 7 probes
 *   padding   zeros up to a multiple of 4096
 *   trailer   4096 bytes:
 *      0  8  magic "MOSRUN01"          28   4  bloomSize, bytes, a multiple of 4
 *      8 16  pool id                   32   4  crc32c of the fences
 *     24  4  block count               36   4  crc32c of the bloom
 *     40  8  entry count             4092   4  crc32c of bytes 0 to 4091
 *
 * The trailer is last, so that a run is written in one pass; a file without it is no run. The
 * index is a cache: whatever is damaged is built again from the packs.
 */
import { crc32c } from '@node-rs/crc32'
import { assert } from '@openmaas/kernel/assert'
import { ENTRY_SIZE } from './entry.ts'

export const BLOCK_SIZE = 4096
export const BLOCK_ENTRIES_MAX = Math.floor((BLOCK_SIZE - 40) / ENTRY_SIZE)
const BLOCK_COUNT_OFFSET = BLOCK_ENTRIES_MAX * ENTRY_SIZE
const CRC_OFFSET = BLOCK_SIZE - 4
export const FENCE_SIZE = 8
/** 10 bits and 7 probes: about 1 % of the misses read a block in vain. */
export const BLOOM_BITS_PER_ENTRY = 10
const BLOOM_PROBES = 7
const MAGIC = Buffer.from('MOSRUN01', 'latin1')

export interface RunTrailer {
  readonly poolId: Buffer
  readonly blockCount: number
  readonly bloomSize: number
  readonly fencesCrc: number
  readonly bloomCrc: number
  readonly entryCount: number
}

export interface RunLayout {
  readonly fencesOffset: number
  readonly bloomOffset: number
  readonly trailerOffset: number
  readonly size: number
}

export function runLayout(blockCount: number, bloomSize: number): RunLayout {
  const fencesOffset = blockCount * BLOCK_SIZE
  const bloomOffset = fencesOffset + blockCount * FENCE_SIZE
  const trailerOffset = Math.ceil((bloomOffset + bloomSize) / BLOCK_SIZE) * BLOCK_SIZE
  return { fencesOffset, bloomOffset, trailerOffset, size: trailerOffset + BLOCK_SIZE }
}

export function bloomSizeOf(entryCount: number): number {
  return Math.max(64, Math.ceil((entryCount * BLOOM_BITS_PER_ENTRY) / 32) * 4)
}

/** Seals a block whose entries are in place: count and checksum. */
export function sealBlock(block: Buffer, entryCount: number): void {
  assert(entryCount >= 1 && entryCount <= BLOCK_ENTRIES_MAX, 'a block holds 1 to 78 entries')
  block.fill(0, entryCount * ENTRY_SIZE)
  block.writeUInt32LE(entryCount, BLOCK_COUNT_OFFSET)
  block.writeUInt32LE(crc32c(block.subarray(0, CRC_OFFSET)), CRC_OFFSET)
}

/** @returns the entry count, or undefined when the block is damaged */
export function checkBlock(block: Buffer): number | undefined {
  if (crc32c(block.subarray(0, CRC_OFFSET)) !== block.readUInt32LE(CRC_OFFSET)) return undefined
  const count = block.readUInt32LE(BLOCK_COUNT_OFFSET)
  return count >= 1 && count <= BLOCK_ENTRIES_MAX ? count : undefined
}

export function encodeRunTrailer(trailer: RunTrailer): Buffer {
  const bytes = Buffer.alloc(BLOCK_SIZE)
  MAGIC.copy(bytes, 0)
  trailer.poolId.copy(bytes, 8)
  bytes.writeUInt32LE(trailer.blockCount, 24)
  bytes.writeUInt32LE(trailer.bloomSize, 28)
  bytes.writeUInt32LE(trailer.fencesCrc, 32)
  bytes.writeUInt32LE(trailer.bloomCrc, 36)
  bytes.writeBigUInt64LE(BigInt(trailer.entryCount), 40)
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, CRC_OFFSET)), CRC_OFFSET)
  return bytes
}

/** @returns undefined when any byte is not what encodeRunTrailer wrote for a file of that size */
export function decodeRunTrailer(bytes: Buffer, fileSize: number): RunTrailer | undefined {
  if (crc32c(bytes.subarray(0, CRC_OFFSET)) !== bytes.readUInt32LE(CRC_OFFSET)) return undefined
  if (!bytes.subarray(0, 8).equals(MAGIC)) return undefined
  const trailer = {
    poolId: Buffer.from(bytes.subarray(8, 24)),
    blockCount: bytes.readUInt32LE(24),
    bloomSize: bytes.readUInt32LE(28),
    fencesCrc: bytes.readUInt32LE(32),
    bloomCrc: bytes.readUInt32LE(36),
    entryCount: Number(bytes.readBigUInt64LE(40)),
  }
  if (trailer.bloomSize % 4 !== 0 || trailer.bloomSize === 0) return undefined
  if (runLayout(trailer.blockCount, trailer.bloomSize).size !== fileSize) return undefined
  return trailer
}

/** Chunk ids are keyed hashes: their words are random already and need no further hashing. */
export function addToBloom(bloom: Uint32Array, id: Buffer, offset = 0): void {
  const bits = bloom.length * 32
  let hash = id.readUInt32LE(offset + 8)
  const step = id.readUInt32LE(offset + 12) | 1
  for (let probe = 0; probe < BLOOM_PROBES; probe += 1) {
    const bit = (hash >>> 0) % bits
    bloom[bit >>> 5]! |= 1 << (bit & 31)
    hash = (hash + step) | 0
  }
}

export function mayContain(bloom: Uint32Array, id: Buffer): boolean {
  const bits = bloom.length * 32
  let hash = id.readUInt32LE(8)
  const step = id.readUInt32LE(12) | 1
  for (let probe = 0; probe < BLOOM_PROBES; probe += 1) {
    const bit = (hash >>> 0) % bits
    if ((bloom[bit >>> 5]! & (1 << (bit & 31))) === 0) return false
    hash = (hash + step) | 0
  }
  return true
}

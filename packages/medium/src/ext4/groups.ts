/**
 * Group descriptors and bitmaps. The device is filled from the front without a gap, for blocks
 * and for inodes alike, so both bitmaps and all counts follow from two numbers of the layout.
 *
 * Descriptors carry CRC-16 (feature gdt_csum), which is what allows marking inode tables as
 * unused: e2fsck and the kernel then skip them.
 */
import { BLOCK_SIZE, BLOCKS_PER_GROUP, DESCRIPTOR_SIZE, INODES_PER_BLOCK } from './constants.ts'
import type { Layout } from './layout.ts'

const FLAG_INODE_UNINIT = 0x1
const FLAG_INODE_ZEROED = 0x4
const OFFSET_CHECKSUM = 0x1e

/** CRC-16/ARC, as the kernel's lib/crc16: reflected 0x8005. */
export function crc16(seed: number, bytes: Uint8Array): number {
  let crc = seed
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) !== 0 ? (crc >>> 1) ^ 0xa001 : crc >>> 1
  }
  return crc
}

/** How many of the things 0 … end−1 lie in group `index` of groups of `size`. */
function usedIn(end: number, index: number, size: number): number {
  return Math.min(size, Math.max(0, end - index * size))
}

/** Writes 64 bytes into zeroed `target`. */
export function encodeDescriptor(
  target: Buffer,
  group: { readonly index: number; readonly directories: number },
  system: { readonly layout: Layout; readonly uuid: Buffer },
): void {
  const { layout, uuid } = system
  const { index, directories } = group
  const tableBlocks = layout.inodesPerGroup / INODES_PER_BLOCK
  const freeBlocks = BLOCKS_PER_GROUP - usedIn(layout.dataEnd, index, BLOCKS_PER_GROUP)
  const usedInodes = usedIn(layout.inodeLast, index, layout.inodesPerGroup)
  const freeInodes = layout.inodesPerGroup - usedInodes

  writeBlock(target, layout.blockBitmaps + index, 0x00)
  writeBlock(target, layout.inodeBitmaps + index, 0x04)
  writeBlock(target, layout.inodeTables + index * tableBlocks, 0x08)
  target.writeUInt16LE(freeBlocks, 0x0c)
  target.writeUInt16LE(freeInodes, 0x0e)
  target.writeUInt16LE(directories & 0xffff, 0x10)
  target.writeUInt16LE(FLAG_INODE_ZEROED | (usedInodes === 0 ? FLAG_INODE_UNINIT : 0), 0x12)
  target.writeUInt16LE(freeInodes, 0x1c) // bg_itable_unused: free ones are all at the end
  // No count exceeds 32768, so the high halves (0x2c … 0x33) stay zero.

  const number = Buffer.alloc(4)
  number.writeUInt32LE(index)
  let crc = crc16(crc16(0xffff, uuid), number)
  crc = crc16(crc, target.subarray(0, OFFSET_CHECKSUM))
  crc = crc16(crc, target.subarray(OFFSET_CHECKSUM + 2, DESCRIPTOR_SIZE))
  target.writeUInt16LE(crc, OFFSET_CHECKSUM)
}

/** Low half at `offset`, high half 32 bytes behind it. */
function writeBlock(target: Buffer, block: number, offset: number): void {
  target.writeUInt32LE(block % 0x1_0000_0000, offset)
  target.writeUInt32LE(Math.floor(block / 0x1_0000_0000), offset + 0x20)
}

export function encodeBlockBitmap(target: Buffer, index: number, layout: Layout): void {
  setFirst(target, usedIn(layout.dataEnd, index, BLOCKS_PER_GROUP))
}

export function encodeInodeBitmap(target: Buffer, index: number, layout: Layout): void {
  setFirst(target, usedIn(layout.inodeLast, index, layout.inodesPerGroup))
  // Bits behind the last inode of a group are set: there is no inode to give.
  target.fill(0xff, layout.inodesPerGroup >> 3, BLOCK_SIZE)
}

/** Sets the first `count` bits of a block of zeros. */
function setFirst(target: Buffer, count: number): void {
  target.fill(0xff, 0, count >> 3)
  if ((count & 7) !== 0) target[count >> 3] = (1 << (count & 7)) - 1
}

/**
 * The extent map of content that lies in one run of blocks: 60 bytes in the inode, and the blocks
 * of the tree when four extents are not enough. Every extent but the last maps 128 MiB, every
 * tree block but the last of its level is full (footprint.ts), so any of them is computed alone.
 *
 *   header 12: u16 magic f30a, u16 entries, u16 limit, u16 depth, u32 0
 *   leaf   12: u32 logical, u16 length, u16 physical high, u32 physical low
 *   index  12: u32 logical, u32 child low, u16 child high, u16 0
 */
import {
  EXTENT_BLOCK_ENTRIES_MAX,
  EXTENT_BLOCKS_MAX,
  extentTreeLevels,
  INODE_EXTENTS_MAX,
} from '@openmaas/pool/tree/footprint'

export interface MappedContent {
  /** First block of the extent tree, which lies in front of the content. */
  readonly treeStart: number
  readonly blocks: number
}

const HEADER_SIZE = 12
const ENTRY_SIZE = 12
const MAGIC = 0xf30a

/** Writes i_block: 60 zeroed bytes at `offset`. */
export function encodeExtentRoot(target: Buffer, offset: number, content: MappedContent): void {
  const levels = extentTreeLevels(content.blocks)
  const position = { level: 0, first: 0 }
  encodeNode(target.subarray(offset, offset + 60), content, { levels, position })
}

/** Writes block `index` of the extent tree (0 is the first behind treeStart) into zeros. */
export function encodeExtentBlock(target: Buffer, index: number, content: MappedContent): void {
  const levels = extentTreeLevels(content.blocks)
  let within = index
  let level = 0
  while (within >= levels[level]!) {
    within -= levels[level]!
    level += 1
  }
  const first = within * EXTENT_BLOCK_ENTRIES_MAX
  encodeNode(target, content, { levels, position: { level: level + 1, first } })
}

/** `level` 0 is the inode; `first` is the first child or extent of the node. */
function encodeNode(
  target: Buffer,
  content: MappedContent,
  tree: { levels: readonly number[]; position: { level: number; first: number } },
): void {
  const { levels } = tree
  const { level, first } = tree.position
  const extents = Math.ceil(content.blocks / EXTENT_BLOCKS_MAX)
  const depth = levels.length - level
  const limit = level === 0 ? INODE_EXTENTS_MAX : EXTENT_BLOCK_ENTRIES_MAX
  const width = depth === 0 ? extents : levels[level]!
  const count = Math.min(limit, width - first)
  target.writeUInt16LE(MAGIC, 0)
  target.writeUInt16LE(count, 2)
  target.writeUInt16LE(limit, 4)
  target.writeUInt16LE(depth, 6)
  // Extents below one entry of this node.
  const span = depth === 0 ? 1 : EXTENT_BLOCK_ENTRIES_MAX ** depth
  const childStart = content.treeStart + sumFirst(levels, level)
  const dataStart = content.treeStart + sumFirst(levels, levels.length)
  for (let i = 0; i < count; i += 1) {
    const at = HEADER_SIZE + i * ENTRY_SIZE
    const logical = (first + i) * span * EXTENT_BLOCKS_MAX
    target.writeUInt32LE(logical, at)
    if (depth > 0) {
      writePhysical(target, childStart + first + i, { low: at + 4, high: at + 8 })
    } else {
      target.writeUInt16LE(Math.min(EXTENT_BLOCKS_MAX, content.blocks - logical), at + 4)
      writePhysical(target, dataStart + logical, { low: at + 8, high: at + 6 })
    }
  }
}

function writePhysical(
  target: Buffer,
  block: number,
  at: { readonly low: number; readonly high: number },
): void {
  target.writeUInt32LE(block % 0x1_0000_0000, at.low)
  target.writeUInt16LE(Math.floor(block / 0x1_0000_0000), at.high)
}

function sumFirst(levels: readonly number[], count: number): number {
  let sum = 0
  for (let i = 0; i < count; i += 1) sum += levels[i]!
  return sum
}

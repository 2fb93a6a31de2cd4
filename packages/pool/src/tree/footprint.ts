/**
 * What an entry takes in the ext4 view: inodes and 4 KiB blocks (footprint version 1).
 *
 * Capture adds these numbers into the Weights of every node; the view finds inodes and blocks by
 * descending along them. So both sides must count alike, for ever: the rules below are part of the
 * tree format, and a change of any of them is a new FOOTPRINT_VERSION (docs/formats/tree.md).
 *
 *   entry            inodes  blocks, in this order on the device
 *   regular file     1 + X   xattr block, X external values, extent tree, one for each 4 KiB of
 *                            the file that holds any byte of content which is not a hole
 *   directory        1 + X   xattr block, X values, extent tree, directoryBlocks(Σ direntLength);
 *                            then its entries in name order, each with all that is below it
 *   symlink          1 + X   xattr block, X values, one for the target unless it is < 60 bytes
 *   fifo, device, …  1 + X   xattr block, X values
 *   hard-link name   0       none: its file stands in the link table
 *
 * What the view further takes from an entry, since it cannot count it by itself in bounded time:
 * - directory: `nlink` = 2 + its direct subdirectories, `size` = directoryBlocks × 4096;
 * - link table entry: `nlink` = the names it has inside this snapshot, not in the source;
 * - a file with a hole over a whole block is marked sparse: only then are its lists walked.
 *
 * Extended attributes are laid out by xattr-footprint.ts.
 */
import { assert } from '@openmaas/kernel/assert'

export const FOOTPRINT_VERSION = 1
export const BLOCK_SIZE = 4096

/** ext4 counts the blocks of a file in 32 bits; content behind them is not in the view. */
export const FILE_BLOCKS_MAX = 2 ** 32 - 1
/** An initialised extent maps at most this many blocks (128 MiB). */
export const EXTENT_BLOCKS_MAX = 32_768
/** Extents, or index entries, in the inode itself and in one block of the extent tree. */
export const EXTENTS_IN_INODE = 4
export const EXTENTS_IN_BLOCK = 340
/** A shorter target lies in the inode (a "fast" symlink). */
export const SYMLINK_IN_INODE_MAX = 59

/** Bytes of "." and ".." in front of a directory of one block. */
const DOTS_SIZE = 24
/** dx_root and dx_node: entries of 8 bytes behind 32 and 8 bytes; exactly what the kernel wants. */
export const INDEX_ROOT_LIMIT = 508
export const INDEX_NODE_LIMIT = 511
/**
 * A hashed leaf is aimed at this fill. An entry goes to the leaf in which its first byte falls, so
 * a leaf may run over by one entry of at most 264 bytes: 3832 + 264 = 4096. Hence the number of
 * leaves depends on the sum of the lengths only, not on hashes, seed or order.
 */
export const LEAF_FILL = BLOCK_SIZE - 264

/** Bytes of a directory entry: 8 and the name, to a multiple of 4. */
export function direntLength(nameLength: number): number {
  return (8 + nameLength + 3) & ~3
}

/** How a directory is laid out: one linear block, or index blocks in front of hashed leaves. */
export interface DirectoryGeometry {
  readonly blocks: number
  /** 0 for a linear directory. */
  readonly leaves: number
  /** Index nodes per level below the root, from the root down; at most two levels. */
  readonly indexNodes: readonly number[]
}

const LINEAR: DirectoryGeometry = { blocks: 1, leaves: 0, indexNodes: [] }

/** @param direntBytes Σ direntLength(name) over the directory's entries, without "." and ".." */
export function directoryGeometry(direntBytes: number): DirectoryGeometry {
  if (direntBytes + DOTS_SIZE <= BLOCK_SIZE) return LINEAR
  const leaves = Math.ceil(direntBytes / LEAF_FILL)
  const indexNodes: number[] = []
  for (let count = leaves; count > INDEX_ROOT_LIMIT; ) {
    count = Math.ceil(count / INDEX_NODE_LIMIT)
    indexNodes.unshift(count)
  }
  const blocks = 1 + leaves + indexNodes.reduce((sum, count) => sum + count, 0)
  return { blocks, leaves, indexNodes }
}

/** Blocks of a directory's own content; see directoryGeometry. */
export function directoryBlocks(direntBytes: number): number {
  return directoryGeometry(direntBytes).blocks
}

/** Extents of a file without holes. */
export function denseExtents(dataBlocks: number): number {
  return Math.ceil(dataBlocks / EXTENT_BLOCKS_MAX)
}

/** Blocks of the extent tree outside the inode. */
export function extentTreeBlocks(extents: number): number {
  let blocks = 0
  for (let count = extents; count > EXTENTS_IN_INODE; ) {
    count = Math.ceil(count / EXTENTS_IN_BLOCK)
    blocks += count
  }
  return blocks
}

/** Blocks of a file, or of a directory's content, that has no holes: data and extent tree. */
export function denseBlocks(size: number): number {
  const dataBlocks = Math.min(Math.ceil(size / BLOCK_SIZE), FILE_BLOCKS_MAX)
  return dataBlocks + extentTreeBlocks(denseExtents(dataBlocks))
}

/** Blocks of a symlink's target. */
export function symlinkBlocks(targetLength: number): number {
  return targetLength > SYMLINK_IN_INODE_MAX ? 1 : 0
}

/**
 * Turns the content items of a file (data or hole, any length, in order) into runs of blocks.
 * A block belongs to a run when any byte of it is data.
 */
export class BlockRuns {
  /** Valid after end(). */
  dataBlocks = 0
  extents = 0
  #position = 0
  #first = 0
  #end = 0
  readonly #onRun: ((firstBlock: number, blockCount: number) => void) | undefined

  constructor(onRun?: (firstBlock: number, blockCount: number) => void) {
    this.#onRun = onRun
  }

  add(length: number, hole: boolean): void {
    const begin = this.#position
    this.#position += length
    assert(Number.isSafeInteger(this.#position), 'a file has at most 2^53 bytes')
    if (hole || length === 0) return
    const first = Math.max(Math.floor(begin / BLOCK_SIZE), this.#end)
    const end = Math.min(Math.ceil(this.#position / BLOCK_SIZE), FILE_BLOCKS_MAX)
    if (end <= first) return
    if (first > this.#end) {
      this.#close()
      this.#first = first
    }
    this.#end = end
  }

  /** Closes the last run. True when some whole block of the file is a hole. */
  end(): { sparse: boolean; blocks: number } {
    this.#close()
    this.#first = this.#end
    const fileBlocks = Math.min(Math.ceil(this.#position / BLOCK_SIZE), FILE_BLOCKS_MAX)
    const blocks = this.dataBlocks + extentTreeBlocks(this.extents)
    return { sparse: this.dataBlocks < fileBlocks, blocks }
  }

  #close(): void {
    const count = this.#end - this.#first
    if (count === 0) return
    this.dataBlocks += count
    this.extents += Math.ceil(count / EXTENT_BLOCKS_MAX)
    this.#onRun?.(this.#first, count)
  }
}

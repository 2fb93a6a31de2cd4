/**
 * What an entry costs in the ext4 view: inodes and 4 KiB blocks. Part of the tree format
 * (docs/formats/tree.md): capture sums these numbers into the Weights of every directory, and the
 * view (medium/ext4) lays its blocks out by the same functions, so that it can find any inode or
 * block by descending the tree. A change here is a new FOOTPRINT_VERSION.
 *
 * Order of an entry's own blocks: xattr block (0 or 1), then extent-tree blocks, then the mapped
 * blocks (directory blocks, file content, symlink target). A directory's own blocks come before
 * those of its entries; entries follow in name order, subdirectories in place. The link table's
 * entries come after the whole tree, in key order.
 */
export const FOOTPRINT_VERSION = 1

export const VIEW_BLOCK_SIZE = 4096
/** Blocks one extent maps at most (ext4: ee_len ≤ 32768 for initialised extents). */
export const EXTENT_BLOCKS_MAX = 32768
/** Extents in the inode itself, and entries in one extent-tree block: (4096 − 12) / 12. */
export const INODE_EXTENTS_MAX = 4
export const EXTENT_BLOCK_ENTRIES_MAX = 340
/** Symlinks shorter than this stand in the inode (i_block has 60 bytes, the last is NUL). */
export const SYMLINK_INLINE_MAX = 59
/** Bytes behind the 32 extra bytes of a 256-byte inode: magic, entries, terminator, values. */
export const XATTR_INODE_SPACE = 96
/** Bytes of one xattr block without its header of 32. */
export const XATTR_BLOCK_SPACE = VIEW_BLOCK_SIZE - 32

/** Bytes of `.` and `..` in a directory. */
const DOT_DIRENTS = 24
/** dx_root entries: (4096 − 24 − 8) / 8, the first being count and limit. */
export const HTREE_ROOT_ENTRIES_MAX = 508
/** dx_node entries: (4096 − 8) / 8. */
export const HTREE_NODE_ENTRIES_MAX = 511
/**
 * A leaf starts an entry only while less than this stands in it, so the last one (264 bytes at
 * most) still fits: 4096 − 264. So the count of leaves follows from the sum of the entry sizes
 * alone, whatever the order of the hashes.
 */
export const HTREE_LEAF_FILL = 3832

/** Bytes of one directory entry in an ext4 directory block. */
export function direntSize(nameLength: number): number {
  return (8 + nameLength + 3) & ~3
}

export interface DirectoryBlocks {
  /** 0: one linear block. 1 to 3: levels of index above the leaves (1 = dx_root only). */
  readonly indexLevels: number
  /** dx_node blocks per level below the root, from the root down; empty for one level. */
  readonly indexNodes: readonly number[]
  readonly leaves: number
  readonly total: number
}

/**
 * The blocks of a directory. Small ones are a single linear block; others are hashed: block 0 is
 * the dx_root, then the dx_nodes level by level, then the leaves in hash order. Leaf `k` of `n`
 * holds the entries (in hash order, without `.` and `..`) whose start offset `s` in the run of all
 * entries has `floor(s × n / direntBytes) = k`.
 *
 * @param direntBytes sum of direntSize over the names, without `.` and `..`
 */
export function directoryBlocks(direntBytes: number): DirectoryBlocks {
  if (direntBytes + DOT_DIRENTS <= VIEW_BLOCK_SIZE) {
    return { indexLevels: 0, indexNodes: [], leaves: 1, total: 1 }
  }
  const leaves = Math.max(2, Math.ceil(direntBytes / HTREE_LEAF_FILL))
  const indexNodes: number[] = []
  let width = leaves
  while (width > HTREE_ROOT_ENTRIES_MAX) {
    width = Math.ceil(width / HTREE_NODE_ENTRIES_MAX)
    indexNodes.unshift(width)
  }
  const total = indexNodes.reduce((sum, count) => sum + count, 1 + leaves)
  return { indexLevels: 1 + indexNodes.length, indexNodes, leaves, total }
}

/** Blocks that content of that size maps; holes are mapped too (they are served as zeros). */
export function contentBlocks(size: number): number {
  return Math.ceil(size / VIEW_BLOCK_SIZE)
}

/**
 * Extent-tree blocks per level, from the level under the inode down to the leaves. Every extent
 * but the last has EXTENT_BLOCKS_MAX blocks; every tree block but the last of its level is full.
 */
export function extentTreeLevels(mappedBlocks: number): number[] {
  const levels: number[] = []
  let width = Math.ceil(mappedBlocks / EXTENT_BLOCKS_MAX)
  while (width > INODE_EXTENTS_MAX) {
    width = Math.ceil(width / EXTENT_BLOCK_ENTRIES_MAX)
    levels.unshift(width)
  }
  return levels
}

/** Sum of extentTreeLevels, without the array: this runs once per entry of every capture. */
export function extentTreeBlocks(mappedBlocks: number): number {
  let sum = 0
  let width = Math.ceil(mappedBlocks / EXTENT_BLOCKS_MAX)
  while (width > INODE_EXTENTS_MAX) {
    width = Math.ceil(width / EXTENT_BLOCK_ENTRIES_MAX)
    sum += width
  }
  return sum
}

/** Mapped blocks plus extent-tree blocks of a file. */
export function fileBlocks(size: number): number {
  const mapped = contentBlocks(size)
  return mapped + extentTreeBlocks(mapped)
}

export function symlinkBlocks(targetLength: number): number {
  return targetLength > SYMLINK_INLINE_MAX ? 1 : 0
}

/** ext4 name indexes (e_name_index) by prefix; the whole-name rows match only exactly. */
export const XATTR_PREFIXES: readonly { prefix: string; index: number; whole: boolean }[] = [
  { prefix: 'system.posix_acl_access', index: 2, whole: true },
  { prefix: 'system.posix_acl_default', index: 3, whole: true },
  { prefix: 'user.', index: 1, whole: false },
  { prefix: 'trusted.', index: 4, whole: false },
  { prefix: 'security.', index: 6, whole: false },
  { prefix: 'system.', index: 7, whole: false },
]

export interface XattrPair {
  readonly name: Buffer
  readonly value: Buffer
}

export interface Ext4XattrName {
  readonly index: number
  /** Bytes of the name that ext4 stores, behind the prefix. */
  readonly suffix: Buffer
}

/** @returns undefined for a name that ext4 cannot hold; the view leaves such xattrs out */
export function ext4XattrName(name: Buffer): Ext4XattrName | undefined {
  for (const { prefix, index, whole } of XATTR_PREFIXES) {
    const length = prefix.length
    if (name.length < length || name.toString('latin1', 0, length) !== prefix) continue
    if (whole && name.length !== length) continue
    if (!whole && name.length === length) return undefined
    return { index, suffix: name.subarray(length) }
  }
  return undefined
}

/**
 * Bytes of an ACL in ext4's own form: version of 4, then 4 bytes for an entry without an id and 8
 * for USER (2) and GROUP (8). The xattr form has 4, then 8 for each.
 */
export function ext4AclSize(value: Buffer): number {
  let size = 4
  for (let offset = 4; offset + 8 <= value.length; offset += 8) {
    const tag = value.readUInt16LE(offset)
    size += tag === 2 || tag === 8 ? 8 : 4
  }
  return size
}

/** Bytes of the pair in ext4: entry of 16, name and value padded to 4; 0 when it is left out. */
export function ext4XattrSize(pair: XattrPair): number {
  const name = ext4XattrName(pair.name)
  if (name === undefined) return 0
  const acl = name.index === 2 || name.index === 3
  const valueSize = acl ? ext4AclSize(pair.value) : pair.value.length
  return 16 + ((name.suffix.length + 3) & ~3) + ((valueSize + 3) & ~3)
}

/**
 * True when the xattrs do not all fit the inode's extra space: magic of 4, the pairs, terminator
 * of 4. Then all of them stand in the entry's one xattr block; those that do not fit that either,
 * taken in name order, are left out of the view (they stay in the snapshot).
 */
export function xattrsNeedBlock(pairs: readonly XattrPair[]): boolean {
  let size = 8
  for (const pair of pairs) size += ext4XattrSize(pair)
  return size > XATTR_INODE_SPACE
}

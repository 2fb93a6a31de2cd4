/** Numbers of the ext4 on-disk format that several files of the view need (kernel: ext4.h). */

export const BLOCK_SIZE = 4096
export const INODE_SIZE = 256
export const INODES_PER_BLOCK = BLOCK_SIZE / INODE_SIZE
/** One bitmap block has a bit for each. */
export const BLOCKS_PER_GROUP = 8 * BLOCK_SIZE
export const DESCRIPTOR_SIZE = 64
export const DESCRIPTORS_PER_BLOCK = BLOCK_SIZE / DESCRIPTOR_SIZE

export const INO_ROOT = 2
export const INO_JOURNAL = 8
/** Inodes 1 to 10 are reserved; the tree's second inode (the root is 2) is this one. */
export const INO_FIRST = 11

export const FEATURE_COMPAT = {
  hasJournal: 0x4,
  extAttr: 0x8,
  dirIndex: 0x20,
  sparseSuper2: 0x200,
} as const
export const FEATURE_INCOMPAT = {
  filetype: 0x2,
  extents: 0x40,
  bit64: 0x80,
  flexBg: 0x200,
  largeDir: 0x4000,
} as const
export const FEATURE_RO_COMPAT = {
  largeFile: 0x2,
  hugeFile: 0x8,
  gdtCsum: 0x10,
  dirNlink: 0x20,
  extraIsize: 0x40,
} as const

export const INODE_FLAG = { index: 0x1000, extents: 0x80000 } as const

/** Half-MD4; the superblock flag says that bytes of names are unsigned. */
export const HASH_HALF_MD4 = 1
export const SUPERBLOCK_FLAG_UNSIGNED_HASH = 0x2

/** Directory entry types (EXT4_FT_…) by the file type bits of a mode. */
export function direntType(mode: number): number {
  switch (mode & 0o170000) {
    case 0o100000:
      return 1
    case 0o040000:
      return 2
    case 0o020000:
      return 3
    case 0o060000:
      return 4
    case 0o010000:
      return 5
    case 0o140000:
      return 6
    case 0o120000:
      return 7
    default:
      return 0
  }
}

/** Writes a number of up to 2^53 as its low and high 32 bits. */
export function writeSplit(
  target: Buffer,
  value: number,
  at: { readonly low: number; readonly high: number },
): void {
  target.writeUInt32LE(value % 0x1_0000_0000, at.low)
  target.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at.high)
}

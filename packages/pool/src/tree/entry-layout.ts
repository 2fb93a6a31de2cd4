/**
 * Offsets of the entry layout (docs/formats/tree.md). All numbers little endian.
 *
 *   offset size field                      offset size field
 *        0  u32 entryLength (multiple of 8)     24  u64 size
 *        4  u16 nameLength                      32  u64 ino
 *        6   u8 kind                            40  i64 mtime, seconds
 *        7   u8 flags                           48  i64 ctime, seconds
 *        8  u32 mode (st_mode)                  56  u32 mtime, nanoseconds
 *       12  u32 uid                             60  u32 ctime, nanoseconds
 *       16  u32 gid                             64  name, zero padded to a multiple of 8
 *       20  u32 nlink                            …  the kind's field, then the xattr field
 *
 * Field by kind:
 *   file       CONTENT_SINGLE: chunk id 32
 *              CONTENT_LIST: list root id 32, u32 level, u32 0, u64 chunk references
 *              neither: the file is empty
 *   directory  node id 32, Weights 64, u32 entries, u32 subdirectories, u64 dirent bytes
 *   symlink    u32 length, target, zero padded to a multiple of 8
 *   char,block u32 major, u32 minor
 *   hard link  key: u32 device and u64 ino, both big endian; u32 0
 *   fifo, socket: nothing
 * Xattr field:
 *   XATTRS: the xattr block (xattr-block.ts), zero padded to a multiple of 8
 *   XATTRS_EXTERNAL: id 32 of a chunk that holds the block
 */
export const ENTRY_FIXED_SIZE = 64

export const OFFSET = {
  length: 0,
  nameLength: 4,
  kind: 6,
  flags: 7,
  mode: 8,
  uid: 12,
  gid: 16,
  nlink: 20,
  size: 24,
  ino: 32,
  mtimeSec: 40,
  ctimeSec: 48,
  mtimeNs: 56,
  ctimeNs: 60,
  name: 64,
} as const

export const ENTRY_KIND = {
  file: 1,
  directory: 2,
  symlink: 3,
  fifo: 4,
  socket: 5,
  charDevice: 6,
  blockDevice: 7,
  hardLink: 8,
} as const
export type EntryKind = (typeof ENTRY_KIND)[keyof typeof ENTRY_KIND]

export const ENTRY_FLAG = {
  contentSingle: 0x01,
  contentList: 0x02,
  xattrs: 0x04,
  xattrsExternal: 0x08,
  /** The xattrs take a block of the view (footprint.ts, xattrsNeedBlock). */
  xattrBlock: 0x10,
  /** Changed while it was read, or too recently to trust its times: read it again next time. */
  uncertain: 0x20,
} as const
/** Bits that must be zero. */
export const ENTRY_FLAGS_UNKNOWN = 0xc0

/** Longest name of Linux; also what ext4 holds. */
export const NAME_LENGTH_MAX = 255
/** PATH_MAX less its NUL. */
export const SYMLINK_TARGET_MAX = 4095
/** Xattr blocks longer than this stand in a chunk of their own, so that nodes stay small. */
export const XATTR_INLINE_MAX = 2048
/** Then the block is one chunk, so this is the chunk size limit. */
export const XATTR_BYTES_MAX = 1 << 20
export const CONTENT_LIST_FIELD_SIZE = 48
export const DIRECTORY_FIELD_SIZE = 112
export const LINK_KEY_SIZE = 12

/** File type bits of a mode, as in sys/stat.h. */
export const S_IFMT = 0o170000
export const S_IFREG = 0o100000

export const padded = (length: number): number => (length + 7) & ~7

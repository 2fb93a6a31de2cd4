/**
 * Constants of the FUSE kernel protocol, version 7, named and ordered as in
 * include/uapi/linux/fuse.h. Only what a server of one file needs.
 */
export const FUSE_KERNEL_VERSION = 7
/** The newest minor whose messages this server knows; the kernel uses the smaller of both. */
export const FUSE_KERNEL_MINOR_VERSION = 40
/** Minors below this lay INIT and ATTR out differently; every kernel since 2011 is above. */
export const FUSE_MINOR_MIN = 23

export const FUSE_ROOT_ID = 1

export const FUSE_LOOKUP = 1
export const FUSE_FORGET = 2
export const FUSE_GETATTR = 3
export const FUSE_SETATTR = 4
export const FUSE_OPEN = 14
export const FUSE_READ = 15
export const FUSE_WRITE = 16
export const FUSE_STATFS = 17
export const FUSE_RELEASE = 18
export const FUSE_FSYNC = 20
export const FUSE_FLUSH = 25
export const FUSE_INIT = 26
export const FUSE_OPENDIR = 27
export const FUSE_READDIR = 28
export const FUSE_RELEASEDIR = 29
export const FUSE_FSYNCDIR = 30
export const FUSE_ACCESS = 34
export const FUSE_INTERRUPT = 36
export const FUSE_DESTROY = 38
export const FUSE_BATCH_FORGET = 42
export const FUSE_FALLOCATE = 43

// INIT flags. FUSE_INIT_EXT says that flags2 holds bits 32 to 63.
export const FUSE_ASYNC_READ = 1 << 0
export const FUSE_BIG_WRITES = 1 << 5
export const FUSE_ASYNC_DIO = 1 << 15
export const FUSE_PARALLEL_DIROPS = 1 << 18
export const FUSE_MAX_PAGES = 1 << 22
export const FUSE_INIT_EXT = 1 << 30
/** Bit 39: the kernel can send unanswered requests again to a new server (Linux 6.9). */
export const FUSE_HAS_RESEND_FLAGS2 = 1 << 7

export const FOPEN_KEEP_CACHE = 1 << 1
export const FUSE_NOTIFY_INVAL_INODE = 2
export const FUSE_NOTIFY_RESEND = 7

export const FALLOC_FL_KEEP_SIZE = 0x01
export const FALLOC_FL_PUNCH_HOLE = 0x02
export const FALLOC_FL_ZERO_RANGE = 0x10

/** The file type bits of a directory entry, as in stat's mode shifted by 12. */
export const DT_DIR = 4
export const DT_REG = 8

export const EPERM = 1
export const ENOENT = 2
export const EIO = 5
export const EINVAL = 22
export const ENOSYS = 38
export const EOPNOTSUPP = 95

/** Data bytes of one READ or WRITE: 256 pages, what the kernel grants without privileges. */
export const FUSE_TRANSFER_MAX = 1 << 20
/** One request: the largest WRITE and its headers, with room for extensions. */
export const FUSE_REQUEST_MAX = FUSE_TRANSFER_MAX + 4096

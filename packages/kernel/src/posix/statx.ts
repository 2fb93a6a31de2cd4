/**
 * statx(2): all metadata of a file in one call and one buffer, without an object per file.
 *
 * struct statx (linux/stat.h), 256 bytes, same on every architecture:
 *
 *   offset size field                offset size field
 *        0  u32 stx_mask                 96  s64 stx_ctime.tv_sec
 *        4  u32 stx_blksize             104  u32 stx_ctime.tv_nsec
 *        8  u64 stx_attributes          112  s64 stx_mtime.tv_sec
 *       16  u32 stx_nlink               120  u32 stx_mtime.tv_nsec
 *       20  u32 stx_uid                 128  u32 stx_rdev_major
 *       24  u32 stx_gid                 132  u32 stx_rdev_minor
 *       28  u16 stx_mode                136  u32 stx_dev_major
 *       32  u64 stx_ino                 140  u32 stx_dev_minor
 *       40  u64 stx_size                144  u64 stx_mnt_id
 *       48  u64 stx_blocks (512 B)
 *       64  s64 stx_atime.tv_sec
 *       72  u32 stx_atime.tv_nsec
 *       80  s64 stx_btime.tv_sec
 *       88  u32 stx_btime.tv_nsec
 */
import { endianness } from 'node:os'
import { assert } from '../assert.ts'
import { answer, bind, type CString, checked, lazily } from './library.ts'

/** Bytes of struct statx. */
export const STATX_SIZE = 256

export const STATX_BASIC_STATS = 0x7ff
export const STATX_BTIME = 0x800
export const STATX_MNT_ID = 0x1000

/** A buffer to pass to `statx`; reuse it. */
export function makeStatx(): Buffer {
  return Buffer.alloc(STATX_SIZE)
}

type Statx = (dirfd: number, n: CString, flags: number, mask: number, out: Buffer) => number
const native = lazily(() => ({
  statx: bind<Statx>('statx', 'int', 'int, void *, int, uint, void *'),
}))

const EMPTY = Buffer.alloc(1)
const AT_EMPTY_PATH = 0x1000

/** @returns 0, or minus errno. Follows a symbolic link unless AT_SYMLINK_NOFOLLOW is given. */
export function statx(
  dirfd: number,
  name: CString,
  flags: number,
  mask: number,
  out: Buffer,
): number {
  return answer(native().statx(dirfd, name, flags, mask, out))
}

/** Metadata of an open file. @throws MaasError FS_IO */
export function fstatx(fd: number, mask: number, out: Buffer): void {
  checked(statx(fd, EMPTY, AT_EMPTY_PATH, mask, out), 'statx')
}

assert(endianness() === 'LE', 'the machine is little-endian, as the accessors below read it')

/** A u64 that fits a safe integer. Sizes stop at 2^63 - 1 and inodes of real systems far below. */
function u64(out: Buffer, offset: number): number {
  const high = out.readUInt32LE(offset + 4)
  assert(high < 0x20_0000, 'a 64-bit field of statx fits 53 bits')
  return high * 0x1_0000_0000 + out.readUInt32LE(offset)
}

/** A signed 64-bit count of seconds; within ±2^53, which is ±285 million years. */
function s64(out: Buffer, offset: number): number {
  return out.readInt32LE(offset + 4) * 0x1_0000_0000 + out.readUInt32LE(offset)
}

export const statxMask = (out: Buffer): number => out.readUInt32LE(0)
export const statxBlockSize = (out: Buffer): number => out.readUInt32LE(4)
export const statxLinkCount = (out: Buffer): number => out.readUInt32LE(16)
export const statxUid = (out: Buffer): number => out.readUInt32LE(20)
export const statxGid = (out: Buffer): number => out.readUInt32LE(24)
/** File type (S_IFMT) and permissions. */
export const statxMode = (out: Buffer): number => out.readUInt16LE(28)
export const statxSize = (out: Buffer): number => u64(out, 40)
/** Allocated bytes; less than the size means holes (or compression below). */
export const statxAllocated = (out: Buffer): number => u64(out, 48) * 512

/** True when `statxInode` is safe to call; else take `statxInodeBig`. */
export const statxInodeIsSafe = (out: Buffer): boolean => out.readUInt32LE(36) < 0x20_0000
export const statxInode = (out: Buffer): number => u64(out, 32)
export const statxInodeBig = (out: Buffer): bigint => out.readBigUInt64LE(32)

/** Seconds since 1970, floored; the nanoseconds count upward from there, also before 1970. */
export const statxAccessSeconds = (out: Buffer): number => s64(out, 64)
export const statxAccessNanoseconds = (out: Buffer): number => out.readUInt32LE(72)
/** Valid when `statxMask` has STATX_BTIME. */
export const statxBirthSeconds = (out: Buffer): number => s64(out, 80)
export const statxBirthNanoseconds = (out: Buffer): number => out.readUInt32LE(88)
export const statxChangeSeconds = (out: Buffer): number => s64(out, 96)
export const statxChangeNanoseconds = (out: Buffer): number => out.readUInt32LE(104)
export const statxModifySeconds = (out: Buffer): number => s64(out, 112)
export const statxModifyNanoseconds = (out: Buffer): number => out.readUInt32LE(120)

/** The device that a device node stands for. */
export const statxRdevMajor = (out: Buffer): number => out.readUInt32LE(128)
export const statxRdevMinor = (out: Buffer): number => out.readUInt32LE(132)
/** The device the file lives on. */
export const statxDeviceMajor = (out: Buffer): number => out.readUInt32LE(136)
export const statxDeviceMinor = (out: Buffer): number => out.readUInt32LE(140)

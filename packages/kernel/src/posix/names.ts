/**
 * Names in directories and what hangs on them: links, renames, nodes, owners, modes, times.
 *
 * Every name is relative to an open directory (AT_FDCWD for the working directory), so that a
 * directory that is swapped for a link meanwhile leads nowhere. Each call returns 0 or a count,
 * or minus errno.
 */
import { assert } from '../assert.ts'
import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW } from './constants.ts'
import { answer, bind, type CString, checked, lazily } from './library.ts'

type AtNumbers = (dirfd: number, name: CString, ...values: number[]) => number
type AtBytes = (dirfd: number, name: CString, bytes: Uint8Array, value: number) => number
type Link = (a: number, aName: CString, b: number, bName: CString, flags: number) => number

const native = lazily(() => ({
  readlinkat: bind<AtBytes>('readlinkat', 'long', 'int, void *, void *, size_t'),
  mkdirat: bind<AtNumbers>('mkdirat', 'int', 'int, void *, uint'),
  symlinkat: bind<(text: CString, dirfd: number, name: CString) => number>(
    'symlinkat',
    'int',
    'void *, int, void *',
  ),
  linkat: bind<Link>('linkat', 'int', 'int, void *, int, void *, int'),
  renameat2: bind<Link>('renameat2', 'int', 'int, void *, int, void *, uint'),
  unlinkat: bind<AtNumbers>('unlinkat', 'int', 'int, void *, int'),
  mknodat: bind<AtNumbers>('mknodat', 'int', 'int, void *, uint, uint64'),
  fchownat: bind<AtNumbers>('fchownat', 'int', 'int, void *, uint, uint, int'),
  fchmodat: bind<AtNumbers>('fchmodat', 'int', 'int, void *, uint, int'),
  fchmod: bind<(fd: number, mode: number) => number>('fchmod', 'int', 'int, uint'),
  utimensat: bind<AtBytes>('utimensat', 'int', 'int, void *, void *, int'),
  futimens: bind<(fd: number, times: Uint8Array) => number>('futimens', 'int', 'int, void *'),
}))

const EMPTY = Buffer.alloc(1)

/** Length of the longest target of a symbolic link, with its NUL (PATH_MAX). */
export const LINK_TARGET_MAX = 4096
const linkTarget = Buffer.alloc(LINK_TARGET_MAX)

/** Puts the target into `out`, without a NUL. @returns its length or minus errno */
export function readlinkat(dirfd: number, name: CString, out: Uint8Array): number {
  return answer(native().readlinkat(dirfd, name, out, out.length))
}

/** The target of a symbolic link, in a buffer of its own. @throws MaasError FS_* */
export function readLinkTarget(dirfd: number, name: CString): Buffer {
  const length = checked(readlinkat(dirfd, name, linkTarget), 'readlinkat', name)
  return Buffer.from(linkTarget.subarray(0, length))
}

/** The umask applies to the mode. */
export function mkdirat(dirfd: number, name: CString, mode: number): number {
  return answer(native().mkdirat(dirfd, name, mode))
}

/** @param target the text of the link, NUL-terminated */
export function symlinkat(target: CString, dirfd: number, name: CString): number {
  return answer(native().symlinkat(target, dirfd, name))
}

export interface NamePair {
  readonly sourceDirectory: number
  readonly source: CString
  readonly targetDirectory: number
  readonly target: CString
}

/** A hard link; a symbolic link is itself linked unless AT_SYMLINK_FOLLOW is given. */
export function linkat(names: NamePair, flags = 0): number {
  const { sourceDirectory, source, targetDirectory, target } = names
  return answer(native().linkat(sourceDirectory, source, targetDirectory, target, flags))
}

/** Replaces the target atomically unless RENAME_NOREPLACE is given. */
export function renameat2(names: NamePair, flags = 0): number {
  const { sourceDirectory, source, targetDirectory, target } = names
  return answer(native().renameat2(sourceDirectory, source, targetDirectory, target, flags))
}

/** Removes a file, or with AT_REMOVEDIR an empty directory. */
export function unlinkat(dirfd: number, name: CString, flags = 0): number {
  return answer(native().unlinkat(dirfd, name, flags))
}

export interface DeviceNumber {
  readonly major: number
  readonly minor: number
}

/**
 * Makes a fifo, socket or device node.
 *
 * @param mode type (S_IFIFO…) and permissions; the umask applies
 */
export function mknodat(
  dirfd: number,
  name: CString,
  mode: number,
  device: DeviceNumber = { major: 0, minor: 0 },
): number {
  return answer(native().mknodat(dirfd, name, mode, encodeDevice(device)))
}

/** The dev_t of glibc: the low 8 bits of the minor, 12 of the major, 12 of the minor. */
function encodeDevice({ major, minor }: DeviceNumber): number {
  assert(major >= 0 && major < 0x1000, 'a major device number has 12 bits')
  assert(minor >= 0 && minor < 0x10_0000, 'a minor device number has 20 bits')
  return (minor & 0xff) + major * 0x100 + (minor >>> 8) * 0x10_0000
}

export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Does not follow a symbolic link unless `flags` is 0. */
export function fchownat(
  dirfd: number,
  name: CString,
  owner: Owner,
  flags = AT_SYMLINK_NOFOLLOW,
): number {
  return answer(native().fchownat(dirfd, name, owner.uid, owner.gid, flags))
}

export function fchown(fd: number, owner: Owner): number {
  return answer(native().fchownat(fd, EMPTY, owner.uid, owner.gid, AT_EMPTY_PATH))
}

/** Follows a symbolic link: Linux gives links no mode. Prefer `fchmod` where links may stand. */
export function fchmodat(dirfd: number, name: CString, mode: number): number {
  return answer(native().fchmodat(dirfd, name, mode, 0))
}

export function fchmod(fd: number, mode: number): number {
  return answer(native().fchmod(fd, mode))
}

/** Seconds are floored; nanoseconds count upward from there, 0–999,999,999. */
export interface FileTime {
  readonly seconds: number
  readonly nanoseconds: number
}

/** struct timespec[2]: access seconds s64, nanoseconds s64, then those of modification. */
const times = new DataView(new ArrayBuffer(32))
const timesBytes = Buffer.from(times.buffer)
/** In tv_nsec: leave this time as it is. */
const UTIME_OMIT = 0x3fff_ffff

function putTimes(access: FileTime | undefined, modify: FileTime): void {
  putSigned(0, access?.seconds ?? 0)
  putSigned(8, access === undefined ? UTIME_OMIT : access.nanoseconds)
  putSigned(16, modify.seconds)
  putSigned(24, modify.nanoseconds)
}

/** In two halves: a bigint for each number of each file is work for the collector. */
function putSigned(offset: number, value: number): void {
  const high = Math.floor(value / 0x1_0000_0000)
  times.setUint32(offset, value - high * 0x1_0000_0000, true)
  times.setInt32(offset + 4, high, true)
}

/** Sets the times of a name; of a symbolic link itself. */
export function utimensat(
  dirfd: number,
  name: CString,
  modify: FileTime,
  access?: FileTime,
): number {
  putTimes(access, modify)
  return answer(native().utimensat(dirfd, name, timesBytes, AT_SYMLINK_NOFOLLOW))
}

/** Sets the times of an open file. */
export function futimens(fd: number, modify: FileTime, access?: FileTime): number {
  putTimes(access, modify)
  return answer(native().futimens(fd, timesBytes))
}

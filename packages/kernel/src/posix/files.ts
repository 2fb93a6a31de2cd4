/**
 * Open files: opening relative to a directory, reading, writing, space, locks and durability.
 * What concerns names (links, renames, owners, modes, times) is in names.ts.
 *
 * Returns are as library.ts says: the result or minus errno. Offsets and lengths are bytes.
 */
import { assert } from '../assert.ts'
import { E, LOCK_EX, LOCK_NB, O_CLOEXEC, SEEK_DATA, SEEK_HOLE } from './constants.ts'
import { addressOf, answer, bind, type CString, checked, lazily } from './library.ts'

type Call = (...values: number[]) => number
type OpenAt = (dirfd: number, name: CString, flags: number, mode: number) => number
type Transfer = (fd: number, bytes: Uint8Array, length: number) => number
type TransferAt = (fd: number, bytes: Uint8Array, length: number, offset: number) => number
type CopyRange = (
  source: number,
  sourceOffset: Buffer | null,
  target: number,
  targetOffset: Buffer | null,
  length: number,
  flags: number,
) => number

const native = lazily(() => ({
  openat: bind<OpenAt>('openat', 'int', 'int, void *, int, uint'),
  close: bind<Call>('close', 'int', 'int'),
  read: bind<Transfer>('read', 'long', 'int, void *, size_t'),
  write: bind<Transfer>('write', 'long', 'int, void *, size_t'),
  writev: bind<Transfer>('writev', 'long', 'int, void *, int'),
  pread: bind<TransferAt>('pread', 'long', 'int, void *, size_t, int64'),
  pwrite: bind<TransferAt>('pwrite', 'long', 'int, void *, size_t, int64'),
  lseek: bind<Call>('lseek', 'int64', 'int, int64, int'),
  ftruncate: bind<Call>('ftruncate', 'int', 'int, int64'),
  fallocate: bind<Call>('fallocate', 'int', 'int, int, int64, int64'),
  fsync: bind<Call>('fsync', 'int', 'int'),
  fdatasync: bind<Call>('fdatasync', 'int', 'int'),
  syncfs: bind<Call>('syncfs', 'int', 'int'),
  flock: bind<Call>('flock', 'int', 'int, int'),
  fadvise: bind<Call>('posix_fadvise', 'int', 'int, int64, int64, int'),
  dup: bind<Call>('dup', 'int', 'int'),
  fcntl: bind<Call>('fcntl', 'int', 'int, int, long'),
  copyRange: bind<CopyRange>('copy_file_range', 'long', 'int, void *, int, void *, size_t, uint'),
}))

/** Repeats a call that a signal interrupted; each turn is a signal that came in, so it ends. */
function uninterrupted(call: () => number): number {
  for (;;) {
    const result = call()
    if (result !== -E.EINTR) return result
  }
}

/** O_CLOEXEC is always added. @returns a file descriptor, or minus errno */
export function openat(dirfd: number, name: CString, flags: number, mode = 0): number {
  for (;;) {
    const result = answer(native().openat(dirfd, name, flags | O_CLOEXEC, mode))
    if (result !== -E.EINTR) return result
  }
}

/**
 * Never repeated: after EINTR Linux has closed the descriptor, and the number may be another's.
 *
 * @throws MaasError FS_*: an error of a write that the kernel put off
 */
export function close(fd: number): void {
  const result = answer(native().close(fd))
  assert(result !== -E.EBADF, 'a file is closed once')
  if (result !== -E.EINTR) checked(result, 'close')
}

/** Reads into the front of the target. @returns the count, 0 at the end, or minus errno */
export function pread(
  fd: number,
  target: Uint8Array,
  offset: number,
  length = target.length,
): number {
  assert(length <= target.length, 'a read fits its target')
  for (;;) {
    const result = answer(native().pread(fd, target, length, offset))
    if (result !== -E.EINTR) return result
  }
}

/** @returns the count, which may be short, or minus errno */
export function pwrite(
  fd: number,
  source: Uint8Array,
  offset: number,
  length = source.length,
): number {
  assert(length <= source.length, 'a write fits its source')
  for (;;) {
    const result = answer(native().pwrite(fd, source, length, offset))
    if (result !== -E.EINTR) return result
  }
}

/** Writes everything. @throws MaasError FS_* */
export function pwriteAll(fd: number, source: Uint8Array, offset: number): void {
  let done = 0
  while (done < source.length) {
    const rest = done === 0 ? source : source.subarray(done)
    const count = checked(pwrite(fd, rest, offset + done), 'pwrite')
    assert(count > 0, 'a write of at least one byte writes at least one byte')
    done += count
  }
}

/** One read from where the descriptor stands; EINTR is returned, for pollers. */
export function read(fd: number, target: Uint8Array, length = target.length): number {
  assert(length <= target.length, 'a read fits its target')
  return answer(native().read(fd, target, length))
}

/** One write where the descriptor stands; EINTR is returned, for pollers. */
export function write(fd: number, source: Uint8Array, length = source.length): number {
  assert(length <= source.length, 'a write fits its source')
  return answer(native().write(fd, source, length))
}

/** More pieces than this in one `writev` are refused by the kernel (UIO_MAXIOV). */
export const WRITEV_PIECES_MAX = 1024
const iovec = Buffer.alloc(WRITEV_PIECES_MAX * 16)

/** Writes pieces in one call, atomically where the file is a device that says so. */
export function writev(fd: number, pieces: readonly Uint8Array[]): number {
  assert(pieces.length <= WRITEV_PIECES_MAX, 'the pieces fit one writev')
  for (let i = 0; i < pieces.length; i += 1) {
    const piece = pieces[i]!
    // struct iovec: address u64, length u64.
    iovec.writeBigUInt64LE(piece.length === 0 ? 0n : addressOf(piece), i * 16)
    iovec.writeBigUInt64LE(BigInt(piece.length), i * 16 + 8)
  }
  return answer(native().writev(fd, iovec, pieces.length))
}

/** @returns the new offset, or minus errno (ENXIO: no data or hole behind that offset) */
export function lseek(fd: number, offset: number, whence: number): number {
  return answer(native().lseek(fd, offset, whence))
}

/** Offset of the first data at or behind `offset`; -ENXIO when only a hole follows. */
export function seekData(fd: number, offset: number): number {
  return lseek(fd, offset, SEEK_DATA)
}

/** Offset of the first hole at or behind `offset`; the end of the file counts as one. */
export function seekHole(fd: number, offset: number): number {
  return lseek(fd, offset, SEEK_HOLE)
}

/** @throws MaasError FS_* */
export function ftruncate(fd: number, size: number): void {
  checked(
    uninterrupted(() => answer(native().ftruncate(fd, size))),
    'ftruncate',
  )
}

/** Reserves, zeroes or punches, by mode (FALLOC_FL_*). @returns 0 or minus errno */
export function fallocate(fd: number, mode: number, offset: number, length: number): number {
  return uninterrupted(() => answer(native().fallocate(fd, mode, offset, length)))
}

/**
 * Content, size and metadata become durable. Never call it again after it has thrown: the
 * kernel has dropped what it could not write and would answer success.
 *
 * @throws MaasError FS_*
 */
export function fsync(fd: number): void {
  checked(answer(native().fsync(fd)), 'fsync')
}

/** Content and size become durable; the warning of `fsync` holds. @throws MaasError FS_* */
export function fdatasync(fd: number): void {
  checked(answer(native().fdatasync(fd)), 'fdatasync')
}

/** The whole file system that holds the file becomes durable. @throws MaasError FS_* */
export function syncfs(fd: number): void {
  checked(answer(native().syncfs(fd)), 'syncfs')
}

/** @returns 0 or minus errno (EWOULDBLOCK with LOCK_NB) */
export function flock(fd: number, operation: number): number {
  return uninterrupted(() => answer(native().flock(fd, operation)))
}

/** Takes the exclusive lock without waiting. @returns false when another holds it */
export function tryFlock(fd: number): boolean {
  const result = flock(fd, LOCK_EX | LOCK_NB)
  if (result === -E.EAGAIN) return false
  checked(result, 'flock')
  return true
}

/** Advice may be refused and nothing is lost by it. @returns 0 or minus errno */
export function posix_fadvise(fd: number, offset: number, length: number, advice: number): number {
  // Unlike the others it answers the errno itself; 0 - 0 is not minus zero.
  return 0 - native().fadvise(fd, offset, length, advice)
}

/** @returns a descriptor of the same open file, without O_CLOEXEC, or minus errno */
export function dup(fd: number): number {
  return answer(native().dup(fd))
}

export function fcntl(fd: number, command: number, value: number): number {
  return answer(native().fcntl(fd, command, value))
}

/** Two offsets for copy_file_range, which reads and advances them. */
const copyOffsets = [Buffer.alloc(8), Buffer.alloc(8)] as const

export interface CopyRangeOptions {
  readonly sourceOffset: number
  readonly targetOffset: number
  readonly length: number
}

/** Copies inside the kernel, sharing blocks where it can. @returns the count or minus errno */
export function copy_file_range(source: number, target: number, range: CopyRangeOptions): number {
  const [from, to] = copyOffsets
  return uninterrupted(() => {
    from.writeBigInt64LE(BigInt(range.sourceOffset))
    to.writeBigInt64LE(BigInt(range.targetOffset))
    return answer(native().copyRange(source, from, target, to, range.length, 0))
  })
}

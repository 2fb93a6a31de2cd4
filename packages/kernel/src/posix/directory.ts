/**
 * Listing directories by getdents64(2): raw names, types for free, bounded memory.
 *
 * struct linux_dirent64: u64 d_ino (0), s64 d_off (8), u16 d_reclen (16), u8 d_type (18),
 * name with NUL (19), padded to d_reclen.
 */
import { arch } from 'node:process'
import { assert } from '../assert.ts'
import { E } from './constants.ts'
import { answer, bind, lazily } from './library.ts'

export interface DirectoryEntry {
  /** The name. A NUL byte stands behind it in memory, so it passes to C as it is. */
  readonly name: Buffer
  /** DT_*; DT_UNKNOWN where the file system does not say: ask statx. */
  readonly type: number
}

/** Bytes asked for in one call: about 1,000 entries, more gained nothing measurable. */
const LISTING_SIZE = 32 * 1024

const SYS_getdents64 = arch === 'arm64' ? 61 : 217

type Syscall = (number: number, fd: number, target: Uint8Array, size: number) => number
const native = lazily(() => ({
  getdents64: bind<Syscall>('syscall', 'long', 'long, long, void *, size_t'),
}))

const listing = Buffer.alloc(LISTING_SIZE)

/**
 * Appends the next entries of an open directory, without `.` and `..`.
 *
 * The names are copies in one buffer of their own, so they stay valid. Call again until 0:
 * millions of entries come in pieces.
 *
 * @returns the bytes taken from the kernel, 0 at the end, or minus errno
 */
export function readEntries(fd: number, entries: DirectoryEntry[]): number {
  let size: number
  do {
    size = answer(native().getdents64(SYS_getdents64, fd, listing, listing.length))
  } while (size === -E.EINTR)
  if (size <= 0) return size
  const bytes = Buffer.from(listing.subarray(0, size))
  let offset = 0
  while (offset < size) {
    const recordLength = bytes.readUInt16LE(offset + 16)
    assert(recordLength > 19 && offset + recordLength <= size, 'a directory record is whole')
    const start = offset + 19
    const end = bytes.indexOf(0, start)
    assert(end < offset + recordLength, 'a name in a directory record ends in NUL')
    if (!isDots(bytes, start, end)) {
      entries.push({ name: bytes.subarray(start, end), type: bytes[offset + 18]! })
    }
    offset += recordLength
  }
  return size
}

function isDots(bytes: Buffer, start: number, end: number): boolean {
  if (bytes[start] !== 0x2e) return false
  return end - start === 1 || (end - start === 2 && bytes[start + 1] === 0x2e)
}

/** All entries at once, for directories of ordinary size. @returns the entries, or minus errno */
export function readDirectory(fd: number): DirectoryEntry[] | number {
  const entries: DirectoryEntry[] = []
  for (;;) {
    const size = readEntries(fd, entries)
    if (size < 0) return size
    if (size === 0) return entries
  }
}

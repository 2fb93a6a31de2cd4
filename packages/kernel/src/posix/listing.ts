/**
 * Names of a directory in order, as compact as they get: for walks over millions of files.
 *
 * Each entry is one string: the bytes of the name as latin1, a NUL, and the type (DT_*) as a
 * character. So strings sort as the bytes of the names do, writing one as latin1 gives a
 * NUL-terminated C string at once, and the type costs no object.
 */
import { arch } from 'node:process'
import { assert } from '../assert.ts'
import { E } from './constants.ts'
import { answer, bind, lazily } from './library.ts'

const SYS_getdents64 = arch === 'arm64' ? 61 : 217
const LISTING_SIZE = 64 * 1024

type Syscall = (number: number, fd: number, target: Uint8Array, size: number) => number
const native = lazily(() => ({
  getdents64: bind<Syscall>('syscall', 'long', 'long, long, void *, size_t'),
}))
/** One byte more, for the type behind the NUL of a last name. */
const listing = Buffer.alloc(LISTING_SIZE + 8)

/** Of a listed name: what to pass to C, without the type, is everything but the last character. */
export const listedType = (listed: string): number => listed.charCodeAt(listed.length - 1)
/** Bytes of the name itself. */
export const listedLength = (listed: string): number => listed.length - 2

/** @returns all names without `.` and `..`, sorted by their bytes; or minus errno */
export function listSorted(fd: number): string[] | number {
  const names: string[] = []
  for (;;) {
    const size = answer(native().getdents64(SYS_getdents64, fd, listing, LISTING_SIZE))
    if (size === -E.EINTR) continue
    if (size < 0) return size
    if (size === 0) break
    collect(size, names)
  }
  // The default order compares UTF-16 units, which are the bytes here.
  return names.sort()
}

function collect(size: number, names: string[]): void {
  for (let offset = 0; offset < size;) {
    const length = listing[offset + 16]! | (listing[offset + 17]! << 8)
    assert(length > 19 && offset + length <= size, 'a directory record is whole')
    const start = offset + 19
    let end = start
    // Names are short: a call of indexOf costs as much as thirty turns.
    while (end < offset + length && listing[end] !== 0) end += 1
    assert(end > start && end < offset + length, 'a name in a directory record ends in NUL')
    const dots =
      listing[start] === 0x2e &&
      (end - start === 1 || (end - start === 2 && listing[start + 1] === 0x2e))
    const type = listing[offset + 18]!
    offset += length
    if (dots) continue
    // This may be the first byte of the next record's inode number, which nobody needs.
    listing[end + 1] = type
    names.push(listing.toString('latin1', start, end + 2))
  }
}

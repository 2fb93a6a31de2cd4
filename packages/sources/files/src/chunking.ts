/**
 * How a file is cut: content-defined, so that insertions move no other chunk; or fixed 64 KiB, so
 * that a database page or disk block rewritten in place changes exactly one chunk, and the reads
 * of a mounted image meet few chunks.
 */
import { MiB } from '@openmaas/kernel/units'

/** Large files of whole pages are most likely rewritten in place. */
export const FIXED_FILE_SIZE_MIN = 64 * MiB
const PAGE_SIZE = 4096
/** Smaller files are one or two chunks anyway. */
const EXTENSION_FILE_SIZE_MIN = 1 * MiB
/** Bytes at the front of a file that its format is told by. */
export const MAGIC_LENGTH = 512

const FIXED_EXTENSIONS = new Set(
  (
    'img raw qcow qcow2 qed vmdk vdi vhd vhdx hdd iso dd ' +
    'db db3 sqlite sqlite3 mdb accdb ibd ibdata myd myi mdf ndf ldf dbf gdb fdb wt dat'
  ).split(' '),
)
const TAR_EXTENSIONS = new Set([
  'tar',
  'ova',
  'zip',
  'cpio',
  'gz',
  'xz',
  'zst',
  'bz2',
  '7z',
  'mp4',
  'mkv',
])

/** @param name bytes as latin1 characters; without its type character */
export function extensionOf(name: string): string {
  const dot = name.lastIndexOf('.')
  return dot <= 0 ? '' : name.slice(dot + 1).toLowerCase()
}

const MAGICS: readonly { readonly at: number; readonly text: string; readonly fixed: boolean }[] = [
  { at: 0, text: 'SQLite format 3\0', fixed: true },
  { at: 0, text: 'QFI\xfb', fixed: true },
  { at: 0, text: 'KDMV', fixed: true },
  { at: 0, text: 'vhdxfile', fixed: true },
  { at: 0, text: 'conectix', fixed: true },
  { at: 257, text: 'ustar', fixed: false },
]

/**
 * @param front the first MAGIC_LENGTH bytes, or all of a shorter file
 * @returns true for fixed chunks
 */
export function isFixedChunked(name: string, size: number, front: Buffer): boolean {
  if (size < EXTENSION_FILE_SIZE_MIN) return false
  for (const { at, text, fixed } of MAGICS) {
    if (front.toString('latin1', at, at + text.length) === text) return fixed
  }
  const extension = extensionOf(name)
  if (FIXED_EXTENSIONS.has(extension)) return true
  if (TAR_EXTENSIONS.has(extension)) return false
  return size >= FIXED_FILE_SIZE_MIN && size % PAGE_SIZE === 0
}

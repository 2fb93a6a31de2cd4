/** Captures one regular file: content, xattrs, and whether it held still meanwhile. */
import { coarseNowMs } from '@openmaas/kernel/posix/coarse-clock'
import {
  AT_EMPTY_PATH,
  E,
  O_NOATIME,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
} from '@openmaas/kernel/posix/constants'
import { close, openat, pread } from '@openmaas/kernel/posix/files'
import { STATX_BASIC_STATS, statx } from '@openmaas/kernel/posix/statx'
import { readXattrs } from '@openmaas/kernel/posix/xattr'
import { ContentListBuilder } from '@openmaas/pool/tree/content-list'
import { XATTR_BYTES_MAX } from '@openmaas/pool/tree/entry-layout'
import type { ContentRef, TreeEntry } from '@openmaas/pool/tree/entry'
import type { XattrPair } from '@openmaas/pool/tree/footprint'
import { xattrBlockSize } from '@openmaas/pool/tree/xattr-block'
import { isFixedChunked, MAGIC_LENGTH } from '@openmaas/source-files/chunking'
import { type ContentCapture, SEGMENT_SIZE } from '@openmaas/source-files/content-capture'
import {
  type FileStat,
  makeFileStat,
  sameFile,
  StatxFields,
} from '@openmaas/source-files/file-stat'
import { LARGE_FILE_SIZE_MIN, LargeFile, makeLargeFileMemory } from './large-file.ts'
import type { CaptureSink, LargeFileOffer } from './messages.ts'
import type { Warnings } from './warnings.ts'

/** Files up to this size are read whole by one call. */
const SMALL_FILE_SIZE_MAX = 1 << 20

export interface CapturedFile {
  readonly content: ContentRef | undefined
  /** Bytes captured: the size that the entry states. */
  readonly size: number
  readonly xattrs: readonly XattrPair[]
  /** It changed while it was read, both times. */
  readonly changed: boolean
  /** It may have changed, or may yet change, without its times telling: see isRacy. */
  readonly racy: boolean
}

/**
 * A file changed this shortly before it was read may change again within the same tick of the
 * file system's clock, unseen: it is read again next time. Ticks are at most 10 ms on Linux.
 */
const RACY_MS = 20
/** File systems that count whole seconds show it in their nanoseconds. */
const RACY_COARSE_MS = 2_000
/**
 * From Linux 6.13 on a file may get a finer time than the tick's, which is ahead of the coarse
 * clock by as much as the tick is late: seconds where a hypervisor takes the CPU away. A time
 * further ahead is one that somebody set.
 */
const RACY_AHEAD_MS = 5_000

/** True when a file found or read from then on may still change without its times telling. */
export function isRacy(
  stat: { readonly ctimeSec: number; readonly ctimeNs: number },
  nowMs: number,
): boolean {
  const changedMs = stat.ctimeSec * 1000 + stat.ctimeNs / 1e6
  const windowMs = stat.ctimeNs === 0 ? RACY_COARSE_MS : RACY_MS
  const ageMs = nowMs - changedMs
  return ageMs < windowMs && ageMs > -RACY_AHEAD_MS
}

const NO_XATTRS: readonly XattrPair[] = []
const EMPTY_NAME = Buffer.alloc(1)

export interface FileCaptureDeps {
  readonly sink: CaptureSink
  readonly content: ContentCapture
  readonly warnings: Warnings
  /** Asks idle lanes for help with a large file. */
  readonly offer: (offer: LargeFileOffer) => void
}

export class FileCapture {
  readonly #deps: FileCaptureDeps
  readonly #list: ContentListBuilder
  readonly #statx = new StatxFields()
  readonly #after = makeFileStat()
  readonly #front = Buffer.alloc(MAGIC_LENGTH)
  #noatime = O_NOATIME
  #old: TreeEntry | undefined

  constructor(deps: FileCaptureDeps) {
    this.#deps = deps
    this.#list = new ContentListBuilder(deps.sink)
  }

  /** @returns a file descriptor, or minus errno. Never waits, even when the name is now a fifo. */
  open(dirfd: number, name: Buffer): number {
    const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK
    const fd = openat(dirfd, name, flags | this.#noatime)
    if (fd !== -E.EPERM || this.#noatime === 0) return fd
    // Only the owner and root may ask for O_NOATIME.
    const plain = openat(dirfd, name, flags)
    if (plain >= 0) this.#noatime = 0
    return plain
  }

  /**
   * @param name NUL-terminated
   * @param path for messages and helpers
   * @param stat as found by name; updated to what was captured
   * @param old the entry it had in the parent snapshot, when it was a file there
   * @returns undefined when it cannot be read: the warning is given
   */
  capture(
    dirfd: number,
    name: Buffer,
    { path, stat, old }: { path: string; stat: FileStat; old?: TreeEntry | undefined },
  ): CapturedFile | undefined {
    if (old !== undefined) this.#deps.sink.expect?.(old)
    this.#old = old
    const fd = this.open(dirfd, name)
    if (fd < 0) {
      this.#deps.warnings.failed(-fd, 'open', path)
      return undefined
    }
    try {
      return this.#captureOpen(fd, path, stat)
    } finally {
      close(fd)
    }
  }

  #captureOpen(fd: number, path: string, stat: FileStat): CapturedFile | undefined {
    const { warnings } = this.#deps
    for (let attempt = 1; ; attempt += 1) {
      const begunMs = coarseNowMs()
      const size = this.#readContent(fd, path, stat)
      const content = this.#list.finish()
      if (size < 0) {
        warnings.failed(-size, 'read', path)
        return undefined
      }
      const status = statx(fd, EMPTY_NAME, AT_EMPTY_PATH, STATX_BASIC_STATS, this.#statx.bytes)
      if (status < 0) {
        warnings.failed(-status, 'statx', path)
        return undefined
      }
      this.#statx.fill(this.#after)
      const still = sameFile(stat, this.#after) && size === stat.size
      if (!still && attempt === 1) {
        Object.assign(stat, this.#after)
        continue
      }
      if (!still) warnings.add('changed', path, 'changed while it was read, twice')
      const racy = isRacy(stat, begunMs)
      return { content, size, xattrs: this.#readXattrs(fd, path), changed: !still, racy }
    }
  }

  /** @returns the bytes put into the list, or minus errno */
  #readContent(fd: number, path: string, stat: FileStat): number {
    const { content } = this.#deps
    const { size } = stat
    const sparse = stat.allocated < size
    if (size <= SMALL_FILE_SIZE_MAX && !sparse) return this.#readSmall(fd, size)
    const count = pread(fd, this.#front, 0)
    if (count < 0) return count
    const name = path.slice(path.lastIndexOf('/') + 1)
    const fixed = isFixedChunked(name, size, this.#front.subarray(0, count))
    if (size >= LARGE_FILE_SIZE_MIN) {
      const { inoLow, inoHigh, deviceMajor, deviceMinor } = stat
      const file = { inoLow, inoHigh, deviceMajor, deviceMinor }
      const old = this.#old && { old: this.#old.raw }
      const memory = makeLargeFileMemory(size)
      const offer = { path, file, size, fixed, sparse, memory, ...old }
      this.#deps.offer(offer)
      return new LargeFile(offer).own(content, fd, this.#list)
    }
    let done = 0
    while (done < size) {
      const end = Math.min(size, done + SEGMENT_SIZE)
      const read = content.addSegment({ fd, start: done, end, fixed, sparse }, this.#list)
      if (read < 0) return read
      done += read
      if (done < end) break
    }
    return done
  }

  #readSmall(fd: number, size: number): number {
    if (size === 0) return 0
    const { content } = this.#deps
    let done = 0
    while (done < size) {
      const count = pread(fd, content.input.subarray(done, size), done)
      if (count < 0) return count
      if (count === 0) break
      done += count
    }
    content.bytesRead += done
    if (done > 0) content.addBytes(done, this.#list)
    return done
  }

  #readXattrs(fd: number, path: string): readonly XattrPair[] {
    return xattrPairs(readXattrs(fd), path, this.#deps.warnings)
  }
}

/** From what the system call answers to what an entry takes; what cannot be kept is reported. */
export function xattrPairs(
  answer: ReturnType<typeof readXattrs>,
  path: string,
  warnings: Warnings,
): readonly XattrPair[] {
  if (typeof answer === 'number') {
    warnings.failed(-answer, 'listxattr', path)
    return NO_XATTRS
  }
  if (answer.length === 0) return NO_XATTRS
  const pairs = answer.map(([name, value]) => ({ name, value }))
  if (xattrBlockSize(pairs) <= XATTR_BYTES_MAX) return pairs
  warnings.add('unsupported', path, 'has more than 1 MiB of extended attributes; they are left out')
  return NO_XATTRS
}

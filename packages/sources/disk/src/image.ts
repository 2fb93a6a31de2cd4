/**
 * A raw image file or a block device, opened for reading: its size, and where it holds data.
 * Holes are found by SEEK_DATA and SEEK_HOLE; where they are not supported all of it is data.
 */
import fs from 'node:fs'
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { SEEK_END } from '@openmaas/kernel/posix/constants'
import { lseek, pread, seekData, seekHole } from '@openmaas/kernel/posix/files'
import { posixAvailable, posixError } from '@openmaas/kernel/posix/library'
import { VOLUME_SIZE_MAX } from '@openmaas/pool/volume/root'

export interface DataRange {
  readonly offset: number
  readonly length: number
}

export class DiskImage implements Disposable {
  readonly path: string
  readonly kind: 'file' | 'block'
  /** Bytes, as the image says. */
  readonly sourceSize: number
  /** Bytes of the volume: the size of the image, filled up to whole sectors. */
  readonly size: number
  /** Of the file itself: an image with the same four has not been written since. */
  readonly identity: {
    readonly device: string
    readonly inode: string
    readonly size: number
    readonly mtimeNs: string
  }
  readonly #fd: number
  /**
   * Data without a hole, found last. Segment after segment asks inside the same run, and a file
   * system that keeps no extents (tmpfs) looks at every page up to the next hole. Should a writer
   * punch one meanwhile, zeros are read there.
   */
  #run = { start: 0, stop: 0 }

  /** @throws MaasError PATH_NOT_FOUND, SOURCE_UNREADABLE, SOURCE_UNSUPPORTED */
  constructor(path: string) {
    this.path = path
    this.#fd = openImage(path)
    try {
      const stat = fs.fstatSync(this.#fd, { bigint: true })
      if (!stat.isFile() && !stat.isBlockDevice()) {
        throw new MaasError('SOURCE_UNSUPPORTED', 'neither a file nor a block device', { path })
      }
      this.kind = stat.isFile() ? 'file' : 'block'
      this.sourceSize = stat.isFile() ? Number(stat.size) : this.#deviceSize()
      this.size = Math.ceil(this.sourceSize / 512) * 512
      if (this.size < 512 || this.size > VOLUME_SIZE_MAX) {
        const details = { path, size: this.sourceSize, max: VOLUME_SIZE_MAX }
        throw new MaasError('SOURCE_UNSUPPORTED', 'an image has 1 byte to 64 TiB', details)
      }
      this.identity = {
        device: String(stat.dev),
        inode: String(stat.ino),
        size: this.sourceSize,
        mtimeNs: String(stat.mtimeNs),
      }
    } catch (error) {
      fs.closeSync(this.#fd)
      throw error
    }
  }

  #deviceSize(): number {
    const size = lseek(this.#fd, 0, SEEK_END)
    if (size < 0) throw posixError(-size, 'lseek', this.path)
    return size
  }

  /** Ranges that may hold something else than zeros, inside [offset, end), ascending. */
  *dataRanges(offset: number, end: number): Generator<DataRange> {
    let at = offset
    while (at < end) {
      const isKnown = at >= this.#run.start && at < this.#run.stop
      const start = isKnown ? at : this.#seek(seekData, at, end, at)
      const limit = Math.min(end, this.sourceSize)
      if (start >= limit) return
      // A writer may punch a hole in between: then the data ends where it began.
      if (!isKnown) this.#run = { start, stop: this.#seek(seekHole, start, end, limit) }
      const stop = Math.min(limit, this.#run.stop)
      if (stop > start) yield { offset: start, length: stop - start }
      at = Math.max(stop, start + 1)
    }
  }

  /** @param otherwise the answer of a file system that has no holes to tell of */
  #seek(
    seek: (fd: number, offset: number) => number,
    offset: number,
    nothing: number,
    otherwise: number,
  ): number {
    if (!posixAvailable()) return otherwise
    const found = seek(this.#fd, offset)
    if (found >= 0) return found
    const ENXIO = 6
    return found === -ENXIO ? nothing : otherwise
  }

  /**
   * Fills the target; behind the end of the image are zeros.
   *
   * @throws MaasError SOURCE_UNREADABLE, also when the image became shorter meanwhile
   */
  read(offset: number, target: Buffer): void {
    const wanted = Math.max(0, Math.min(target.length, this.sourceSize - offset))
    let done = 0
    while (done < wanted) {
      const count = this.#readSome(target.subarray(done, wanted), offset + done)
      if (count === 0) {
        const details = { path: this.path, offset: offset + done }
        throw new MaasError('SOURCE_UNREADABLE', 'the image became shorter while read', details)
      }
      done += count
    }
    target.fill(0, wanted)
  }

  #readSome(target: Buffer, offset: number): number {
    if (posixAvailable()) {
      const count = pread(this.#fd, target, offset)
      assert(count <= target.length, 'a read fits its target')
      if (count >= 0) return count
      const cause = posixError(-count, 'pread', this.path)
      const details = { path: this.path, offset }
      throw new MaasError('SOURCE_UNREADABLE', 'the image cannot be read', details, { cause })
    }
    return fs.readSync(this.#fd, target, 0, target.length, offset)
  }

  /** True when the image was written since it was opened: the capture is of no one moment. */
  hasChanged(): boolean {
    const stat = fs.fstatSync(this.#fd, { bigint: true })
    if (this.kind === 'block') return false // The kernel does not say.
    const sameTime = String(stat.mtimeNs) === this.identity.mtimeNs
    return !sameTime || Number(stat.size) !== this.sourceSize
  }

  /**
   * What was cut off looks like a hole: a capture must not take it for zeros.
   *
   * @throws MaasError SOURCE_UNREADABLE when the image is shorter than when it was opened
   */
  checkSize(): void {
    if (this.kind === 'block' || fs.fstatSync(this.#fd).size >= this.sourceSize) return
    const details = { path: this.path, size: this.sourceSize }
    throw new MaasError('SOURCE_UNREADABLE', 'the image became shorter while read', details)
  }

  [Symbol.dispose](): void {
    fs.closeSync(this.#fd)
  }
}

function openImage(path: string): number {
  try {
    // Without waiting: a fifo is refused, not waited for.
    return fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'
    const code = missing ? 'PATH_NOT_FOUND' : 'SOURCE_UNREADABLE'
    throw new MaasError(code, `cannot open ${path}`, { path }, { cause })
  }
}

/**
 * Reads records of pack files, ahead when they are asked for in the order they stand in: a restore
 * then makes one call per MiB instead of one per record, and most records need no index look-up,
 * because the next one is already here and says whose it is (`peek`).
 *
 * Packs never change once they are sealed, so what was read ahead stays true. Nothing here is
 * verified: the caller verifies every record, whichever way its bytes came.
 *
 * Memory: two windows of WINDOW_SIZE, made when the first record is read in order: data and
 * metadata of a tree are read in turns.
 */
import type { FileHandle, Fs } from '@openmaas/kernel/fs'
import { KiB, MiB } from '@openmaas/kernel/units'

/** Beyond this, longer reads are not faster. Holds the largest record and what surrounds it. */
const WINDOW_SIZE = 2 * MiB
/** First read ahead; doubled as long as the reader stays in order. */
const AHEAD_MIN = 128 * KiB
const AHEAD_MAX = 1 * MiB
/** Records left out on the way (deduplicated, or another lane's) do not break the order. */
const GAP_MAX = 128 * KiB
const WINDOWS = 2

class Window {
  file: FileHandle = -1
  /** Where in the file the bytes begin. */
  start = 0
  /** Valid bytes. */
  length = 0
  /** End of the record that was asked for last, and its number. */
  lastEnd = 0
  lastNumber = 0
  ahead = 0
  #bytes: Buffer | undefined

  get bytes(): Buffer {
    return (this.#bytes ??= Buffer.allocUnsafeSlow(WINDOW_SIZE))
  }

  holds(offset: number, length: number): boolean {
    return offset >= this.start && offset + length <= this.start + this.length
  }
}

export interface RecordPlace {
  readonly file: FileHandle
  readonly offset: number
  readonly length: number
  readonly recordNumber: number
}

export class ReadAhead {
  readonly #fs: Fs
  /** The one used last is first. */
  readonly #windows = Array.from({ length: WINDOWS }, () => new Window())

  constructor(fs: Fs) {
    this.#fs = fs
  }

  /**
   * @param scratch takes the record when it is not read ahead; holds it whole
   * @returns the bytes, valid until the next call; fewer when the file ends before
   */
  read(place: RecordPlace, scratch: Buffer): Buffer {
    const { file, offset, length } = place
    const window = this.#use(file)
    const gap = offset - window.lastEnd
    const inOrder = window.lastEnd > 0 && gap >= 0 && gap <= GAP_MAX
    window.lastEnd = offset + length
    window.lastNumber = place.recordNumber
    if (window.holds(offset, length)) {
      const at = offset - window.start
      return window.bytes.subarray(at, at + length)
    }
    window.ahead = inOrder ? Math.min(Math.max(AHEAD_MIN, window.ahead * 2), AHEAD_MAX) : 0
    if (window.ahead === 0) {
      const target = scratch.subarray(0, length)
      return target.subarray(0, this.#fs.read(file, target, offset))
    }
    window.length = 0 // Nothing, should the read fail.
    const wanted = window.bytes.subarray(0, Math.max(length, window.ahead))
    window.length = this.#fs.read(file, wanted, offset)
    window.start = offset
    return window.bytes.subarray(0, Math.min(length, window.length))
  }

  /**
   * Looks at what stands behind the record that was read last, in both windows.
   *
   * @param size bytes that are looked at
   * @returns what `accept` made of the first one it took
   */
  peek<T>(
    size: number,
    accept: (bytes: Buffer, place: Omit<RecordPlace, 'length'>) => T | undefined,
  ): T | undefined {
    for (const window of this.#windows) {
      const { file, lastEnd: offset, start } = window
      if (file < 0 || !window.holds(offset, size)) continue
      const bytes = window.bytes.subarray(offset - start, offset - start + size)
      const taken = accept(bytes, { file, offset, recordNumber: window.lastNumber + 1 })
      if (taken !== undefined) return taken
    }
    return undefined
  }

  /** Forgets what was read of a file: it is closed, or its bytes were bad. */
  forget(file: FileHandle): void {
    for (const window of this.#windows) {
      if (window.file !== file) continue
      window.file = -1
      window.length = 0
    }
  }

  #use(file: FileHandle): Window {
    const windows = this.#windows
    if (windows[0]!.file === file) return windows[0]!
    const index = windows.findIndex((window) => window.file === file)
    const [window] = windows.splice(index < 0 ? windows.length - 1 : index, 1)
    windows.unshift(window!)
    if (index < 0) Object.assign(window!, { file, length: 0, lastEnd: 0, ahead: 0 })
    return window!
  }
}

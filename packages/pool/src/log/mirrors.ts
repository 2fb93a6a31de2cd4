/**
 * The files behind the log: one per mirror, same bytes at the same offsets. At least two: one on
 * each brick, or `log/a` and `log/b` when the pool has a single brick.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import type { FileHandle, Fs } from '@openmaas/kernel/fs'
import { GiB, MiB } from '@openmaas/kernel/units'
import type { LogRecovery } from './recovery.ts'

/** One record a pack of 64 MiB: 2 GiB of log stand for some 400 TiB of pool. */
export const LOG_SIZE_MAX = 2 * GiB - 1 * MiB

export const LOG_FILE = '00000001.log'
const READ_PIECE = 16 * MiB

export function logDirectories(brickPaths: readonly string[]): string[] {
  const [first] = brickPaths
  assert(first !== undefined, 'a pool has a brick')
  if (brickPaths.length === 1) return [`${first}/log/a`, `${first}/log/b`]
  return brickPaths.map((path) => `${path}/log`)
}

/** @returns the mirror's bytes, or undefined when it is missing or cannot be read whole */
export function readMirror(fs: Fs, directory: string): Buffer | undefined {
  try {
    const file = fs.open(`${directory}/${LOG_FILE}`, 'read')
    try {
      return readWhole(fs, file)
    } finally {
      fs.close(file)
    }
  } catch (error) {
    // The other mirrors decide: a mirror that cannot be read is one that holds nothing.
    if (isMaasError(error, 'FS_NOT_FOUND') || isMaasError(error, 'FS_IO')) return undefined
    throw error
  }
}

/** Bytes of the mirror's file, 0 when it is missing. */
export function logFileSize(fs: Fs, directory: string): number {
  return fs.stat(`${directory}/${LOG_FILE}`)?.size ?? 0
}

function readWhole(fs: Fs, file: FileHandle): Buffer {
  const size = fs.size(file)
  if (size > LOG_SIZE_MAX) {
    throw new MaasError('LOG_CORRUPT', 'a log mirror is larger than any log', { size })
  }
  const bytes = Buffer.alloc(size)
  let offset = 0
  while (offset < size) {
    const piece = bytes.subarray(offset, Math.min(size, offset + READ_PIECE))
    const count = fs.read(file, piece, offset)
    // An owner may be truncating: what is there now is what counts.
    if (count === 0) return bytes.subarray(0, offset)
    offset += count
  }
  return bytes
}

/** The open files an owner appends to. */
export class LogMirrors {
  readonly #fs: Fs
  readonly #files: FileHandle[]

  private constructor(fs: Fs, files: FileHandle[]) {
    this.#fs = fs
    this.#files = files
  }

  /** Makes the log of a new pool on every mirror; names and files are durable on return. */
  static create(fs: Fs, directories: readonly string[], bytes: Buffer): void {
    for (const directory of directories) {
      fs.makeDirectory(directory)
      const file = fs.open(`${directory}/${LOG_FILE}`, 'create')
      fs.write(file, bytes, 0)
      fs.dataSync(file)
      fs.close(file)
      fs.syncDirectory(directory)
    }
  }

  /**
   * Brings every mirror to the agreed bytes, durably, and opens them for appending.
   *
   * A mirror that differs is replaced atomically. In one that agrees, the last batch is written
   * again over itself: the owner before may have seen its fsync fail, and then the kernel shows
   * bytes that are not on the disk and that a bare fsync would not write (POOL.md, section 3).
   */
  static restore(fs: Fs, directories: readonly string[], recovery: LogRecovery): LogMirrors {
    const files = directories.map((directory, index) => {
      const path = `${directory}/${LOG_FILE}`
      if (!recovery.intact[index]) return replaceMirror(fs, directory, recovery.bytes)
      const file = fs.open(path, 'readWrite')
      const tail = recovery.bytes.subarray(recovery.lastBatchOffset)
      if (tail.length > 0) fs.write(file, tail, recovery.lastBatchOffset)
      fs.dataSync(file)
      // The owner before may have replaced the file and ended before its name was durable.
      fs.syncDirectory(directory)
      return file
    })
    return new LogMirrors(fs, files)
  }

  get count(): number {
    assert(this.#files.length > 0, 'mirrors are open while the log is written')
    return this.#files.length
  }

  write(index: number, bytes: Buffer, offset: number): void {
    this.#fs.write(this.#files[index]!, bytes, offset)
  }

  /** Called once for what was written; an error is final and is never followed by another call. */
  sync(index: number): void {
    this.#fs.dataSync(this.#files[index]!) // Rule: log fsync.
  }

  close(): void {
    for (const file of this.#files.splice(0)) this.#fs.close(file)
  }
}

/** Puts a whole log in the place of a mirror, atomically. @returns the open file */
export function replaceMirror(fs: Fs, directory: string, bytes: Buffer): FileHandle {
  fs.makeDirectory(directory)
  const temporary = `${directory}/${LOG_FILE}.new`
  if (fs.stat(temporary) !== undefined) fs.unlink(temporary)
  const file = fs.open(temporary, 'create')
  if (bytes.length > 0) fs.write(file, bytes, 0)
  fs.dataSync(file)
  fs.rename(temporary, `${directory}/${LOG_FILE}`)
  fs.syncDirectory(directory)
  return file
}

/**
 * The real file system behind `Fs`: synchronous calls of node:fs, for the command line and for
 * worker threads. Locks and O_DIRECT come from posix/, loaded when the first one is asked for.
 *
 * Signals: a call that EINTR ended is repeated. Short writes go on. O_DIRECT falls back to the
 * page cache where the file system refuses it, at opening or at the first transfer.
 */
import fs from 'node:fs'
import { assert } from './assert.ts'
import { MaasError } from './errors.ts'
import { fsError } from './fs-errors.ts'
import type { FileHandle, FileStat, Fs, OpenMode, OpenOptions } from './fs.ts'
import { makeDirectories } from './make-directories.ts'
import { E, F_GETFL, F_SETFL, O_DIRECT } from './posix/constants.ts'
import { fcntl, tryFlock } from './posix/files.ts'
import { checked, posixAvailable } from './posix/library.ts'

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  readWrite: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
}

/** What is made is its owner's alone: names, sizes and times of a pool say something too. */
const FILE_MODE = 0o600
const DIRECTORY_MODE = 0o700

interface OpenFile {
  readonly path: string
  /** O_DIRECT is in force. */
  direct: boolean
  /** The error of an fsync: a second one would answer a false success. */
  failure: MaasError | undefined
}

export class NodeFs implements Fs {
  /** What is known of the files opened here; a descriptor from elsewhere works without. */
  readonly #files = new Map<FileHandle, OpenFile>()

  open(path: string, mode: OpenMode, options: OpenOptions = {}): FileHandle {
    const file = attempt('open', path, () => fs.openSync(path, FLAGS[mode], FILE_MODE))
    // Set afterwards, since open with O_DIRECT | O_CREAT leaves a file behind when it refuses.
    const direct = options.direct === true && posixAvailable() && setDirect(file, true)
    this.#files.set(file, { path, direct, failure: undefined })
    return file
  }

  #pathOf(file: FileHandle): string | undefined {
    return this.#files.get(file)?.path
  }

  close(file: FileHandle): void {
    const path = this.#pathOf(file)
    this.#files.delete(file)
    closeOnce(file, path)
  }

  read(file: FileHandle, target: Uint8Array, offset: number): number {
    let done = 0
    while (done < target.length) {
      const count = this.#transfer('read', file, () =>
        fs.readSync(file, target, done, target.length - done, offset + done),
      )
      if (count === 0) break
      done += count
    }
    return done
  }

  write(file: FileHandle, bytes: Uint8Array, offset: number): void {
    let done = 0
    while (done < bytes.length) {
      const count = this.#transfer('write', file, () =>
        fs.writeSync(file, bytes, done, bytes.length - done, offset + done),
      )
      assert(count > 0, 'a write of at least one byte writes at least one byte')
      done += count
    }
  }

  #transfer(call: string, file: FileHandle, work: () => number): number {
    const open = this.#files.get(file)
    try {
      return attempt(call, open?.path, work)
    } catch (error) {
      const refused = error instanceof MaasError && error.details['errno'] === 'EINVAL'
      if (!refused || open?.direct !== true) throw error
      // This file goes through the page cache from now on.
      setDirect(file, false)
      open.direct = false
      return attempt(call, open.path, work)
    }
  }

  truncate(file: FileHandle, size: number): void {
    attempt('truncate', this.#pathOf(file), () => fs.ftruncateSync(file, size))
  }

  size(file: FileHandle): number {
    return attempt('stat', this.#pathOf(file), () => fs.fstatSync(file)).size
  }

  dataSync(file: FileHandle): void {
    const open = this.#files.get(file)
    if (open?.failure !== undefined) throw open.failure
    try {
      // Never repeated, not even after EINTR: what could not be written is already dropped.
      fs.fdatasyncSync(file)
    } catch (cause) {
      const error = fsError(errnoOf(cause), 'fdatasync', open?.path, cause)
      if (open !== undefined) open.failure = error
      throw error
    }
  }

  syncDirectory(path: string): void {
    const flags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY
    const file = attempt('open', path, () => fs.openSync(path, flags))
    try {
      fs.fsyncSync(file)
    } catch (cause) {
      fs.closeSync(file)
      throw fsError(errnoOf(cause), 'fsync', path, cause)
    }
    closeOnce(file, path)
  }

  rename(source: string, target: string): void {
    attempt('rename', source, () => fs.renameSync(source, target))
  }

  unlink(path: string): void {
    attempt('unlink', path, () => fs.unlinkSync(path))
  }

  makeDirectory(path: string): void {
    attempt('make directory', path, () => makeDirectories(path, DIRECTORY_MODE))
  }

  removeDirectory(path: string): void {
    attempt('remove directory', path, () => fs.rmdirSync(path))
  }

  readDirectory(path: string): string[] {
    return attempt('read directory', path, () => fs.readdirSync(path))
  }

  stat(path: string): FileStat | undefined {
    const stat = attempt('stat', path, () => fs.statSync(path, { throwIfNoEntry: false }))
    if (stat === undefined) return undefined
    const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'other'
    return { size: stat.size, kind, mtimeMs: stat.mtimeMs }
  }

  freeBytes(path: string): number {
    const { bavail, bsize } = attempt('statfs', path, () => fs.statfsSync(path))
    return bavail * bsize
  }

  tryLock(file: FileHandle): boolean {
    return tryFlock(file)
  }
}

/** @returns false when the file system has no such way */
function setDirect(file: FileHandle, on: boolean): boolean {
  const flags = checked(fcntl(file, F_GETFL, 0), 'fcntl')
  const result = fcntl(file, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT)
  if (result === -E.EINVAL || result === -E.EOPNOTSUPP) return false
  checked(result, 'fcntl')
  return on
}

/** Closed it is, whatever close says: what it may say is that something was not written. */
function closeOnce(file: FileHandle, path: string | undefined): void {
  try {
    fs.closeSync(file)
  } catch (error) {
    const errno = errnoOf(error)
    assert(errno !== 'EBADF', 'a file is closed once')
    // After EINTR the descriptor is closed, and its number may be another's: no second try.
    if (errno !== 'EINTR') throw fsError(errno, 'close', path, error)
  }
}

/** The errno name of a system error; anything else is a bug and goes on as it is. */
function errnoOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (typeof code !== 'string' || !code.startsWith('E') || code.startsWith('ERR_')) throw error
  return code
}

/** Runs a call of node:fs, again after a signal, and gives its error the code of the table. */
function attempt<T>(call: string, path: string | undefined, work: () => T): T {
  for (;;) {
    try {
      return work()
    } catch (error) {
      const errno = errnoOf(error)
      if (errno !== 'EINTR') throw fsError(errno, call, path, error)
    }
  }
}

/**
 * One process per data directory: an exclusive flock on `<data>/lock`, which ends with the process
 * however it ends. The file says who it is, for the error message only.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import path from 'node:path'
import process from 'node:process'
import { MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'
import { makeDirectories } from '@openmaas/kernel/make-directories'
import { tryFlock } from '@openmaas/kernel/posix/files'

export class DataLock implements Disposable {
  readonly #fd: number

  private constructor(fd: number) {
    this.#fd = fd
  }

  /** Makes the directory. @throws MaasError SERVER_BUSY, FS_* */
  static acquire(directory: string): DataLock {
    const file = path.join(directory, 'lock')
    const fd = open(directory, file)
    try {
      if (!tryFlock(fd)) {
        const pid = Number.parseInt(readFileSync(file, 'latin1'), 10)
        throw new MaasError('SERVER_BUSY', `another process serves ${directory}`, {
          path: directory,
          ...(pid > 0 && { pid }),
        })
      }
      ftruncateSync(fd)
      writeSync(fd, `${process.pid}\n`, 0)
      return new DataLock(fd)
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd)
  }
}

function open(directory: string, file: string): number {
  try {
    makeDirectories(directory, 0o700)
    return openSync(file, 'a+', 0o600)
  } catch (error) {
    const { code = 'EIO', syscall = 'open', path: at = file } = error as NodeJS.ErrnoException
    throw fsError(code, syscall, at, error)
  }
}

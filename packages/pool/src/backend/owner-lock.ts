/**
 * One owner at a time: an exclusive flock on `<brick0>/lock`, which ends with the process however
 * it ends. The file also says who it is, for the error message only.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { FileHandle, Fs } from '@openmaas/kernel/fs'

const LOCK_SIZE_MAX = 64

export class OwnerLock {
  readonly #fs: Fs
  readonly #file: FileHandle

  private constructor(fs: Fs, file: FileHandle) {
    this.#fs = fs
    this.#file = file
  }

  /** @throws MaasError POOL_BUSY with the owner's pid in its details */
  static acquire(fs: Fs, brick: string, pid: number): OwnerLock {
    const path = `${brick}/lock`
    const file = fs.stat(path) === undefined ? createOrOpen(fs, path) : fs.open(path, 'readWrite')
    try {
      if (!fs.tryLock(file)) {
        const bytes = Buffer.alloc(LOCK_SIZE_MAX)
        const owner = Number.parseInt(bytes.toString('latin1', 0, fs.read(file, bytes, 0)), 10)
        throw new MaasError('POOL_BUSY', 'another process owns the pool', {
          path,
          ...(Number.isSafeInteger(owner) && owner > 0 ? { pid: owner } : {}),
        })
      }
      fs.write(file, ownerText(pid), 0)
      return new OwnerLock(fs, file)
    } catch (error) {
      fs.close(file)
      throw error
    }
  }

  release(): void {
    this.#fs.close(this.#file)
  }
}

/** Fixed width: writing it again takes no space, so that a pool on a full disk still opens. */
function ownerText(pid: number): Buffer {
  return Buffer.from(`${pid}\n`.padStart(16, ' '))
}

/** Two processes may come first at once: one creates, the other opens what it made. */
function createOrOpen(fs: Fs, path: string): FileHandle {
  try {
    return fs.open(path, 'create')
  } catch (error) {
    if (!(error instanceof MaasError) || error.code !== 'FS_EXISTS') throw error
    return fs.open(path, 'readWrite')
  }
}

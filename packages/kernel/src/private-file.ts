/** Small files that hold secrets: mode 0600, replaced as a whole, durable when written. */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { fsError } from './fs-errors.ts'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants

/** Whose file it shall be, other than that of who writes it. */
export interface FileOwner {
  readonly uid: number
  readonly gid: number
}

/**
 * Its directory exists. After a crash either the old content is there or the new one.
 *
 * Others may be allowed to write to the directory: no link that they laid there is followed, and
 * mode and owner are set on what was opened, not on a name.
 */
export function writePrivateFile(
  path: string,
  content: string | Buffer,
  owner: FileOwner | null = null,
): void {
  const temporary = `${path}.${randomUUID()}.new`
  try {
    const fd = openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
    try {
      writeFileSync(fd, content)
      fchmodSync(fd, 0o600) // The mask of the process may have taken more.
      if (owner !== null) fchownSync(fd, owner.uid, owner.gid)
      fsyncSync(fd)
      renameSync(temporary, path)
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    } finally {
      closeSync(fd)
    }
    const directory = openSync(dirname(path), 'r')
    try {
      fsyncSync(directory)
    } finally {
      closeSync(directory)
    }
  } catch (error) {
    throw wrap(error, path)
  }
}

/** @returns undefined when there is none. @throws MaasError FS_* */
export function readPrivateFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw wrap(error, path)
  }
}

function wrap(error: unknown, path: string): Error {
  const cause = error as NodeJS.ErrnoException
  return fsError(cause.code ?? 'EIO', cause.syscall ?? 'write', path, cause)
}

/** Small files that hold secrets: mode 0600, replaced as a whole, durable when written. */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { fsError } from './fs-errors.ts'

/** Its directory exists. After a crash either the old content is there or the new one. */
export function writePrivateFile(path: string, content: string | Buffer): void {
  const temporary = `${path}.new`
  try {
    const fd = openSync(temporary, 'w', 0o600)
    try {
      chmodSync(temporary, 0o600) // One that a crash left may have another mode.
      writeFileSync(fd, content)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    renameSync(temporary, path)
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

/**
 * The logs of servers lie beside their sockets, in memory of the host. What a server writes there
 * is up to its user as well (log_statement = 'all'), so somebody has to see to it that it ends:
 * the agent does, for every engine that keeps to layout.ts.
 */
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  ftruncateSync,
  openSync,
  readdirSync,
} from 'node:fs'
import { join } from 'node:path'
import { fsError } from '@openmaas/kernel/fs-errors'
import { type RunRoot, runRootOf } from './layout.ts'

const { O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants

/** One that finds production away says so every second, for days. What is told of it is its end. */
export const LOG_SIZE_MAX = 8 * 1024 * 1024
/** `server.log`, `server.log.before` */
const IS_LOG = /\.log(?:\.before)?$/

/**
 * Empties what has grown too large. Whoever writes to a log appends, and goes on at its begin.
 *
 * Cost: a look at each file of each database that runs here, tens of microseconds.
 *
 * @throws MaasError FS_*
 */
export function trimRunLogs(options: RunRoot = {}): void {
  const root = runRootOf(options)
  for (const place of list(root)) {
    if (!place.isDirectory()) continue
    const run = join(root, place.name)
    for (const file of list(run)) {
      if (file.isFile() && IS_LOG.test(file.name)) trimLog(join(run, file.name))
    }
  }
}

/** @throws MaasError FS_* */
export function trimLog(path: string): void {
  let log
  try {
    // Where the server's user may write, it may lay a link or a pipe.
    log = openSync(path, O_NOFOLLOW | O_NONBLOCK | O_WRONLY)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    if (['ENOENT', 'ELOOP', 'ENXIO'].includes(code)) return
    throw fsError(code, 'open', path, error)
  }
  try {
    const found = fstatSync(log)
    const isOurs = found.isFile() && found.nlink === 1
    if (isOurs && found.size > LOG_SIZE_MAX) ftruncateSync(log)
  } finally {
    closeSync(log)
  }
}

/** Nothing where there is none: what ran there has ended, or nothing ever did. */
function list(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return []
    throw fsError(code, 'readdir', directory, error)
  }
}

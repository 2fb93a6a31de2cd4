/**
 * Whether a database can stand where a medium should be mounted. Without its mount the directory
 * is one of this host's own disk, where nothing of a medium may ever be written; and a file system
 * that met an error takes no writes until it is mounted anew, however long one waits.
 *
 * Nothing here waits for a disk whose node is away: the table of mounts is the kernel's, and the
 * root of what is mounted is in its memory.
 */
import { readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'
import { type DatabaseStatus, stoppedStatus } from '@openmaas/protocols/channel/database-orders'
import { type Mount, readMounts } from './target-disk.ts'

/** Where control has media of databases mounted; what was promoted stands elsewhere. */
const MEDIA_ROOT = '/mnt/openmaas/'
/** Of ext4, and of others that are mounted so; "ro" alone until Linux 6.14. */
const NOT_WRITABLE: ReadonlySet<string> = new Set(['ro', 'emergency_ro', 'shutdown'])

/**
 * @param mounts  a look at the kernel's table
 * @returns in words, after the path's name; null: it can be worked on, or is no place of a medium
 */
export async function whyUnusable(
  directory: string,
  mounts: () => readonly Mount[] = readMounts,
): Promise<string | null> {
  if (!directory.startsWith(MEDIA_ROOT)) return null
  let path
  try {
    path = await realpath(directory)
    // An xfs that was shut down says so here; its mount looks as ever.
    await stat(path)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return 'is not mounted'
    if (code === 'EIO') return 'answers nothing any more: its file system met an error'
    throw fsError(code, 'stat', directory, error)
  }
  const mount = mounts().findLast(({ target }) => target === path)
  if (mount === undefined) return 'is not mounted'
  const isReadOnly = mount.options.split(',').some((option) => NOT_WRITABLE.has(option))
  return isReadOnly ? 'takes no writes any more: its file system met an error' : null
}

/** Of every place where a medium of a database belongs on this host. */
export async function listMounts(): Promise<{ path: string; why: string | null }[]> {
  let names: string[]
  try {
    names = await readdir(MEDIA_ROOT)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return []
    throw fsError(code, 'readdir', MEDIA_ROOT, error)
  }
  const mounts = readMounts()
  const look = async (path: string) => ({ path, why: await whyUnusable(path, () => mounts) })
  return Promise.all(names.map((name) => look(join(MEDIA_ROOT, name))))
}

/**
 * The work is begun only where it can be done. What fails there because the mount went meanwhile
 * says so, whatever the engine made of it.
 *
 * @throws MaasError MEDIUM_MOUNT_LOST, and whatever the work throws
 */
export async function onMounts<T>(
  directories: readonly string[],
  work: () => Promise<T>,
): Promise<T> {
  for (const directory of directories) await requireMount(directory)
  try {
    return await work()
  } catch (error) {
    if (isMaasError(error, 'CANCELLED')) throw error
    for (const directory of directories) await requireMount(directory, error)
    throw error
  }
}

async function requireMount(directory: string, cause?: unknown): Promise<void> {
  const why = await whyUnusable(directory)
  if (why === null) return
  throw new MaasError('MEDIUM_MOUNT_LOST', `${directory} ${why}`, { path: directory }, { cause })
}

/** Of a standby whose volume is so: its plug-in would have to read there what it says. */
export function unusableStatus(directory: string, why: string): DatabaseStatus {
  return stoppedStatus(`${directory} ${why}; it is mounted anew by itself`)
}

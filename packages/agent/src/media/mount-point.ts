/**
 * Where a disk is mounted: an empty directory, so that a mount hides nothing. One that was made for
 * the medium goes with it; a file beside the medium's record remembers that, over a restart, too.
 */
import { existsSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { fsError } from '@openmaas/kernel/fs-errors'
import { makeDirectories } from '@openmaas/kernel/make-directories'
import { listMounts } from '../attach/fuse-mount.ts'

/**
 * Before anything is made. A directory that is not there is fine.
 *
 * @throws MaasError FS_EXISTS when something else stands there, FS_*
 */
export function checkMountPoint(mountPoint: string): void {
  const refuse = (why: string): never => {
    throw new MaasError('FS_EXISTS', `${mountPoint} ${why}`, { path: mountPoint })
  }
  if (listMounts().some(({ target }) => target === mountPoint)) refuse('has a disk mounted already')
  let names: string[]
  try {
    names = readdirSync(mountPoint)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return
    if (code === 'ENOTDIR') return refuse('is not a directory')
    throw fsError(code, 'read directory', mountPoint, error)
  }
  if (names.length > 0) refuse('is not empty: a mount would hide it')
}

/** Says that the mount point was made by us. */
const MADE_NAME = 'mount-point.made'

/**
 * @param directory of the medium's record
 * @throws MaasError FS_*
 */
export function prepareMountPoint(mountPoint: string, directory: string): void {
  try {
    if (makeDirectories(mountPoint) !== undefined) {
      writeFileSync(path.join(directory, MADE_NAME), '')
    }
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw fsError(code, 'make directory', mountPoint, error)
  }
  checkMountPoint(mountPoint)
}

/** After the unmount: removes the directory that was made for this medium, when it is empty. */
export function removeMountPoint(mountPoint: string, directory: string): void {
  const marker = path.join(directory, MADE_NAME)
  if (!existsSync(marker)) return
  try {
    rmdirSync(mountPoint)
  } catch {
    // Somebody uses it, or it cannot be removed: no reason to keep the medium for.
  }
  rmSync(marker, { force: true })
}

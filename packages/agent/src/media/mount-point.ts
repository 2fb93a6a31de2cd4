/** Where a disk is mounted: an empty directory, so that a mount hides nothing. */
import { readdirSync } from 'node:fs'
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

/** @throws MaasError FS_* */
export function prepareMountPoint(mountPoint: string): void {
  try {
    makeDirectories(mountPoint)
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException
    throw fsError(code, 'make directory', mountPoint, error)
  }
  checkMountPoint(mountPoint)
}

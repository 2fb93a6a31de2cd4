/** Questions about directories that are asked once, before the lanes start. */
import { MaasError } from '@openmaas/kernel/errors'
import { errnoName } from '@openmaas/kernel/fs-errors'
import { AT_FDCWD, E, O_DIRECTORY, O_RDONLY } from '@openmaas/kernel/posix/constants'
import { close, openat } from '@openmaas/kernel/posix/files'
import { cString } from '@openmaas/kernel/posix/library'
import { STATX_BASIC_STATS, statx } from '@openmaas/kernel/posix/statx'
import { makeFileStat, StatxFields } from '@openmaas/source-files/file-stat'
import type { DeviceInode } from './messages.ts'

/** @throws MaasError PATH_NOT_FOUND, SOURCE_UNREADABLE, SOURCE_UNSUPPORTED */
export function checkSource(path: string): void {
  const fd = openat(AT_FDCWD, cString(path), O_RDONLY | O_DIRECTORY)
  if (fd >= 0) {
    close(fd)
    return
  }
  const details = { path, errno: errnoName(-fd) }
  if (fd === -E.ENOENT) throw new MaasError('PATH_NOT_FOUND', `there is no ${path}`, details)
  if (fd === -E.ENOTDIR)
    throw new MaasError('SOURCE_UNSUPPORTED', `${path} is not a directory`, details)
  throw new MaasError('SOURCE_UNREADABLE', `${path} cannot be read`, details)
}

/** Device and inode of a path, or undefined when it is not there. */
export function identify(path: string): DeviceInode | undefined {
  const fields = new StatxFields()
  if (statx(AT_FDCWD, cString(path), 0, STATX_BASIC_STATS, fields.bytes) < 0) return undefined
  const stat = makeFileStat()
  fields.fill(stat)
  const { deviceMajor, deviceMinor, inoLow, inoHigh } = stat
  return { deviceMajor, deviceMinor, inoLow, inoHigh }
}

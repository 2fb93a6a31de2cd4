/**
 * One change of a medium at a time: a lock that ends with the process that holds it. So a medium
 * whose record says `plugging` while nobody holds its lock was left behind by a crash.
 */
import path from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import type { MediumId } from '@openmaas/kernel/ids'
import { mediumDirectory } from '@openmaas/medium/media/record'

/**
 * @throws MaasError MEDIUM_BUSY when another process changes the medium at this moment
 */
export function lockMedium(fs: Fs, brick: string, id: MediumId): Disposable {
  const lock = tryLockMedium(fs, brick, id)
  if (lock === undefined) {
    throw new MaasError('MEDIUM_BUSY', `another command is changing ${id} at this moment`, { id })
  }
  return lock
}

/** @returns undefined when another process holds it. */
export function tryLockMedium(fs: Fs, brick: string, id: MediumId): Disposable | undefined {
  const directory = mediumDirectory(brick, id)
  fs.makeDirectory(directory)
  const target = path.join(directory, 'lock')
  const file = fs.stat(target) === undefined ? create(fs, target) : fs.open(target, 'readWrite')
  if (!fs.tryLock(file)) {
    fs.close(file)
    return undefined
  }
  return { [Symbol.dispose]: () => fs.close(file) }
}

function create(fs: Fs, target: string): number {
  try {
    return fs.open(target, 'create')
  } catch (error) {
    if (error instanceof MaasError && error.code === 'FS_EXISTS')
      return fs.open(target, 'readWrite')
    throw error
  }
}

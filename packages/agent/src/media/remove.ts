/** Removing a medium's record and the layers that no other medium needs. */
import path from 'node:path'
import type { Fs } from '@openmaas/kernel/fs'
import {
  listMedia,
  loadMedium,
  mediaDirectory,
  mediumDirectory,
  type MediumRecord,
} from '@openmaas/medium/media/record'
import { LayerStore } from '@openmaas/medium/overlay/layer-store'
import type { PoolAccess } from './types.ts'

/**
 * The record goes last but one: whatever is left of a crash in here is found by it. The lock file
 * goes with the directory, whose name no other medium ever gets.
 */
export function removeMedium(pool: Pick<PoolAccess, 'fs' | 'path'>, record: MediumRecord): void {
  const others = listMedia(pool.fs, pool.path).filter((id) => id !== record.id)
  const referenced = new Set(others.flatMap((id) => loadMedium(pool.fs, pool.path, id).layers))
  new LayerStore(pool.fs, mediaDirectory(pool.path)).release(record.layers, referenced)
  removeFiles(pool.fs, mediumDirectory(pool.path, record.id))
  pool.fs.syncDirectory(mediaDirectory(pool.path))
}

function removeFiles(fs: Fs, directory: string): void {
  if (fs.stat(directory) === undefined) return
  const names = fs.readDirectory(directory)
  // The record last, so that the directory is never without one while anything stands in it.
  for (const name of names.toSorted(
    (a, b) => Number(a === 'medium.json') - Number(b === 'medium.json'),
  )) {
    fs.unlink(path.join(directory, name))
  }
  fs.removeDirectory(directory)
}

/** Removing a medium's record and the layers that no other medium needs. */
import path from 'node:path'
import type { Fs } from '@openmaas/kernel/fs'
import type { LayerId } from '@openmaas/kernel/ids'
import {
  layersOf,
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
  releaseLayers(pool, record, [...layersOf(record), ...(record.dropping ?? [])])
  removeFiles(pool.fs, mediumDirectory(pool.path, record.id))
  pool.fs.syncDirectory(mediaDirectory(pool.path))
}

/** Removes those of a medium's layers that no other medium needs. */
export function releaseLayers(
  { fs, path: brick }: Pick<PoolAccess, 'fs' | 'path'>,
  { id }: Pick<MediumRecord, 'id'>,
  layers: readonly LayerId[],
): void {
  const others = listMedia(fs, brick).filter((other) => other !== id)
  const referenced = new Set(others.flatMap((other) => [...layersOf(loadMedium(fs, brick, other))]))
  new LayerStore(fs, mediaDirectory(brick)).release(layers, referenced)
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

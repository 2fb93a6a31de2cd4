/**
 * Clones of a medium: the state of this moment becomes a frozen layer, and both the medium and
 * its clone go on above it. A clone of a clone is one more layer; depth costs nothing per read.
 */
import { closeSync, openSync } from 'node:fs'
import { MaasError } from '@openmaas/kernel/errors'
import type { MediumId } from '@openmaas/kernel/ids'
import { syncfs } from '@openmaas/kernel/posix/files'
import { askEngine } from '@openmaas/medium/engine/control'
import { freezeTop } from '@openmaas/medium/engine/freeze'
import { deviceOf, loadMedium, type MediumRecord } from '@openmaas/medium/media/record'
import { controlSocketOf } from '@openmaas/medium/media/runtime-directory'
import { LAYERS_MAX } from '@openmaas/medium/overlay/layer-map'
import { listMounts } from '../attach/fuse-mount.ts'
import { isServed } from './engine-process.ts'
import { lockMedium } from './medium-lock.ts'
import { plug } from './plug.ts'
import type { PlugOptions, PlugResult, PoolAccess } from './types.ts'

export type CloneOptions = Omit<
  PlugOptions,
  'snapshotId' | 'sourceName' | 'freeBytes' | 'sizeBytes' | 'baseLayers'
>

/** The last layers are left to seals: they are the way out of a medium that is too deep. */
const CLONE_LAYERS_MAX = LAYERS_MAX - 10

/** @throws MaasError MEDIUM_BUSY, MEDIUM_TOO_DEEP, MEDIUM_ENGINE_UNREACHABLE, and of plug */
export async function cloneMedium(
  pool: PoolAccess,
  id: MediumId,
  options: CloneOptions,
): Promise<PlugResult> {
  // Held until the clone's record stands: it is what keeps the shared layers.
  using _lock = lockMedium(pool.fs, pool.path, id)
  if (loadMedium(pool.fs, pool.path, id).layers.length >= CLONE_LAYERS_MAX) {
    throw new MaasError('MEDIUM_TOO_DEEP', `${id} stands on too many layers`, { id })
  }
  const { record, frozen } = await freezeMedium(pool, id)
  const { snapshotId, sourceName, freeBytes, sizeBytes } = record
  return plug(pool, {
    ...options,
    snapshotId,
    sourceName,
    baseLayers: frozen,
    ...(freeBytes !== undefined && { freeBytes }),
    ...(sizeBytes !== undefined && { sizeBytes }),
  })
}

/**
 * What programs have written may still be in the kernel's cache, above the disk: without this the
 * frozen state would be sound, but some seconds old.
 *
 * @throws MaasError FS_IO when the file system cannot write it back
 */
function syncFileSystem({ attachment }: MediumRecord): void {
  const device = deviceOf(attachment)
  const mounted = listMounts().find(({ source }) => device !== undefined && source === device)
  if (mounted === undefined) return
  const fd = openSync(mounted.target, 'r')
  try {
    syncfs(fd)
  } finally {
    closeSync(fd)
  }
}

/**
 * Makes everything the medium holds at this moment immutable, flushed; it goes on above that.
 * The caller holds the medium's lock.
 *
 * @returns the record as it stands now, and its layers without the new top
 */
export async function freezeMedium(
  pool: PoolAccess,
  id: MediumId,
): Promise<{ record: MediumRecord; frozen: MediumRecord['layers'] }> {
  const before = loadMedium(pool.fs, pool.path, id)
  if (before.readOnly) return { record: before, frozen: before.layers }
  syncFileSystem(before)
  if (await isServed(pool, before)) {
    await askEngine(controlSocketOf(before.attachment!.runtimeDirectory), 'freeze')
  } else freezeTop(pool.fs, pool.path, before)
  const record = loadMedium(pool.fs, pool.path, id)
  return { record, frozen: record.layers.slice(0, -1) }
}

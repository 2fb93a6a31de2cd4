/**
 * Changes of a medium that this node serves: freezing it, standing it on the point that its sealed
 * layers have become, growing it. The record is the commit point (medium/engine/freeze.ts); what a
 * kill leaves to be done after it, `finishChange` does, at once or when the pool is next opened.
 */
import { isServed } from '@openmaas/agent/media/engine-process'
import { lockMedium, tryLockMedium } from '@openmaas/agent/media/medium-lock'
import { pinMedium } from '@openmaas/agent/media/pin'
import { releaseLayers } from '@openmaas/agent/media/remove'
import type { PoolAccess } from '@openmaas/agent/media/types'
import { MaasError } from '@openmaas/kernel/errors'
import type { MediumId, SnapshotId } from '@openmaas/kernel/ids'
import { askEngine } from '@openmaas/medium/engine/control'
import {
  dropLayers,
  findFreeze,
  forgetFreeze,
  freezeTop,
  rebaseRecord,
} from '@openmaas/medium/engine/freeze'
import {
  type Freeze,
  listMedia,
  loadMedium,
  type MediumRecord,
  saveMedium,
  snapshotsOf,
} from '@openmaas/medium/media/record'
import { controlSocketOf } from '@openmaas/medium/media/runtime-directory'

/** @throws MaasError MEDIUM_BUSY, MEDIUM_ENGINE_UNREACHABLE, DEVICE_READ_ONLY and of the engine */
export async function freezeByRequest(
  pool: PoolAccess,
  id: MediumId,
  requestId: string,
): Promise<Freeze> {
  return change(pool, id, async (record) => {
    requireWritable(record)
    if (await isServed(pool, record)) {
      await askEngine(socketOf(record), 'freeze', { requestId })
    } else if (findFreeze(record, requestId) === undefined) {
      const frozenAt = Math.floor(pool.clock.wallMs())
      freezeTop(pool.fs, pool.path, record, { requestId, frozenAt })
    }
    const freeze = findFreeze(loadMedium(pool.fs, pool.path, id), requestId)
    if (freeze !== undefined) return freeze
    throw freezeGone(id, requestId)
  })
}

/** The medium stands on the point, which holds what the request froze. */
export async function rebase(
  pool: PoolAccess,
  id: MediumId,
  request: { readonly requestId: string; readonly snapshotId: SnapshotId },
): Promise<void> {
  const { requestId, snapshotId } = request
  await change(pool, id, async (record) => {
    if (findFreeze(record, requestId) === undefined) return
    // From here on the point stays, and what the medium has stood on so far, too.
    await pinMedium(pool, record, [snapshotId])
    if (await isServed(pool, record)) await askEngine(socketOf(record), 'rebase', request)
    // The engine has saved it, unless the medium had moved on already.
    const now = loadMedium(pool.fs, pool.path, id)
    const next = dropLayers(now, rebaseRecord(now, requestId, snapshotId))
    if (findFreeze(now, requestId) !== undefined) saveMedium(pool.fs, pool.path, next)
  })
}

/** What the request froze is stored, and the medium stays where it is. */
export async function dropFreeze(pool: PoolAccess, id: MediumId, requestId: string): Promise<void> {
  await change(pool, id, async (record) => {
    if (findFreeze(record, requestId) === undefined) return
    const next = dropLayers(record, forgetFreeze(record, requestId))
    saveMedium(pool.fs, pool.path, next)
  })
}

/** @throws MaasError USAGE for a smaller size, MEDIUM_BUSY, MEDIUM_ENGINE_UNREACHABLE */
export async function growMedium(pool: PoolAccess, id: MediumId, sizeBytes: number): Promise<void> {
  await change(pool, id, async (record) => {
    requireWritable(record)
    if (await isServed(pool, record)) await askEngine(socketOf(record), 'freeze', { sizeBytes })
    else freezeTop(pool.fs, pool.path, record, { sizeBytes })
  })
}

/**
 * After every start: what the process before this one had no time for.
 *
 * @param pinned the points that the pin of a medium names; undefined for one without a pin
 */
export async function finishChanges(
  pool: PoolAccess,
  pinned: (id: MediumId) => readonly string[] | undefined,
): Promise<void> {
  for (const id of listMedia(pool.fs, pool.path)) {
    using lock = tryLockMedium(pool.fs, pool.path, id)
    if (lock !== undefined) await finishChange(pool, id, pinned(id) ?? [])
  }
}

async function change<T>(
  pool: PoolAccess,
  id: MediumId,
  work: (record: MediumRecord) => Promise<T>,
): Promise<T> {
  using _lock = lockMedium(pool.fs, pool.path, id)
  const before = loadMedium(pool.fs, pool.path, id)
  const result = await work(before)
  await finishChange(pool, id, snapshotsOf(before))
  return result
}

/**
 * Gives back what the record no longer needs: files of layers first, then the pin of points.
 *
 * @param pinned what the pin names; none: there is no pin to be renewed
 */
async function finishChange(
  pool: PoolAccess,
  id: MediumId,
  pinned: readonly string[],
): Promise<void> {
  const { fs, path: brick } = pool
  const record = loadMedium(fs, brick, id)
  const { dropping, ...rest } = record
  if (dropping !== undefined) {
    releaseLayers(pool, record, dropping)
    saveMedium(fs, brick, rest)
  }
  const needed = snapshotsOf(record)
  const same = String(needed.toSorted()) === String(pinned.toSorted())
  if (pinned.length > 0 && !same) await pinMedium(pool, record)
}

function requireWritable({ id, readOnly }: MediumRecord): void {
  if (!readOnly) return
  throw new MaasError('DEVICE_READ_ONLY', 'what is read-only stands still already', { id })
}

export function freezeGone(id: string, requestId: string): MaasError {
  const message = 'nothing is frozen for this request, or it was given up for newer ones'
  return new MaasError('FREEZE_NOT_FOUND', message, { id, requestId })
}

function socketOf({ id, attachment }: MediumRecord): string {
  if (attachment !== undefined) return controlSocketOf(attachment.runtimeDirectory)
  throw new MaasError('MEDIUM_ENGINE_UNREACHABLE', 'the medium is not served', { id })
}

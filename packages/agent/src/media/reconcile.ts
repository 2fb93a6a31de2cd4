/**
 * What is plugged, and what a crash left half done. Every media command begins here: a plug or
 * an eject that was killed is undone or finished, and a medium whose engine and keeper both died
 * is told from one that is being restarted.
 */
import { bootId } from '@openmaas/kernel/sysinfo'
import { engineRuns, readStatus } from '@openmaas/medium/engine/status'
import {
  listMedia,
  loadMedium,
  mediumDirectory,
  type MediumRecord,
} from '@openmaas/medium/media/record'
import { isKeeper } from './engine-process.ts'
import { tryLockMedium } from './medium-lock.ts'
import { unpinMedium } from './pin.ts'
import { takeDown } from './plug.ts'
import { removeMedium } from './remove.ts'
import type { MediumState, MediumStatus, PoolAccess } from './types.ts'

/** The media of the pool, oldest first. Changes nothing. */
export function listMediaStatus(pool: Pick<PoolAccess, 'fs' | 'path'>): MediumStatus[] {
  return listMedia(pool.fs, pool.path).map((id) => {
    const record = loadMedium(pool.fs, pool.path, id)
    const status = readStatus(mediumDirectory(pool.path, id))
    const running = engineRuns(status)
    return {
      record,
      state: stateOf(pool, record, running),
      ...(running && { enginePid: status!.pid }),
    }
  })
}

function stateOf(
  pool: Pick<PoolAccess, 'fs' | 'path'>,
  record: MediumRecord,
  running: boolean,
): MediumState {
  const lock = tryLockMedium(pool.fs, pool.path, record.id)
  if (lock === undefined) return 'changing'
  lock[Symbol.dispose]()
  const { attachment } = record
  if (record.state !== 'plugged' || attachment?.bootId !== bootId()) return 'interrupted'
  if (running) return 'plugged'
  const directory = mediumDirectory(pool.path, record.id)
  const keeper = attachment.keeperPid
  return keeper !== undefined && isKeeper(keeper, directory) ? 'restarting' : 'interrupted'
}

/**
 * Finishes what killed commands began: half-made media are removed, half-ejected ones ejected.
 * Media that were whole stay; of an interrupted one the dead mount is cleared away.
 *
 * @returns the media that are interrupted now and can be resumed
 */
export async function reconcile(pool: PoolAccess): Promise<MediumRecord[]> {
  const interrupted: MediumRecord[] = []
  for (const { record, state } of listMediaStatus(pool)) {
    if (state !== 'interrupted') continue
    using lock = tryLockMedium(pool.fs, pool.path, record.id)
    if (lock === undefined) continue // Another command got here first.
    await takeDown(pool, record, { force: true })
    if (record.state === 'plugged') {
      interrupted.push(record)
      continue
    }
    await unpinMedium(pool, record.id)
    removeMedium(pool, { ...record, state: 'ejecting' })
  }
  return interrupted
}

/**
 * What is plugged, and what a crash left half done. Every media command begins here: a plug or
 * an eject that was killed is undone or finished, and a medium whose engine and keeper both died
 * is told from one that is being restarted.
 */
import { isMaasError } from '@openmaas/kernel/errors'
import type { MediumId } from '@openmaas/kernel/ids'
import { engineRuns, readStatus } from '@openmaas/medium/engine/status'
import {
  listMedia,
  loadMedium,
  mediumDirectory,
  type MediumRecord,
  saveMedium,
} from '@openmaas/medium/media/record'
import { tryLockMedium } from './medium-lock.ts'
import { stateUnlocked } from './medium-state.ts'
import { unpinMedium } from './pin.ts'
import { takeDown } from './plug.ts'
import { removeMedium } from './remove.ts'
import type { MediumState, MediumStatus, PoolAccess } from './types.ts'

type PoolFiles = Pick<PoolAccess, 'fs' | 'path'>

/** The media of the pool, oldest first. Changes nothing. */
export function listMediaStatus(pool: PoolFiles): MediumStatus[] {
  return listMedia(pool.fs, pool.path).flatMap((id) => {
    const record = loadIfThere(pool, id)
    if (record === undefined) return []
    const status = readStatus(mediumDirectory(pool.path, id))
    const running = engineRuns(status)
    const state = stateOf(pool, record)
    return [{ record, state, ...(running && { enginePid: status!.pid }) }]
  })
}

/** @returns undefined when it was ejected meanwhile */
function loadIfThere(pool: PoolFiles, id: MediumId): MediumRecord | undefined {
  try {
    return loadMedium(pool.fs, pool.path, id)
  } catch (error) {
    if (isMaasError(error, 'MEDIUM_NOT_FOUND')) return undefined
    throw error
  }
}

function stateOf(pool: PoolFiles, record: MediumRecord): MediumState {
  const lock = tryLockMedium(pool.fs, pool.path, record.id)
  if (lock === undefined) return 'changing'
  lock[Symbol.dispose]()
  return stateUnlocked(pool, record)
}

/**
 * Finishes what killed commands began: half-made media are removed, half-ejected ones ejected.
 * Media that were whole stay; of an interrupted one the dead mount is cleared away.
 *
 * @returns the media that are interrupted now and can be resumed
 */
export async function reconcile(pool: PoolAccess): Promise<MediumRecord[]> {
  const interrupted: MediumRecord[] = []
  for (const { record: seen, state } of listMediaStatus(pool)) {
    if (state !== 'interrupted') continue
    using lock = tryLockMedium(pool.fs, pool.path, seen.id)
    if (lock === undefined) continue // Another command got here first.
    // It may even have ended since: only what is read under the lock decides.
    const record = loadIfThere(pool, seen.id)
    if (record === undefined || stateUnlocked(pool, record) !== 'interrupted') continue
    await takeDown(pool, record, { force: true })
    if (record.state === 'plugging' || record.state === 'ejecting') {
      await unpinMedium(pool, record.id)
      removeMedium(pool, { ...record, state: 'ejecting' })
      continue
    }
    const rest: MediumRecord = { ...record, state: 'plugged' }
    if (record.state === 'resuming') saveMedium(pool.fs, pool.path, rest)
    interrupted.push(rest)
  }
  return interrupted
}

/** What a medium's record and its processes say together. */
import { bootId } from '@openmaas/kernel/sysinfo'
import { engineRuns, readStatus } from '@openmaas/medium/engine/status'
import { mediumDirectory, type MediumRecord } from '@openmaas/medium/media/record'
import { isKeeper } from './engine-process.ts'
import type { MediumState, PoolAccess } from './types.ts'

/**
 * The state of a medium that no other command is changing: true only while the caller holds its
 * lock, for a record read under it.
 */
export function stateUnlocked(
  pool: Pick<PoolAccess, 'path'>,
  record: MediumRecord,
): Exclude<MediumState, 'changing'> {
  const { attachment } = record
  if (record.state !== 'plugged' || attachment?.bootId !== bootId()) return 'interrupted'
  const directory = mediumDirectory(pool.path, record.id)
  if (engineRuns(readStatus(directory))) return 'plugged'
  const keeper = attachment.keeperPid
  return keeper !== undefined && isKeeper(keeper, directory) ? 'restarting' : 'interrupted'
}

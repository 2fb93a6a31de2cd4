/**
 * Ejecting: unmount, detach, end the engine (which flushes), release the pin, remove the overlay.
 * Repeatable at any point; a medium in use is refused before anything is taken down.
 */
import { type MediumRecord, saveMedium } from '@openmaas/medium/media/record'
import { lockMedium } from './medium-lock.ts'
import { unpinMedium } from './pin.ts'
import { takeDown } from './plug.ts'
import { removeMedium } from './remove.ts'
import type { EjectOptions, EjectResult, PoolAccess } from './types.ts'

/** @throws MaasError MEDIUM_BUSY while a program uses the mount; nothing has changed then */
export async function eject(
  pool: PoolAccess,
  record: MediumRecord,
  options: EjectOptions,
): Promise<EjectResult> {
  using _lock = lockMedium(pool.fs, pool.path, record.id)
  await takeDown(pool, record, { force: options.force })
  if (options.keep) {
    saveMedium(pool.fs, pool.path, { ...record, state: 'plugged' })
    return { id: record.id, kept: true }
  }
  // From here on the overlay is given up; a crash leaves it to the next command.
  saveMedium(pool.fs, pool.path, { ...record, state: 'ejecting' })
  await unpinMedium(pool, record.id)
  removeMedium(pool, record)
  return { id: record.id, kept: false }
}

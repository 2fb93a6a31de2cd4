/**
 * Ejecting: unmount, detach, end the engine (which flushes), release the pin, remove the overlay.
 * Repeatable at any point; a medium in use is refused before anything is taken down.
 */
import type { MediumId } from '@openmaas/kernel/ids'
import { loadMedium, saveMedium } from '@openmaas/medium/media/record'
import { lockMedium } from './medium-lock.ts'
import { unpinMedium } from './pin.ts'
import { takeDown } from './plug.ts'
import { removeMedium } from './remove.ts'
import type { EjectOptions, EjectResult, PoolAccess } from './types.ts'

/** @throws MaasError MEDIUM_BUSY while a program uses the mount; nothing has changed then */
export async function eject(
  pool: PoolAccess,
  { id }: { readonly id: MediumId },
  options: EjectOptions,
): Promise<EjectResult> {
  using _lock = lockMedium(pool.fs, pool.path, id)
  // As it stands now: a clone or a seal may have put a layer on it since the caller looked.
  const record = loadMedium(pool.fs, pool.path, id)
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

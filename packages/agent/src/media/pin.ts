/**
 * Pins in the pool's log: they keep the point of a medium from the collector. The log has one
 * writer; when a backup owns the pool at this moment, it is asked instead.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { isMaasError } from '@openmaas/kernel/errors'
import type { MediumId } from '@openmaas/kernel/ids'
import { bootId } from '@openmaas/kernel/sysinfo'
import type { MediumRecord } from '@openmaas/medium/media/record'
import { Pool } from '@openmaas/pool/pool/pool'
import type { PoolAccess } from './types.ts'

/** A short command that owns the pool is waited for; a long one answers on its socket. */
const BUSY_TRIES_MAX = 40
const BUSY_PAUSE_MS = 250

/** @throws MaasError SNAPSHOT_NOT_FOUND when the point has been deleted meanwhile, POOL_* */
export async function pinMedium(pool: PoolAccess, record: MediumRecord): Promise<void> {
  const snapshots = [record.snapshotId]
  await withOwner(pool, (owner) =>
    owner.pin({ id: record.id, kind: 'medium', snapshots, bootId: bootId() }),
  )
}

/** A pin that is not there is gone: no error. */
export async function unpinMedium(pool: PoolAccess, id: MediumId): Promise<void> {
  await withOwner(pool, (owner) => owner.unpin(id))
}

/** What a pin needs of an owner, whether it is this process or another. */
type PinOwner = Pick<Pool, 'pin' | 'unpin'>

async function withOwner(
  pool: PoolAccess,
  work: (owner: PinOwner) => Promise<void>,
): Promise<void> {
  const { path, fs, clock, random } = pool
  for (let tries = 1; ; tries += 1) {
    try {
      const unlock = { masterKey: pool.masterKey }
      await using owner = await Pool.open({ path, unlock, fs, clock, random, pid: process.pid })
      await work(owner)
      return
    } catch (error) {
      if (!isMaasError(error, 'POOL_BUSY') || tries === BUSY_TRIES_MAX) throw error
      await delay(BUSY_PAUSE_MS)
    }
  }
}

/**
 * Pins in the pool's log: they keep the point of a medium from the collector. The log has one
 * writer; when a backup owns the pool at this moment, it is asked instead.
 */
import process from 'node:process'
import type { MediumId } from '@openmaas/kernel/ids'
import { bootId } from '@openmaas/kernel/sysinfo'
import type { MediumRecord } from '@openmaas/medium/media/record'
import { withPinOwner } from '../owner/owner-socket.ts'
import type { PoolAccess } from './types.ts'

/** @throws MaasError SNAPSHOT_NOT_FOUND when the point has been deleted meanwhile, POOL_* */
export async function pinMedium(pool: PoolAccess, record: MediumRecord): Promise<void> {
  const pin = {
    id: record.id,
    kind: 'medium',
    snapshots: [record.snapshotId],
    bootId: bootId(),
  } as const
  await withPinOwner(ownerOf(pool), (owner) => owner.pin(pin))
}

/** A pin that is not there is gone: no error. */
export async function unpinMedium(pool: PoolAccess, id: MediumId): Promise<void> {
  await withPinOwner(ownerOf(pool), (owner) => owner.unpin(id))
}

function ownerOf({ path, fs, clock, random, masterKey }: PoolAccess) {
  return { path, fs, clock, random, masterKey, pid: process.pid }
}

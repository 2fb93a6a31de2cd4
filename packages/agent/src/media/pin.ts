/**
 * Pins in the pool's log: they keep the point of a medium from the collector. The log has one
 * writer; when a backup owns the pool at this moment, it is asked instead.
 */
import process from 'node:process'
import type { MediumId, SnapshotId } from '@openmaas/kernel/ids'
import { bootId } from '@openmaas/kernel/sysinfo'
import { type MediumRecord, snapshotsOf } from '@openmaas/medium/media/record'
import type { PinOwner } from '@openmaas/pool/pool/owner-protocol'
import { withPinOwner } from '../owner/owner-socket.ts'
import type { PoolAccess } from './types.ts'

/**
 * Again for a medium that needs other points now: one that the pin holds already may be deleted.
 *
 * @param more points that the medium is about to need
 * @throws MaasError SNAPSHOT_NOT_FOUND when the point has been deleted meanwhile, POOL_*
 */
export async function pinMedium(
  pool: PoolAccess,
  record: MediumRecord,
  more: readonly SnapshotId[] = [],
): Promise<void> {
  const pin = {
    id: record.id,
    kind: 'medium',
    snapshots: [...new Set([...snapshotsOf(record), ...more])],
    bootId: bootId(),
  } as const
  await withOwner(pool, (owner) => owner.pin(pin))
}

/** A pin that is not there is gone: no error. */
export async function unpinMedium(pool: PoolAccess, id: MediumId): Promise<void> {
  await withOwner(pool, (owner) => owner.unpin(id))
}

async function withOwner(
  { owner, path, fs, clock, random, masterKey }: PoolAccess,
  work: (owner: PinOwner) => Promise<void>,
): Promise<void> {
  if (owner !== undefined) await work(owner)
  else await withPinOwner({ path, fs, clock, random, masterKey, pid: process.pid }, work)
}

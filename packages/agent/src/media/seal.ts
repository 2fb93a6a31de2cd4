/**
 * Sealing a medium: what it holds at this moment becomes a recovery point of its own, a volume
 * over the same base. Only grains that were written are read and stored; the medium goes on.
 */
import { hostname } from 'node:os'
import type { MediumId } from '@openmaas/kernel/ids'
import { bootId } from '@openmaas/kernel/sysinfo'
import { mediaDirectory } from '@openmaas/medium/media/record'
import { LayerStore } from '@openmaas/medium/overlay/layer-store'
import { openSnapshot } from '@openmaas/medium/stack/build-stack'
import { sealMedium } from '@openmaas/medium/stack/seal-medium'
import { Pool } from '@openmaas/pool/pool/pool'
import type { SnapshotRow } from '@openmaas/pool/pool/types'
import { volumeManifest } from '@openmaas/pool/volume/manifest'
import { freezeMedium } from './clone.ts'
import { lockMedium } from './medium-lock.ts'
import type { PoolAccess } from './types.ts'

export interface SealOptions {
  /** Name of the new point's source. */
  readonly name: string
  readonly tags?: Readonly<Record<string, string>>
  readonly onGrain?: (bytes: number) => void
}

export interface SealResult {
  readonly snapshot: SnapshotRow
  /** Bytes of the medium that were read. */
  readonly readBytes: number
  readonly storedBytes: number
}

/** @throws MaasError POOL_BUSY, MEDIUM_BUSY, SNAPSHOT_NOT_FOUND when the point was deleted */
export async function sealToSnapshot(
  pool: PoolAccess,
  id: MediumId,
  options: SealOptions,
): Promise<SealResult> {
  const startedAt = new Date(pool.clock.wallMs()).toISOString()
  using _lock = lockMedium(pool.fs, pool.path, id)
  const { path, fs, clock, random } = pool
  const unlock = { masterKey: pool.masterKey }
  // Owner first: nothing is frozen for a seal that cannot be.
  await using owner = await Pool.open({ path, unlock, fs, clock, random, pid: process.pid })
  const { record, frozen } = await freezeMedium(pool, id)
  const session = owner.openSession({ parent: record.snapshotId })
  try {
    const row = owner.snapshots().find((each) => each.id === record.snapshotId)!
    const snapshot = {
      kind: row.kind,
      root: row.root,
      ...(record.freeBytes !== undefined && { freeBytes: record.freeBytes }),
    }
    const store = new LayerStore(fs, mediaDirectory(path))
    for (const layer of frozen) store.freeze(layer, bootId())
    const lane = session.inlineLane()
    const sealed = sealMedium(lane, {
      fs,
      source: owner.chunks,
      snapshot,
      directories: frozen.map((layer) => store.pathOf(layer)),
      size: Math.max(openSnapshot(owner.chunks, snapshot).size, record.sizeBytes ?? 0),
      ...(options.onGrain !== undefined && { onGrain: options.onGrain }),
    })
    const committed = await session.commit({
      ...volumeManifest(owner.chunks, sealed.root),
      source: { name: options.name, host: hostname(), path: record.id },
      startedAt,
      endedAt: new Date(clock.wallMs()).toISOString(),
      root: sealed.id.toString('hex'),
      parent: record.snapshotId,
      status: 'complete',
      ...(options.tags !== undefined && { tags: options.tags }),
    })
    return {
      snapshot: committed,
      readBytes: sealed.readBytes,
      storedBytes: lane.counters.storedBytes,
    }
  } catch (error) {
    session.abort()
    throw error
  }
}

/** An empty volume, as a snapshot that media are served from. */
import { hostname } from 'node:os'
import { MaasError } from '@openmaas/kernel/errors'
import type { SnapshotRow } from '@openmaas/pool/pool/types'
import { VolumeBuilder } from '@openmaas/pool/volume/builder'
import { volumeManifest } from '@openmaas/pool/volume/manifest'
import { geometryValid } from '@openmaas/pool/volume/root'
import type { CheckedParams } from '@openmaas/protocols/channel/orders'
import type { OpenPool } from '../open-pool.ts'
import { REQUEST_TAG } from '../snapshot-catalog.ts'

/** A volume is a number of whole grains, so that it can grow. */
export function roundToGrains(sizeBytes: number, grainBytes: number): number {
  return Math.ceil(sizeBytes / grainBytes) * grainBytes
}

/** @throws MaasError USAGE for a size or grain that the format has not, POOL_*, FS_* */
export async function makeVolume(
  { pool, access }: OpenPool,
  params: CheckedParams<'volume.create'>,
): Promise<SnapshotRow> {
  const { requestId, sourceName, grainBytes: grainSize } = params
  const size = roundToGrains(params.sizeBytes, grainSize)
  if (grainSize === 0 || !geometryValid({ size, grainSize })) {
    const details = { sizeBytes: params.sizeBytes, grainBytes: grainSize }
    throw new MaasError('USAGE', 'there is no volume of that size and grain', details)
  }
  const at = new Date(access.clock.wallMs()).toISOString()
  const session = pool.openSession()
  try {
    const { id, root } = new VolumeBuilder(session.inlineLane(), { size, grainSize }).finish()
    return await session.commit({
      ...volumeManifest(pool.chunks, root),
      source: { name: sourceName, host: hostname(), path: '' },
      startedAt: at,
      endedAt: at,
      root: id.toString('hex'),
      status: 'complete',
      tags: { [REQUEST_TAG]: requestId },
    })
  } catch (error) {
    session.abort()
    throw error
  }
}

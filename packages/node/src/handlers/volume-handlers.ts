/**
 * Orders about volumes: media that live on (docs/decisions/0012). Each may be given twice, by the
 * id of its request: what it made is found by the tag of the snapshot, or in the medium's record.
 */
import { MaasError } from '@openmaas/kernel/errors'
import { findFreeze } from '@openmaas/medium/engine/freeze'
import { TEXT_MAX } from '@openmaas/medium/engine/control'
import { loadMedium, type MediumRecord } from '@openmaas/medium/media/record'
import { readVolumeRoot } from '@openmaas/pool/volume/root'
import type { CheckedParams, OrderHandlers, Result } from '@openmaas/protocols/channel/orders'
import { describeDone } from '../local-pools.ts'
import type { MediumExports } from '../medium-exports.ts'
import { turnsOf } from '../medium-turns.ts'
import type { Node } from '../node.ts'
import type { OpenPool } from '../open-pool.ts'
import type { ReportProgress } from '../progress.ts'
import {
  dropFreeze,
  freezeByRequest,
  freezeGone,
  growMedium,
  rebase,
} from '../volume/change-medium.ts'
import { makeVolume, roundToGrains } from '../volume/make-volume.ts'
import { sealFrozen } from '../volume/seal-frozen.ts'
import { findServed } from './medium-handlers.ts'

type VolumeVerb = 'volume.create' | 'medium.freeze' | 'medium.seal' | 'medium.grow'

export function makeVolumeHandlers(
  node: Node,
  exports: MediumExports | undefined,
): Required<Pick<OrderHandlers, VolumeVerb>> {
  const turns = turnsOf(node)
  return {
    'volume.create': (params, { signal }) =>
      turns.take(
        `volume:${requireShort(params.requestId)}`,
        async () => {
          const pool = await node.pool(params.poolId)
          const known = pool.snapshots.ofMedium(undefined, params.requestId)
          return { snapshotId: (known ?? (await makeVolume(pool, params))).id }
        },
        signal,
      ),
    'medium.freeze': ({ mediumId, poolId, requestId }, { signal }) =>
      turns.take(
        mediumId,
        async () => {
          const pool = await node.pool(poolId)
          requireShort(requestId)
          const sealed = pool.snapshots.ofMedium(mediumId, requestId)
          if (sealed !== undefined) return { frozenAt: pool.snapshots.describe(sealed).takenAt }
          const { id } = requireServed(pool, mediumId)
          const { frozenAt } = await freezeByRequest(pool.access, id, requestId)
          return { frozenAt }
        },
        signal,
      ),
    'medium.seal': (params, { signal, progress }) =>
      turns.take(
        `seal:${params.mediumId}`,
        async () => {
          const pool = await node.pool(params.poolId)
          return turns.seal(params.mediumId, signal, (both) =>
            seal(node, pool, { params, signal: both, progress }),
          )
        },
        signal,
      ),
    'medium.grow': ({ mediumId, poolId, sizeBytes }, { signal }) =>
      turns.take(
        mediumId,
        async () => {
          const pool = await node.pool(poolId)
          const record = requireServed(pool, mediumId)
          const size = await grow(pool, record, sizeBytes)
          await exports?.reopen(mediumId, loadMedium(pool.access.fs, pool.path, record.id))
          return { sizeBytes: size }
        },
        signal,
      ),
  }
}

interface SealContext {
  readonly params: CheckedParams<'medium.seal'>
  readonly signal: AbortSignal
  readonly progress: ReportProgress
}

async function seal(
  node: Node,
  pool: OpenPool,
  { params, signal, progress }: SealContext,
): Promise<Result<'medium.seal'>> {
  const { mediumId, requestId } = params
  const known = pool.snapshots.ofMedium(mediumId, requestId)
  const { id } = known === undefined ? requireServed(pool, mediumId) : {}
  if (known === undefined) {
    const record = loadMedium(pool.access.fs, pool.path, id!)
    const freeze = findFreeze(record, requestId)
    if (freeze === undefined) throw freezeGone(record.id, requestId)
    const stored = await sealFrozen(pool, { record, freeze, order: params, signal, progress })
    await settle(node, pool, params, stored.row.id)
    return { ...describeDone(pool, stored.row), readBytes: stored.sealed.readBytes }
  }
  await settle(node, pool, params, known.id)
  return describeDone(pool, known)
}

/** The point is there: the medium stands on it, or only lets go of what it had frozen for it. */
async function settle(
  node: Node,
  pool: OpenPool,
  { mediumId, requestId, rebase: moves }: CheckedParams<'medium.seal'>,
  snapshotId: MediumRecord['snapshotId'],
): Promise<void> {
  await turnsOf(node).take(mediumId, async () => {
    const found = findServed(pool, mediumId)
    if (found === undefined) return // Withdrawn since: nothing of it is held any more.
    const { id } = found.record
    if (moves) await rebase(pool.access, id, { requestId, snapshotId })
    else await dropFreeze(pool.access, id, requestId)
  })
}

/** @returns the size there is now. @throws MaasError USAGE for a disk that cannot grow */
async function grow(pool: OpenPool, record: MediumRecord, sizeBytes: number): Promise<number> {
  const row = pool.pool.snapshots().find(({ id }) => id === record.snapshotId)
  const kept = pool.pool.core.state.pinnedSnapshots().find(({ id }) => id === record.snapshotId)
  const { root: rootId, kind } = row ?? kept ?? {}
  const refuse = (why: string): never => {
    throw new MaasError('USAGE', `${record.id} cannot grow: ${why}`, { id: record.id, sizeBytes })
  }
  if (kind !== 'volume') return refuse('it is no volume')
  const root = readVolumeRoot(pool.pool.chunks, Buffer.from(rootId!, 'hex'))
  if (root.base !== undefined) refuse('it stands on a tree')
  const now = record.sizeBytes ?? root.size
  if (now % root.grainSize !== 0) refuse('its size is no number of grains')
  const wanted = roundToGrains(sizeBytes, root.grainSize)
  if (wanted < now) refuse('it is larger already')
  if (wanted > now) await growMedium(pool.access, record.id, wanted)
  return wanted
}

function requireServed(pool: OpenPool, mediumId: string): MediumRecord {
  const found = findServed(pool, mediumId)
  if (found !== undefined) return found.record
  throw new MaasError('MEDIUM_NOT_FOUND', 'no such medium is served', { id: mediumId })
}

/** It is kept in records and messages that have their limits. @throws MaasError USAGE */
function requireShort(requestId: string): string {
  if (requestId.length > 0 && requestId.length <= TEXT_MAX) return requestId
  throw new MaasError('USAGE', 'the id of a request has 1 to 512 characters', {})
}

/**
 * Orders about media. A medium of control's (`mnt_…` of the catalog) is found by the `controlId`
 * in its record, so that the same order twice, or after a crash, meets the same medium.
 */
import path from 'node:path'
import { eject } from '@openmaas/agent/media/eject'
import { plug, resume } from '@openmaas/agent/media/plug'
import { listMediaStatus } from '@openmaas/agent/media/reconcile'
import type { MediumStatus, PlugOptions } from '@openmaas/agent/media/types'
import { MaasError } from '@openmaas/kernel/errors'
import type { SnapshotId } from '@openmaas/kernel/ids'
import { deviceOf, type MediumRecord } from '@openmaas/medium/media/record'
import type { CheckedParams, OrderHandlers, Result } from '@openmaas/protocols/channel/orders'
import type { MediumExports } from '../medium-exports.ts'
import { turnsOf } from '../medium-turns.ts'
import type { Node } from '../node.ts'
import type { OpenPool } from '../open-pool.ts'
import { fullnessOf, limitMedium, writtenBytesOf } from '../volume/limit-medium.ts'

type MediumVerb = 'medium.serve' | 'medium.withdraw' | 'medium.served' | 'medium.limit'

export function makeMediumHandlers(
  node: Node,
  exports: MediumExports | undefined,
): Required<Pick<OrderHandlers, MediumVerb>> {
  const turns = turnsOf(node)
  return {
    'medium.serve': (params) =>
      turns.take(params.mediumId, async () => {
        const pool = await node.pool(params.poolId)
        if (params.local === null && exports === undefined) {
          throw new MaasError('NBD_LISTEN_REFUSED', 'this node has no listener for other hosts')
        }
        const record = await servedRecord(pool, params)
        if (params.local !== null) return describeServed(record, null)
        await exports!.add(params.mediumId, record)
        return describeServed(record, params.mediumId)
      }),
    'medium.withdraw': ({ mediumId, poolId, force }) =>
      turns.take(mediumId, async () => {
        const pool = await node.pool(poolId)
        const found = findServed(pool, mediumId)
        if (found === undefined) {
          await exports?.remove(mediumId)
          return { withdrawn: false }
        }
        if (!force && (exports?.usersOf(mediumId) ?? 0) > 0) {
          throw new MaasError('MEDIUM_BUSY', 'a host still uses the medium', { mediumId })
        }
        const seals = turns.sealsOf(mediumId)
        if (!force && seals.length > 0) {
          throw new MaasError('MEDIUM_BUSY', 'the medium is being sealed', { mediumId })
        }
        for (const seal of seals) seal.cancel()
        await exports?.remove(mediumId)
        await eject(pool.access, { id: found.record.id }, { force, keep: false })
        return { withdrawn: true }
      }),
    'medium.limit': ({ mediumId, poolId, quotaBytes }) =>
      turns.take(mediumId, async () => {
        const pool = await node.pool(poolId)
        const found = findServed(pool, mediumId)
        if (found === undefined) {
          throw new MaasError('MEDIUM_NOT_FOUND', 'no such medium is served', { id: mediumId })
        }
        await limitMedium(pool.access, found.record.id, quotaBytes)
        return {}
      }),
    'medium.served': async ({ poolId }) => {
      const pool = await node.pool(poolId)
      const known = listMediaStatus(pool.access).map(async ({ record, state }) => {
        if (record.controlId === undefined) return []
        const writtenBytes = writtenBytesOf(pool.access, record)
        const full = await fullnessOf(pool.access, record)
        const facts = { mediumId: record.controlId, poolMediumId: record.id, state, writtenBytes }
        return [{ ...facts, ...(full !== undefined && { full }) }]
      })
      return { media: (await Promise.all(known)).flat() }
    },
  }
}

export function findServed(pool: OpenPool, mediumId: string): MediumStatus | undefined {
  return listMediaStatus(pool.access).find(({ record }) => record.controlId === mediumId)
}

async function servedRecord(
  pool: OpenPool,
  params: CheckedParams<'medium.serve'>,
): Promise<MediumRecord> {
  const found = findServed(pool, params.mediumId)
  if (found === undefined) return (await plug(pool.access, plugOptions(params))).medium
  const { record, state } = found
  if (state === 'interrupted') return (await resume(pool.access, { id: record.id })).medium
  if (state !== 'changing') return record
  throw new MaasError('MEDIUM_BUSY', 'another command is changing the medium', { id: record.id })
}

function plugOptions(params: CheckedParams<'medium.serve'>): PlugOptions {
  const { local, quotaBytes, mediumId, bytesPerSecond } = params
  const mountPath = local?.mountPath ?? null
  if (mountPath !== null && !path.isAbsolute(mountPath)) {
    throw new MaasError('USAGE', 'a mount path is absolute', { path: mountPath })
  }
  return {
    snapshotId: params.snapshotId as SnapshotId,
    sourceName: params.sourceName,
    readOnly: params.readOnly,
    attach: local !== null,
    mount: mountPath !== null,
    controlId: mediumId,
    ...(mountPath !== null && { mountPoint: mountPath }),
    ...(quotaBytes !== null && { quotaBytes }),
    ...(bytesPerSecond !== null && { bytesPerSecond }),
    ...(local === null && { nbd: 'unix' }),
  }
}

function describeServed(record: MediumRecord, exportName: string | null): Result<'medium.serve'> {
  return {
    poolMediumId: record.id,
    device: deviceOf(record.attachment) ?? null,
    mountPath: record.attachment?.mountPoint ?? null,
    exportName,
  }
}

/**
 * Media as disks of this host, for the agent that lives in the node's own process: those of its own
 * pools are disks already and are mounted, those of other nodes are attached over NBD.
 */
import { mountMedium, resizeMedium, unmountMedium } from '@openmaas/agent/media/mount-medium'
import { listMediaStatus } from '@openmaas/agent/media/reconcile'
import type { MediumPort } from '@openmaas/agent/session/ports'
import { MaasError } from '@openmaas/kernel/errors'
import type { MediumRecord } from '@openmaas/medium/media/record'
import { turnsOf } from './medium-turns.ts'
import type { Node } from './node.ts'
import type { OpenPool } from './open-pool.ts'

/** @param remote for media of other nodes */
export function makeLocalMedia(node: Node, remote: MediumPort): MediumPort {
  const turns = turnsOf(node)
  return {
    attach: async (params, context) => {
      if (params.nbd !== null) return remote.attach(params, context)
      const { mediumId, mountPath, format, grow } = params
      return turns.take(mediumId, async () => {
        const { pool, record } = requireOwn(node, mediumId)
        return mountMedium(pool.access, record, { mountPath, format, grow }, context.signal)
      })
    },
    detach: async (params, context) => {
      const own = findOwn(node, params.mediumId)
      if (own === undefined) return remote.detach(params, context)
      const { force } = params
      return turns.take(params.mediumId, async () => {
        await unmountMedium(own.pool.access, own.record, { force, signal: context.signal })
        return { detached: true }
      })
    },
    // Those of its own are told by `medium.served`.
    attached: (params, context) => remote.attached(params, context),
    resize: async (params, context) => {
      const own = findOwn(node, params.mediumId)
      if (own === undefined) return remote.resize(params, context)
      return { sizeBytes: await resizeMedium(own.pool.access, own.record, context.signal) }
    },
  }
}

interface Own {
  readonly pool: OpenPool
  readonly record: MediumRecord
}

/** One that is a disk of this host: others only pass it on. */
function findOwn(node: Node, mediumId: string): Own | undefined {
  for (const pool of node.pools) {
    const found = listMediaStatus(pool.access).find(({ record }) => record.controlId === mediumId)
    const { fuseMount, kernelNbd } = found?.record.attachment ?? {}
    const isDisk = fuseMount !== undefined || kernelNbd !== undefined
    if (found !== undefined && isDisk) return { pool, record: found.record }
  }
  return undefined
}

function requireOwn(node: Node, mediumId: string): Own {
  const own = findOwn(node, mediumId)
  if (own !== undefined) return own
  throw new MaasError('MEDIUM_NOT_PLUGGED', 'no node of this host serves the medium', { mediumId })
}

/** catalog-backup: a copy of the catalog goes into a pool, from which all can be rebuilt. */
import { z } from 'zod'
import type { Result } from '@openmaas/protocols/channel/orders'
import { defineJob } from '../definition.ts'
import type { JobDefinition } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { DATA_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

const params = z.object({ poolId: z.string(), nodeId: z.string() })
interface BackupResults {
  readonly store: Result<'catalog.store'>
}

/** @param pool one whose node runs on this machine: the copy is handed over as a file */
export function catalogBackupRequest(
  pool: { readonly id: string; readonly nodeId: string },
  actor: string,
): JobRequest {
  const { id: poolId, nodeId } = pool
  const activeKey = `catalog-backup:${poolId}`
  const jobParams = { poolId, nodeId }
  return { kind: 'catalog-backup', params: jobParams, actor, activeKey, poolId, nodeId, labels: {} }
}

export function makeCatalogBackup(services: KindServices): JobDefinition {
  return defineJob<z.infer<typeof params>, BackupResults>({
    kind: 'catalog-backup',
    params,
    // Two copies at once would only be in each other's way.
    slots: () => ['catalog-backup:'],
    steps: [
      {
        name: 'store',
        run: async (context) => {
          const { nodeId, poolId } = context.params
          // One of an earlier attempt may be half a file: it is written anew.
          const path = await services.exportCatalog(context.job.id)
          try {
            return await context.orders.order(
              nodeId,
              'catalog.store',
              { poolId, path },
              { key: context.key(), timeoutMs: DATA_TIMEOUT_MS, signal: context.signal },
            )
          } finally {
            await services.removeExport(context.job.id)
          }
        },
      },
    ],
    attemptMax: 4,
    deadlineMs: 6 * 3_600_000,
    conclude: ({ store: result }) => ({ result }),
  })
}

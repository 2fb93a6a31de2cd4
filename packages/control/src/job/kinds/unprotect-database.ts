/**
 * unprotect-database: the source is gone already. The standby ends, production forgets it (its
 * slot would keep the log of production for ever), the volume is withdrawn, the password deleted.
 */
import { z } from 'zod'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import { deleteSecret } from '../../auth/secret-repository.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { mountPathOf, noteEjected, unplugPlace } from './database-media.ts'
import { loadMedium } from './medium-rows.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

const params = z.object({
  sourceId: z.string(),
  engine: z.string(),
  hostId: z.string(),
  mediumId: z.string().nullable(),
  secretId: z.string().nullable(),
  connectionJson: z.string(),
})
type UnprotectParams = z.infer<typeof params>
interface Results {
  readonly unfollow: null
  readonly unplug: null
}
type Context = StepContext<UnprotectParams, Results>

export function unprotectDatabaseRequest(
  source: { readonly id: string; readonly labelsJson: string },
  of: Omit<UnprotectParams, 'sourceId'> & { readonly actor: string },
): JobRequest {
  const { actor, ...more } = of
  return {
    kind: 'unprotect-database',
    params: { ...more, sourceId: source.id },
    actor,
    activeKey: `unprotect:${source.id}`,
    sourceId: source.id,
    hostId: more.hostId,
    labels: JSON.parse(source.labelsJson) as Record<string, string>,
  }
}

async function unfollow(services: KindServices, context: Context): Promise<null> {
  const { engine, sourceId: id, hostId, mediumId, secretId, connectionJson } = context.params
  if (mediumId === null) return null
  const kept = JSON.parse(connectionJson) as Omit<DatabaseConnection, 'password'>
  const password = secretId === null ? null : await services.openSecret(secretId)
  const connection = { ...kept, password }
  const order = { engine, id, directory: mountPathOf(mediumId), connection, forget: true }
  const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal, key: context.key() }
  await context.orders.order(hostId, 'database.unfollow', order, options)
  return null
}

async function unplug(context: Context): Promise<null> {
  const { mediumId } = context.params
  if (mediumId === null) return null
  const { poolId, nodeId, hostId } = await loadMedium(context.catalog.db, mediumId)
  await unplugPlace(context, { mediumId, poolId, nodeId, hostId }, { force: true })
  return null
}

export function makeUnprotectDatabase(services: KindServices): JobDefinition {
  return defineJob<UnprotectParams, Results>({
    kind: 'unprotect-database',
    params,
    slots: ({ sourceId }) => [`source:${sourceId}`],
    steps: [
      { name: 'unfollow', run: (context) => unfollow(services, context) },
      {
        name: 'unplug',
        run: unplug,
        apply: async (trx, { params: { mediumId, secretId }, clock }) => {
          if (mediumId !== null) await noteEjected(trx, mediumId, clock)
          if (secretId !== null) await deleteSecret(trx, secretId)
        },
      },
    ],
    // Production may be away for a day; until then its slot is limited by what it may keep.
    attemptMax: 100,
    deadlineMs: 7 * 24 * 3_600_000,
    conclude: () => ({ result: {} }),
  })
}

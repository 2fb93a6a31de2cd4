/**
 * follow-database: the standby of a source is put right, without a point: after a boot of its host,
 * or when it has stopped. The volume is attached again, the standby follows again. A volume whose
 * file system met an error is mounted anew first.
 */
import { z } from 'zod'
import type { DatabaseStatus } from '@openmaas/protocols/channel/database-orders'
import { connectionOf, loadSourceDatabase, saveStatus } from '../../database/source-database.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { mountPathOf, notePlugged, type PluggedPlace, plugPlace } from './database-media.ts'
import { loadMedium } from './medium-rows.ts'
import { knownPlace, onVolume, withMounts } from './mounted-again.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'

const params = z.object({ sourceId: z.string(), engine: z.string(), mediumId: z.string() })
type FollowParams = z.infer<typeof params>
interface Results {
  readonly attach: PluggedPlace
  readonly follow: DatabaseStatus
}
type Context = StepContext<FollowParams, Results>

export function followDatabaseRequest(source: {
  readonly id: string
  readonly kind: string
  readonly hostId: string
  readonly mediumId: string
  readonly labelsJson: string
}): JobRequest {
  const { id: sourceId, kind: engine, hostId, mediumId, labelsJson } = source
  return {
    kind: 'follow-database',
    params: { sourceId, engine, mediumId },
    actor: 'system',
    activeKey: `follow:${sourceId}`,
    priority: 70,
    sourceId,
    hostId,
    mediumId,
    labels: JSON.parse(labelsJson) as Record<string, string>,
  }
}

async function attach(services: KindServices, context: Context): Promise<PluggedPlace> {
  return plugPlace(services, context, await knownPlace(context, context.params.mediumId))
}

async function follow(services: KindServices, context: Context): Promise<DatabaseStatus> {
  const { sourceId: id, engine, mediumId } = context.params
  const row = await loadSourceDatabase(context.catalog.db, id)
  const { hostId } = await loadMedium(context.catalog.db, mediumId)
  const connection = await connectionOf(row, (secretId) => services.openSecret(secretId))
  const { retainedLimitBytes } = row
  const synchronous = row.synchronous === 1
  const order = { engine, id, directory: mountPathOf(mediumId), connection }
  const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  const volume = onVolume(context, { engine, id, hostId, mediumId })
  return withMounts(services, context, volume, (suffix) =>
    context.orders.order(
      hostId,
      'database.follow',
      { ...order, retainedLimitBytes, synchronous },
      { ...options, key: context.key(suffix === '' ? undefined : suffix) },
    ),
  )
}

export function makeFollowDatabase(services: KindServices): JobDefinition {
  return defineJob<FollowParams, Results>({
    kind: 'follow-database',
    params,
    slots: ({ sourceId }) => [`source:${sourceId}`],
    steps: [
      {
        name: 'attach',
        run: (context) => attach(services, context),
        apply: async (trx, { params: { mediumId }, clock }, told) => {
          const { state } = await loadMedium(trx, mediumId)
          if (state !== 'plugged') await notePlugged(trx, mediumId, told, clock)
        },
      },
      {
        name: 'follow',
        run: (context) => follow(services, context),
        apply: (trx, { params: { sourceId }, clock }, status) =>
          saveStatus(trx, sourceId, status, clock.wallMs()),
      },
    ],
    // What does not help at once is tried again by the next look.
    attemptMax: 2,
    deadlineMs: 30 * 60_000,
    conclude: ({ follow: { state, reason } }) => ({
      warning: state !== 'following',
      result: { state, reason },
    }),
  })
}

/**
 * widen-virtual-database: another quota, or room again on the disk of the pool. One whose writes
 * have failed is mounted and started anew, since its file system trusts the disk no more; what it
 * has committed is there. One that had room all along notices nothing.
 */
import { z } from 'zod'
import type { RunningInstance } from '@openmaas/protocols/channel/database-orders'
import { fullProblem } from '../../virtual-database/room.ts'
import { changeVirtualDatabase, loadVirtualDatabase } from '../../virtual-database/rows.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext } from '../definition.ts'
import { mountPathOf, plugPlace } from './database-media.ts'
import { changeMedium, loadMedium } from './medium-rows.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'
import { startInstance } from './start-instance.ts'
import { slotsOf } from './virtual-database-params.ts'

const params = z.object({
  virtualDatabaseId: z.string(),
  hostId: z.string(),
  /** Null: as much as the disk has. */
  quotaBytes: z.number().nullable(),
})
type WidenParams = z.infer<typeof params>
interface Results {
  /** Whether it had no room before; null: it has no medium that could have a limit. */
  readonly limit: { readonly wasFull: boolean } | null
  readonly restart: RunningInstance | null
}
type Context = StepContext<WidenParams, Results>

const load = ({ catalog, params: { virtualDatabaseId } }: Context) =>
  loadVirtualDatabase(catalog.db, virtualDatabaseId)

async function limit(context: Context): Promise<Results['limit']> {
  const row = await load(context)
  const { mediumId, poolId, nodeId } = row
  if (mediumId === null) return null
  const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  const lookKey = context.key('look')
  const { media } = await context.orders.order(
    nodeId,
    'medium.served',
    { poolId },
    { ...options, key: lookKey },
  )
  const served = media.find((medium) => medium.mediumId === mediumId)
  const { quotaBytes } = context.params
  const order = { mediumId, poolId, quotaBytes }
  await context.orders.order(nodeId, 'medium.limit', order, { ...options, key: context.key() })
  return { wasFull: served?.full !== undefined || fullProblem(row) !== null }
}

async function restart(services: KindServices, context: Context): Promise<RunningInstance | null> {
  const row = await load(context)
  const { mediumId, engine, id, hostId } = row
  const isMeant = row.state === 'running' || row.state === 'lost'
  if (context.results.limit?.wasFull !== true || mediumId === null || !isMeant) return null
  const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  const instance = { engine, id, directory: mountPathOf(mediumId), immediate: true }
  const [stopKey, detachKey] = [context.key('stop'), context.key('detach')]
  await context.orders.order(hostId, 'database.deactivate', instance, { ...options, key: stopKey })
  const detach = { mediumId, force: true }
  await context.orders.order(hostId, 'medium.detach', detach, { ...options, key: detachKey })
  const medium = await loadMedium(context.catalog.db, mediumId)
  const { poolId, nodeId, sourceId, quotaBytes, name: sourceName } = medium
  const place = { mediumId, poolId, nodeId, hostId, sourceId, sourceName, quotaBytes }
  await plugPlace(services, context, { ...place, snapshotId: '' })
  return startInstance(services, context, row, { mediumId, hostId })
}

export function makeWidenVirtualDatabase(services: KindServices): JobDefinition {
  return defineJob<WidenParams, Results>({
    kind: 'widen-virtual-database',
    params,
    slots: slotsOf,
    steps: [
      {
        name: 'limit',
        run: limit,
        apply: async (trx, { params: { virtualDatabaseId, quotaBytes }, clock }) => {
          const { mediumId } = await loadVirtualDatabase(trx, virtualDatabaseId)
          if (mediumId !== null) await changeMedium(trx, mediumId, { quotaBytes }, clock)
          await changeVirtualDatabase(trx, virtualDatabaseId, { quotaBytes }, clock)
        },
      },
      {
        name: 'restart',
        run: (context) => restart(services, context),
        apply: async (trx, { params: { virtualDatabaseId: id }, clock }, running) => {
          const row = await loadVirtualDatabase(trx, id)
          const state = running === null ? {} : ({ state: 'running' } as const)
          const isOver = fullProblem(row) !== null
          await changeVirtualDatabase(
            trx,
            id,
            { ...state, ...(isOver && { problemJson: null }) },
            clock,
          )
        },
      },
    ],
    attemptMax: 3,
    deadlineMs: 2 * 3_600_000,
    conclude: ({ limit: limited, restart: running }) => ({
      result: { wasFull: limited?.wasFull ?? false, restarted: running !== null },
    }),
  })
}

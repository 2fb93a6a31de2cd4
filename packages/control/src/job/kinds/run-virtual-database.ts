/** start- and stop-virtual-database: the instance; its clone stays plugged. */
import { z } from 'zod'
import type { RunningInstance } from '@openmaas/protocols/channel/database-orders'
import { MaasError } from '@openmaas/kernel/errors'
import {
  changeVirtualDatabase,
  loadVirtualDatabase,
  type VirtualDatabaseRow,
} from '../../virtual-database/rows.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition } from '../definition.ts'
import { mountPathOf, notePlugged, type PluggedPlace, plugPlace } from './database-media.ts'
import { loadMedium, problemOf } from './medium-rows.ts'
import { knownPlace } from './mounted-again.ts'
import { ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'
import { noteReleased, type Released, releaseClone } from './release-clone.ts'
import { startInstance } from './start-instance.ts'
import { slotsOf } from './virtual-database-params.ts'

const startParams = z.object({
  virtualDatabaseId: z.string(),
  hostId: z.string(),
  /** It should run, as far as anybody knows: after a boot of its host, or of the server. */
  again: z.boolean().default(false),
  /** It should have run already when it was asked for: it is looked after on. */
  wasLost: z.boolean().default(false),
})
const stopParams = z.object({
  virtualDatabaseId: z.string(),
  hostId: z.string(),
  immediate: z.boolean(),
})
type StartParams = z.infer<typeof startParams>
type StopParams = z.infer<typeof stopParams>

/** Between the look that found it and this turn somebody may have stopped it. */
function requireWanted(row: VirtualDatabaseRow, { again }: StartParams): void {
  if (!again || row.state === 'running' || row.state === 'lost') return
  throw new MaasError('CANCELLED', 'it is not wanted to run any more', { state: row.state })
}

interface StartResults {
  readonly place: PluggedPlace | null
  readonly activate: RunningInstance
  readonly release: Released
}

export function makeStartVirtualDatabase(services: KindServices): JobDefinition {
  return defineJob<StartParams, StartResults>({
    kind: 'start-virtual-database',
    params: startParams,
    slots: slotsOf,
    steps: [
      {
        name: 'place',
        run: async (context) => {
          const row = await loadVirtualDatabase(
            context.catalog.db,
            context.params.virtualDatabaseId,
          )
          requireWanted(row, context.params)
          // One that was promoted stands on a local directory.
          if (row.directory !== null || row.mediumId === null) return null
          // A clone that a boot or a crash has taken from its host is plugged again.
          return plugPlace(services, context, await knownPlace(context, row.mediumId))
        },
        apply: async (trx, { params: { virtualDatabaseId: id }, clock }, told) => {
          const { mediumId } = await loadVirtualDatabase(trx, id)
          if (told === null || mediumId === null) return
          const { state } = await loadMedium(trx, mediumId)
          if (state !== 'plugged') await notePlugged(trx, mediumId, told, clock)
        },
      },
      {
        name: 'activate',
        run: async (context) => {
          const row = await loadVirtualDatabase(
            context.catalog.db,
            context.params.virtualDatabaseId,
          )
          requireWanted(row, context.params)
          return startInstance(services, context, row, {
            mediumId: row.mediumId ?? row.id,
            hostId: row.hostId,
          })
        },
        apply: async (trx, { params: { virtualDatabaseId: id }, clock }, instance) => {
          const { state } = await loadVirtualDatabase(trx, id)
          const { port, version: engineVersion } = instance
          const databasesJson = JSON.stringify(instance.databases)
          const changes = { state: 'running', port, engineVersion, databasesJson } as const
          // Found running, as it was: no news.
          if (state === 'running') return
          await changeVirtualDatabase(trx, id, { ...changes, problemJson: null }, clock)
        },
      },
      // Of one whose promotion was cut short after it had moved.
      { name: 'release', run: releaseClone, apply: noteReleased },
    ],
    attemptMax: 3,
    deadlineMs: 2 * 3_600_000,
    conclude: ({ activate: { port, version } }) => ({ result: { port, version } }),
    ended: async (trx, { params: given, clock }, { state, problem }) => {
      if (state === 'succeeded' || state === 'warning') return
      const { virtualDatabaseId: id, again, wasLost } = given
      const row = await loadVirtualDatabase(trx, id)
      // Somebody has stopped or dropped it since: that holds.
      if (again && row.state !== 'running' && row.state !== 'lost') return
      const changes = {
        state: again || wasLost ? 'lost' : 'stopped',
        problemJson: problemOf(problem),
      } as const
      await changeVirtualDatabase(trx, id, changes, clock)
    },
  })
}

export function makeStopVirtualDatabase(): JobDefinition {
  return defineJob<StopParams, { readonly deactivate: { readonly stopped: boolean } }>({
    kind: 'stop-virtual-database',
    params: stopParams,
    slots: slotsOf,
    steps: [
      {
        name: 'deactivate',
        run: async (context) => {
          const { virtualDatabaseId, immediate } = context.params
          const row = await loadVirtualDatabase(context.catalog.db, virtualDatabaseId)
          const { engine, id, hostId, mediumId } = row
          const directory = row.directory ?? mountPathOf(mediumId ?? id)
          const order = { engine, id, directory, immediate }
          const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
          const key = context.key()
          return context.orders.order(hostId, 'database.deactivate', order, { ...options, key })
        },
        apply: (trx, { params: { virtualDatabaseId: id }, clock }) =>
          changeVirtualDatabase(trx, id, { state: 'stopped', problemJson: null }, clock),
      },
    ],
    attemptMax: 3,
    deadlineMs: 3_600_000,
    conclude: ({ deactivate: { stopped } }) => ({ result: { stopped } }),
    ended: async (trx, { params: { virtualDatabaseId: id }, clock }, { state, problem }) => {
      if (state === 'succeeded' || state === 'warning') return
      const changes = { state: 'running', problemJson: problemOf(problem) } as const
      await changeVirtualDatabase(trx, id, changes, clock)
    },
  })
}

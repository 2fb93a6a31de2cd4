/**
 * One that follows production: sync-virtual-database lets it stand still or go on,
 * open-virtual-database ends following for good and opens it for writing.
 */
import { z } from 'zod'
import type { DatabaseStatus, RunningInstance } from '@openmaas/protocols/channel/database-orders'
import {
  changeVirtualDatabase,
  loadVirtualDatabase,
  type VirtualDatabaseRow,
} from '../../virtual-database/rows.ts'
import { askSync, saveSync } from '../../virtual-database/sync-watch.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext, Trx } from '../definition.ts'
import { forgetStandby, productionOf } from './clone-steps.ts'
import { mountPathOf } from './database-media.ts'
import { problemOf } from './medium-rows.ts'
import type { KindServices } from './services.ts'
import { startInstance } from './start-instance.ts'
import { slotsOf } from './virtual-database-params.ts'

const params = z.object({ virtualDatabaseId: z.string(), hostId: z.string() })
const syncParams = params.extend({ paused: z.boolean() })
type OpenParams = z.infer<typeof params>
type SyncParams = z.infer<typeof syncParams>

const load = ({ catalog, params: given }: StepContext<OpenParams, unknown>) =>
  loadVirtualDatabase(catalog.db, given.virtualDatabaseId)

const placeOf = (row: VirtualDatabaseRow) => ({
  mediumId: row.mediumId ?? row.id,
  hostId: row.hostId,
})

export function makeSyncVirtualDatabase(services: KindServices): JobDefinition {
  return defineJob<
    SyncParams,
    {
      readonly tell: RunningInstance
      readonly look: DatabaseStatus | null
    }
  >({
    kind: 'sync-virtual-database',
    params: syncParams,
    slots: slotsOf,
    steps: [
      {
        name: 'tell',
        run: async (context) => {
          const row = await load(context)
          const next = { ...row, syncPaused: context.params.paused ? 1 : 0 }
          return startInstance(services, context, next, placeOf(row))
        },
        apply: (trx, { params: { virtualDatabaseId: id, paused }, clock }) =>
          changeVirtualDatabase(trx, id, { syncPaused: paused ? 1 : 0 }, clock),
      },
      lookStep(services),
    ],
    attemptMax: 3,
    deadlineMs: 3_600_000,
    conclude: ({ tell: { recoveredTo } }) => ({ result: { position: recoveredTo.position } }),
  })
}

/** How it stands, for who looks at it now; the watch asks again and again. */
export function lookStep(services: KindServices): {
  readonly name: 'look'
  run(context: StepContext<OpenParams, unknown>): Promise<DatabaseStatus | null>
  apply(
    trx: Trx,
    context: StepContext<OpenParams, unknown>,
    status: DatabaseStatus | null,
  ): Promise<void>
} {
  return {
    name: 'look',
    run: async (context) => {
      const row = await load(context)
      const connection = await productionOf(services, context, row)
      if (connection === null) return null
      return askSync(context.orders, row, { connection, key: context.key() })
    },
    apply: async (trx, { params: { virtualDatabaseId: id }, clock }, status) => {
      if (status !== null) await saveSync(trx, id, status, clock.wallMs())
    },
  }
}

interface OpenResults {
  readonly release: null
  readonly open: RunningInstance
}

/**
 * Nothing is undone: one that cannot be opened at once is lost for a while, and care goes on as
 * with any other that should run. It follows nothing from the first step on.
 */
export function makeOpenVirtualDatabase(services: KindServices): JobDefinition {
  return defineJob<OpenParams, OpenResults>({
    kind: 'open-virtual-database',
    params,
    slots: slotsOf,
    steps: [
      {
        name: 'release',
        run: async (context) => {
          const row = await load(context)
          const forget = await productionOf(services, context, row)
          // All that has come is in it, also what was not applied yet.
          if (forget !== null) {
            await startInstance(services, context, { ...row, syncPaused: 1 }, placeOf(row))
          }
          const { engine, id, hostId } = row
          const place = { engine, id, directory: mountPathOf(row.mediumId ?? id) }
          if (forget !== null) await forgetStandby(context, hostId, { place, forget })
          return null
        },
        apply: async (trx, { params: { virtualDatabaseId: id }, clock }) => {
          const still = { liveSync: 0, syncPaused: 0, syncJson: null, syncAt: null }
          await changeVirtualDatabase(trx, id, still, clock)
        },
      },
      {
        name: 'open',
        run: async (context) => {
          const row = await load(context)
          return startInstance(services, context, row, placeOf(row))
        },
        apply: (trx, { params: { virtualDatabaseId: id }, clock }, instance) => {
          const { port, version: engineVersion, recoveredTo } = instance
          const databasesJson = JSON.stringify(instance.databases)
          const position = recoveredTo.position
          const dataAt =
            recoveredTo.timeMs === null ? clock.wallMs() : Math.round(recoveredTo.timeMs)
          const known = { port, engineVersion, databasesJson, position, dataAt }
          const changes = { ...known, state: 'running', problemJson: null } as const
          return changeVirtualDatabase(trx, id, changes, clock)
        },
      },
    ],
    attemptMax: 3,
    deadlineMs: 6 * 3_600_000,
    conclude: ({ open: { port, recoveredTo } }) => ({
      result: { port, position: recoveredTo.position },
    }),
    ended: async (trx, { params: { virtualDatabaseId: id }, clock }, { state, problem }) => {
      if (state === 'succeeded' || state === 'warning') return
      const changes = { state: 'lost', problemJson: problemOf(problem) } as const
      await changeVirtualDatabase(trx, id, changes, clock)
    },
  })
}

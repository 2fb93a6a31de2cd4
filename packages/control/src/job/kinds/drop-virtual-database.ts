/**
 * drop-virtual-database: instance, mounts, media, bookmarks and the password go, in this order.
 * Nothing is undone: a drop that fails half way is repeated, it does not start anything again.
 */
import { z } from 'zod'
import { isMaasError } from '@openmaas/kernel/errors'
import { deleteSecret } from '../../auth/secret-repository.ts'
import {
  changeVirtualDatabase,
  loadVirtualDatabase,
  type VirtualDatabaseRow,
} from '../../virtual-database/rows.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext } from '../definition.ts'
import { nodeOfPool } from './choose-pool.ts'
import { deactivateAt, productionOf } from './clone-steps.ts'
import { noteEjected, unplugPlace } from './database-media.ts'
import { loadMedium, problemOf } from './medium-rows.ts'
import { DATA_TIMEOUT_MS, ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'
import { slotsOf } from './virtual-database-params.ts'

const params = z.object({
  virtualDatabaseId: z.string(),
  hostId: z.string(),
  /** Although its host is away. */
  force: z.boolean(),
  /** Of one that was promoted: its directory stays. */
  keepData: z.boolean().default(false),
})
type DropParams = z.infer<typeof params>
interface Results {
  readonly begin: null
  readonly deactivate: null
  readonly unplug: null
  readonly discard: { readonly removed: boolean }
  readonly bookmarks: { readonly left: readonly string[] }
}
type Context = StepContext<DropParams, Results>

const load = (context: Context): Promise<VirtualDatabaseRow> =>
  loadVirtualDatabase(context.catalog.db, context.params.virtualDatabaseId)

async function deactivate(services: KindServices, context: Context): Promise<null> {
  const row = await load(context)
  const { engine, id, mediumId, hostId, directory } = row
  if (mediumId === null && directory === null) return null
  const { force: tolerant, keepData } = context.params
  const base = { mediumId: mediumId ?? id, hostId }
  const forget = await productionOf(services, context, row)
  // What is not committed is gone anyway, and so is the rest in a moment; unless it is kept.
  const immediate = !keepData
  await deactivateAt(context, { engine, id, base, directory, forget, immediate, tolerant })
  return null
}

/** The directory of one that was promoted. On a host that is away it stays, and the log says so. */
async function discard(context: Context): Promise<Results['discard']> {
  const { engine, id, hostId, directory } = await load(context)
  if (directory === null || context.params.keepData) return { removed: false }
  const options = { timeoutMs: DATA_TIMEOUT_MS, key: context.key() }
  try {
    const order = { engine, id, directory }
    return await context.orders.order(hostId, 'database.discard', order, options)
  } catch (error) {
    if (!context.params.force || !isMaasError(error, 'HOST_OFFLINE')) throw error
    context.log('warning', error.code, `${directory} stays on a host that is away`)
    return { removed: false }
  }
}

async function unplug(context: Context): Promise<null> {
  const { mediumId } = await load(context)
  if (mediumId === null) return null
  const { poolId, nodeId, hostId } = await loadMedium(context.catalog.db, mediumId)
  const place = { mediumId, poolId, nodeId, hostId }
  await unplugPlace(context, place, { force: true })
  return null
}

/** What a branch still stands on stays in the pool, with its name in the log. */
async function deleteBookmarks(context: Context): Promise<Results['bookmarks']> {
  const { db } = context.catalog
  const rows = await db
    .selectFrom('bookmark')
    .selectAll()
    .where('virtualDatabaseId', '=', context.params.virtualDatabaseId)
    .where('snapshotId', 'is not', null)
    .execute()
  const left: string[] = []
  for (const { id, poolId, snapshotId } of rows) {
    const order = { poolId, snapshotIds: [snapshotId!] }
    const options = { timeoutMs: ORDER_TIMEOUT_MS, key: context.key(id) }
    try {
      const nodeId = await nodeOfPool(db, poolId)
      const { refused } = await context.orders.order(nodeId, 'pool.delete', order, options)
      if (refused.some(({ code }) => code !== 'SNAPSHOT_NOT_FOUND')) left.push(snapshotId!)
    } catch (error) {
      // The pool is gone, and its snapshots with it.
      if (!isMaasError(error, 'POOL_NOT_FOUND')) throw error
    }
  }
  return { left }
}

export function makeDropVirtualDatabase(services: KindServices): JobDefinition {
  return defineJob<DropParams, Results>({
    kind: 'drop-virtual-database',
    params,
    slots: slotsOf,
    steps: [
      {
        name: 'begin',
        run: () => Promise.resolve(null),
        apply: (trx, { params: { virtualDatabaseId: id }, clock }) =>
          changeVirtualDatabase(trx, id, { state: 'dropping' }, clock),
      },
      { name: 'deactivate', run: (context) => deactivate(services, context) },
      {
        name: 'unplug',
        run: unplug,
        apply: async (trx, { params: { virtualDatabaseId: id }, clock }) => {
          const { mediumId } = await loadVirtualDatabase(trx, id)
          if (mediumId !== null) await noteEjected(trx, mediumId, clock)
        },
      },
      { name: 'discard', run: discard },
      {
        name: 'bookmarks',
        run: deleteBookmarks,
        apply: async (trx, { params: { virtualDatabaseId: id }, clock }) => {
          const { secretId } = await loadVirtualDatabase(trx, id)
          await deleteSecret(trx, secretId)
          await trx.deleteFrom('bookmark').where('virtualDatabaseId', '=', id).execute()
          const gone = { port: null, address: null, mediumId: null, problemJson: null } as const
          const changes = { state: 'dropped', endedAt: clock.wallMs(), ...gone } as const
          await changeVirtualDatabase(trx, id, changes, clock)
        },
      },
    ],
    attemptMax: 6,
    deadlineMs: 6 * 3_600_000,
    conclude: ({ bookmarks: { left }, discard: { removed } }) => ({
      warning: left.length > 0,
      result: { left, removed },
    }),
    ended: async (trx, { params: { virtualDatabaseId: id }, clock, job }, { state, problem }) => {
      if (state === 'succeeded' || state === 'warning' || job.startedAt === null) return
      // Half of it is gone: only another drop ends it.
      const changes = { state: 'failed', problemJson: problemOf(problem) } as const
      await changeVirtualDatabase(trx, id, changes, clock)
    },
  })
}

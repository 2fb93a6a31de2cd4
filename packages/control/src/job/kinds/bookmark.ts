/**
 * make-bookmark: a checkpoint of the instance, its clone frozen and stored as a snapshot, without
 * moving the clone. delete-bookmark: the snapshot goes.
 */
import { z } from 'zod'
import { MaasError } from '@openmaas/kernel/errors'
import type { Result } from '@openmaas/protocols/channel/orders'
import { problemJson } from '../end.ts'
import { loadBookmark, loadVirtualDatabase } from '../../virtual-database/rows.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext, Trx } from '../definition.ts'
import { nodeOfPool } from './choose-pool.ts'
import { mountPathOf } from './database-media.ts'
import { loadMedium } from './medium-rows.ts'
import { DATA_TIMEOUT_MS, ORDER_TIMEOUT_MS } from './services.ts'
import { slotsOf } from './virtual-database-params.ts'

/** Of a snapshot: it is no point of the source; the virtual database that it is a state of. */
export const BOOKMARK_TAG = 'openmaas.bookmark'

const params = z.object({
  virtualDatabaseId: z.string(),
  hostId: z.string(),
  bookmarkId: z.string(),
})
type BookmarkParams = z.infer<typeof params>
interface MakeResults {
  /** Null when it does not run: what stands still needs no checkpoint. */
  readonly mark: Result<'database.mark'> | null
  readonly freeze: Result<'medium.freeze'>
  readonly seal: Result<'medium.seal'>
}
type MakeContext = StepContext<BookmarkParams, MakeResults>

async function load(context: StepContext<BookmarkParams, unknown>) {
  const { db } = context.catalog
  const row = await loadVirtualDatabase(db, context.params.virtualDatabaseId)
  if (row.mediumId === null) {
    const message = 'it stands on no clone: what was promoted has no bookmarks'
    throw new MaasError('VIRTUAL_DATABASE_BUSY', message, { virtualDatabaseId: row.id })
  }
  return { row, medium: await loadMedium(db, row.mediumId) }
}

async function mark(context: MakeContext): Promise<MakeResults['mark']> {
  const { row, medium } = await load(context)
  if (row.state !== 'running') return null
  const order = { engine: row.engine, id: row.id, directory: mountPathOf(medium.id) }
  const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  const key = context.key()
  return context.orders.order(medium.hostId, 'database.mark', order, { ...options, key })
}

async function freeze(context: MakeContext): Promise<MakeResults['freeze']> {
  const { medium } = await load(context)
  const order = { mediumId: medium.id, poolId: medium.poolId, requestId: context.job.id }
  const options = { timeoutMs: ORDER_TIMEOUT_MS, signal: context.signal }
  const key = context.key()
  return context.orders.order(medium.nodeId, 'medium.freeze', order, { ...options, key })
}

async function seal(context: MakeContext): Promise<MakeResults['seal']> {
  const { row, medium } = await load(context)
  const order = {
    mediumId: medium.id,
    poolId: medium.poolId,
    requestId: context.job.id,
    sourceName: row.name,
    tags: { [BOOKMARK_TAG]: row.id },
    lockUntil: null,
    rebase: false,
  }
  return context.orders.order(medium.nodeId, 'medium.seal', order, {
    key: context.key(),
    timeoutMs: DATA_TIMEOUT_MS,
    signal: context.signal,
    onProgress: context.progress,
  })
}

async function recordBookmark(
  trx: Trx,
  context: MakeContext,
  result: Result<'medium.seal'>,
): Promise<void> {
  const { bookmarkId, virtualDatabaseId } = context.params
  const { mediumId } = await loadVirtualDatabase(trx, virtualDatabaseId)
  const { poolId } = await loadMedium(trx, mediumId!)
  const { snapshotId, sizeBytes, addedBytes } = result
  const takenAt = context.results.freeze.frozenAt
  await trx
    .updateTable('bookmark')
    .set({ state: 'available', poolId, snapshotId, sizeBytes, addedBytes, takenAt })
    .where('id', '=', bookmarkId)
    .execute()
}

export function makeMakeBookmark(): JobDefinition {
  return defineJob<BookmarkParams, MakeResults>({
    kind: 'make-bookmark',
    params,
    slots: slotsOf,
    steps: [
      { name: 'mark', run: mark },
      { name: 'freeze', run: freeze },
      { name: 'seal', run: seal, apply: recordBookmark },
    ],
    attemptMax: 3,
    deadlineMs: DATA_TIMEOUT_MS,
    conclude: ({ seal: { snapshotId, sizeBytes, addedBytes } }) => ({
      result: { snapshotId, sizeBytes, addedBytes },
    }),
    ended: async (trx, { params: { bookmarkId } }, { state, problem }) => {
      if (state === 'succeeded' || state === 'warning') return
      const text = problem === null ? null : problemJson(problem)
      await trx
        .updateTable('bookmark')
        .set({ state: 'failed', problemJson: text })
        .where('id', '=', bookmarkId)
        .execute()
    },
  })
}

type DeleteContext = StepContext<BookmarkParams, { readonly delete: { readonly deleted: number } }>

/** @throws MaasError OBJECT_IN_USE: a branch stands on it */
async function deleteSnapshot(context: DeleteContext): Promise<{ deleted: number }> {
  const { db } = context.catalog
  const { poolId, snapshotId } = await loadBookmark(db, context.params)
  if (snapshotId === null) return { deleted: 0 }
  const options = { timeoutMs: ORDER_TIMEOUT_MS, key: context.key() }
  const order = { poolId, snapshotIds: [snapshotId] }
  const nodeId = await nodeOfPool(db, poolId)
  const { refused } = await context.orders.order(nodeId, 'pool.delete', order, options)
  const reason = refused.find(({ code }) => code !== 'SNAPSHOT_NOT_FOUND')
  if (reason === undefined) return { deleted: 1 }
  const message = 'the pool does not let go of the snapshot'
  throw new MaasError('OBJECT_IN_USE', message, { snapshotId, code: reason.code })
}

export function makeDeleteBookmark(): JobDefinition {
  return defineJob<BookmarkParams, { readonly delete: { readonly deleted: number } }>({
    kind: 'delete-bookmark',
    params,
    slots: slotsOf,
    steps: [
      {
        name: 'delete',
        run: deleteSnapshot,
        apply: async (trx, { params: { bookmarkId } }) => {
          await trx.deleteFrom('bookmark').where('id', '=', bookmarkId).execute()
        },
      },
    ],
    attemptMax: 3,
    deadlineMs: 3_600_000,
    conclude: ({ delete: { deleted } }) => ({ result: { deleted } }),
    ended: async (trx, { params: { bookmarkId } }, { state, problem }) => {
      if (state === 'succeeded' || state === 'warning') return
      const text = problem === null ? null : problemJson(problem)
      await trx
        .updateTable('bookmark')
        .set({ state: 'available', problemJson: text })
        .where('id', '=', bookmarkId)
        .execute()
    },
  })
}

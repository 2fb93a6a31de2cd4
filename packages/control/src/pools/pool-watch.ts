/**
 * What nodes say of their pools, once half a minute: size, room and state go into the rows; a pool
 * that a node has and the catalog does not know is entered; those of a node that is away are
 * offline. Space used is kept as samples by monitor/, from the same rows.
 */
import { basename } from 'node:path'
import type { Kysely, Selectable } from 'kysely'
import type { Clock } from '@openmaas/kernel/clock'
import { isMaasError } from '@openmaas/kernel/errors'
import { Rounds } from '@openmaas/kernel/rounds'
import type { OrderGiver, Result } from '@openmaas/protocols/channel/orders'
import type { Catalog } from '../catalog/catalog.ts'
import { appendEvent } from '../catalog/events.ts'
import type { CatalogTables } from '../catalog/schema.ts'

type Stats = Result<'pool.list'>['pools'][number]
type PoolRow = Selectable<CatalogTables['pool']>

const WATCH_EVERY_MS = 30_000
/** Counting a pool's packs is quick; a node that needs longer is in trouble. */
const TIMEOUT_MS = 20_000

export interface PoolWatchOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly orders: OrderGiver
  /** The catalog cannot be reached, or a bug; the watch goes on. */
  readonly onError: (error: unknown) => void
}

/** Twice a minute, as long as it is not disposed of. */
export function watchPools(options: PoolWatchOptions): Rounds {
  const { onError } = options
  return new Rounds({ everyMs: WATCH_EVERY_MS, onError, round: (count) => lookAll(options, count) })
}

async function lookAll(options: PoolWatchOptions, round: number): Promise<void> {
  const nodes = await options.catalog.db
    .selectFrom('host')
    .select('id')
    .where('kind', '=', 'node')
    .where('state', '!=', 'removed')
    .execute()
  // Together: a node that does not answer must not make the others look old.
  await Promise.all(nodes.map(({ id }) => lookAt(options, id, round)))
}

async function lookAt(options: PoolWatchOptions, nodeId: string, round: number): Promise<void> {
  const { catalog, clock } = options
  const reported = await ask(options, nodeId, round)
  await catalog.transaction(async (trx) => {
    const known = await trx.selectFrom('pool').selectAll().where('nodeId', '=', nodeId).execute()
    for (const stats of reported ?? []) {
      const row = known.find(({ id }) => id === stats.poolId)
      if (row === undefined) await enter(trx, { stats, nodeId, clock })
      else await save(trx, { row, stats, clock })
    }
    const gone = known.filter(({ id }) => !reported?.some(({ poolId }) => poolId === id))
    for (const row of gone) await changeState(trx, { row, state: 'offline', clock })
  })
}

/** @returns undefined when the node is away */
async function ask(
  { orders, clock }: PoolWatchOptions,
  nodeId: string,
  round: number,
): Promise<Stats[] | undefined> {
  try {
    const key = `pool-watch:${nodeId}:${clock.wallMs()}:${round}`
    return (await orders.order(nodeId, 'pool.list', {}, { key, timeoutMs: TIMEOUT_MS })).pools
  } catch (error) {
    if (!isMaasError(error) || error.code === 'INTERNAL') throw error
    return undefined
  }
}

/** The columns of PoolStats of packages/api; the rest of the message is columns of their own. */
function statsText(stats: Stats): string {
  const { sizeBytes, freeBytes, physicalBytes, logicalBytes } = stats
  const { snapshotCount, packCount, badBlocks } = stats
  const shown = { sizeBytes, freeBytes, physicalBytes, logicalBytes }
  return JSON.stringify({ ...shown, snapshotCount, packCount, badBlocks })
}

async function enter(
  trx: Kysely<CatalogTables>,
  { stats, nodeId, clock }: { stats: Stats; nodeId: string; clock: Clock },
): Promise<void> {
  const now = clock.wallMs()
  const values = { nodeId, path: stats.path, statsJson: statsText(stats), seenAt: now }
  await trx
    .insertInto('pool')
    .values({
      ...values,
      id: stats.poolId,
      name: basename(stats.path),
      labelsJson: '{}',
      state: stats.state,
      createdAt: now,
      version: 1,
    })
    // A pool that was carried to another node: its disks have moved.
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ ...values, state: stats.state }))
    .execute()
  const data = { nodeId, path: stats.path }
  const event = { topic: 'pools', type: 'pool.found', labels: {}, data } as const
  await appendEvent(trx, { ...event, subject: stats.poolId }, clock)
}

async function save(
  trx: Kysely<CatalogTables>,
  { row, stats, clock }: { row: PoolRow; stats: Stats; clock: Clock },
): Promise<void> {
  // Not a change that anybody made: the version, which is the ETag, stays.
  await trx
    .updateTable('pool')
    .set({ statsJson: statsText(stats), path: stats.path, seenAt: clock.wallMs() })
    .where('id', '=', row.id)
    .execute()
  await changeState(trx, { row, state: stats.state, clock })
}

async function changeState(
  trx: Kysely<CatalogTables>,
  { row, state, clock }: { row: PoolRow; state: PoolRow['state']; clock: Clock },
): Promise<void> {
  if (row.state === state) return
  await trx.updateTable('pool').set({ state }).where('id', '=', row.id).execute()
  const labels = JSON.parse(row.labelsJson) as Record<string, string>
  const data = { name: row.name, before: row.state, state }
  const event = { topic: 'pools', type: `pool.${state}`, subject: row.id, labels, data } as const
  await appendEvent(trx, event, clock)
}

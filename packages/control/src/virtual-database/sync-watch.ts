/** How those stand that follow production: asked as often as the standbys are. */
import { isMaasError } from '@openmaas/kernel/errors'
import type { Clock } from '@openmaas/kernel/clock'
import type {
  DatabaseConnection,
  DatabaseStatus,
} from '@openmaas/protocols/channel/database-orders'
import type { OrderGiver } from '@openmaas/protocols/channel/orders'
import type { Catalog } from '../catalog/catalog.ts'
import { connectionOf, loadSourceDatabase } from '../database/source-database.ts'
import type { Db } from '../http/handler-context.ts'
import { mountPathOf } from '../job/kinds/database-media.ts'
import type { VirtualDatabaseRow } from './rows.ts'

/** Production is asked too. */
const TIMEOUT_MS = 20_000

export interface SyncWatchOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly orders: OrderGiver
  readonly openSecret: (secretId: string) => Promise<string>
}

export async function lookAtFollowing(options: SyncWatchOptions, round: number): Promise<void> {
  const rows = await options.catalog.db
    .selectFrom('virtualDatabase')
    .selectAll()
    .where('liveSync', '=', 1)
    .where('state', '=', 'running')
    .where('endedAt', 'is', null)
    .execute()
  await Promise.all(rows.map((row) => lookAt(options, row, round)))
}

async function lookAt(
  options: SyncWatchOptions,
  row: VirtualDatabaseRow,
  round: number,
): Promise<void> {
  const { catalog, clock, orders, openSecret } = options
  // On a host that is away what is known grows old, and says so.
  if (!orders.isConnected(row.hostId)) return
  const key = `sync-watch:${row.id}:${clock.wallMs()}:${round}`
  try {
    const source = await loadSourceDatabase(catalog.db, row.sourceId)
    const connection = await connectionOf(source, openSecret)
    const status = await askSync(orders, row, { connection, key })
    await saveSync(catalog.db, row.id, status, clock.wallMs())
  } catch (error) {
    if (!isMaasError(error) || error.code === 'INTERNAL') throw error
  }
}

export function askSync(
  orders: OrderGiver,
  row: VirtualDatabaseRow,
  of: { readonly connection: DatabaseConnection; readonly key: string },
): Promise<DatabaseStatus> {
  const { id, engine, hostId, mediumId } = row
  const { connection, key } = of
  const params = { engine, id, directory: mountPathOf(mediumId ?? id), connection }
  return orders.order(hostId, 'database.status', params, { key, timeoutMs: TIMEOUT_MS })
}

/** No version of the row: it is no change of anybody's. */
export async function saveSync(
  db: Db,
  id: string,
  status: DatabaseStatus,
  at: number,
): Promise<void> {
  const { lagMs } = status
  const set = { syncJson: JSON.stringify(status), syncAt: at }
  await db
    .updateTable('virtualDatabase')
    // The moment that is seen there.
    .set(lagMs === null ? set : { ...set, dataAt: at - lagMs })
    .where('id', '=', id)
    .where('liveSync', '=', 1)
    .execute()
}

/**
 * A new way to production is tried before it is stored: a typing error would be noticed by the
 * standby that stands still, at night.
 */
import type { DatabaseProtectionChange } from '@openmaas/api/resources/database'
import { MaasError } from '@openmaas/kernel/errors'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import type { OrderGiver } from '@openmaas/protocols/channel/orders'
import type { HandlerContext } from '../http/handler-context.ts'
import { loadSource } from '../sources/list.ts'
import { lookAtProduction, requireFit } from './look.ts'
import { connectionOf, loadSourceDatabase, standbyHostOf } from './source-database.ts'

interface LookingContext extends HandlerContext {
  readonly orders: OrderGiver
  readonly openSecret: (secretId: string) => Promise<string>
}

/**
 * Nothing is asked when the connection stays as it is.
 *
 * @throws MaasError DATABASE_* of what was found there, HOST_OFFLINE, DATABASE_UNFIT
 */
export async function checkChangedConnection(
  { catalog, orders, openSecret }: LookingContext,
  request: {
    readonly params: { readonly sourceId: string }
    readonly requestId: string
    readonly signal: AbortSignal
  },
  change: Pick<DatabaseProtectionChange, 'connection' | 'stagingHostId'>,
): Promise<void> {
  const { params, requestId, signal } = request
  const source = await loadSource(catalog.db, params.sourceId)
  const row = await loadSourceDatabase(catalog.db, source.id)
  const before = await connectionOf(row, openSecret)
  const given = Object.entries(change.connection ?? {}).filter(([, value]) => value !== undefined)
  const connection = { ...before, ...Object.fromEntries(given) } as DatabaseConnection
  if (JSON.stringify(connection) === JSON.stringify(before)) return
  const hostId = change.stagingHostId ?? standbyHostOf(row, source)
  const { kind: engine } = source
  const key = `changed-connection:${requestId}`
  const found = await lookAtProduction(orders, { hostId, engine, connection, key, signal })
  requireFit(found)
  // Of PostgreSQL it stays the same on every standby that takes over; MySQL has one per server.
  if (engine !== 'postgres' || row.identity === '' || found.identity === row.identity) return
  const { host, port } = connection
  const message = `another database answers at ${host}:${port}: its identity is ${found.identity}`
  const details = { host, port, identity: found.identity, expected: row.identity }
  throw new MaasError('DATABASE_UNFIT', message, details)
}

/**
 * How the standbys stand, asked twice a minute: what sources show of them, and what alerts and
 * metrics are made of. It only looks; who puts it right is schedule/database-care.ts.
 */
import type { Clock } from '@openmaas/kernel/clock'
import { isMaasError } from '@openmaas/kernel/errors'
import { Rounds } from '@openmaas/kernel/rounds'
import { type DatabaseStatus, stoppedStatus } from '@openmaas/protocols/channel/database-orders'
import type { OrderGiver } from '@openmaas/protocols/channel/orders'
import type { Catalog } from '../catalog/catalog.ts'
import { mountPathOf } from '../job/kinds/database-media.ts'
import { lookAtMounts } from '../virtual-database/mount-watch.ts'
import { lookAtClones } from '../virtual-database/room.ts'
import { lookAtFollowing } from '../virtual-database/sync-watch.ts'
import { connectionOf, saveStatus, type SourceDatabaseRow } from './source-database.ts'

const WATCH_EVERY_MS = 30_000
/** Production is asked too; one that is slow to answer is asked again in half a minute. */
const TIMEOUT_MS = 20_000

export interface DatabaseWatchOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly orders: OrderGiver
  readonly openSecret: (secretId: string) => Promise<string>
  /** The catalog cannot be reached, or a bug; the watch goes on. */
  readonly onError: (error: unknown) => void
}

type Watched = SourceDatabaseRow & { readonly kind: string; readonly hostId: string }

/** Twice a minute, as long as it is not disposed of. */
export function watchDatabases(options: DatabaseWatchOptions): Rounds {
  const { onError } = options
  return new Rounds({ everyMs: WATCH_EVERY_MS, onError, round: (count) => lookAll(options, count) })
}

async function lookAll(options: DatabaseWatchOptions, round: number): Promise<void> {
  const rows = await options.catalog.db
    .selectFrom('sourceDatabase')
    .innerJoin('source', 'source.id', 'sourceDatabase.sourceId')
    .selectAll('sourceDatabase')
    .select(['source.kind', 'source.hostId'])
    .where('seededAt', 'is not', null)
    .execute()
  await Promise.all([
    ...rows.map((row) => lookAt(options, row, round)),
    lookAtFollowing(options, round),
    lookAtClones(options, round).then(() => lookAtMounts(options, round)),
  ])
}

async function lookAt(options: DatabaseWatchOptions, row: Watched, round: number): Promise<void> {
  const { catalog, clock } = options
  const status = await ask(options, row, round)
  if (status === undefined) return
  const now = clock.wallMs()
  await catalog.transaction((trx) => saveStatus(trx, row.sourceId, status, now))
}

/** @returns undefined when the host is away: what is known grows old, which the row says */
async function ask(
  { orders, clock, openSecret }: DatabaseWatchOptions,
  row: Watched,
  round: number,
): Promise<DatabaseStatus | undefined> {
  const { sourceId: id, kind: engine, mediumId, stagingHostId, hostId } = row
  const host = stagingHostId ?? hostId
  if (mediumId === null || !orders.isConnected(host)) return undefined
  try {
    const connection = await connectionOf(row, openSecret)
    const params = { engine, id, directory: mountPathOf(mediumId), connection }
    const key = `database-watch:${id}:${clock.wallMs()}:${round}`
    return await orders.order(host, 'database.status', params, { key, timeoutMs: TIMEOUT_MS })
  } catch (error) {
    if (!isMaasError(error) || error.code === 'INTERNAL') throw error
    // It answers, and cannot say more: nothing follows there.
    return stoppedStatus(error.message)
  }
}

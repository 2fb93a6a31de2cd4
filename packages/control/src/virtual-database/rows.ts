/** The row of a virtual database, what the API shows of it, and the events of its changes. */
import type { Selectable, Updateable } from 'kysely'
import { z } from 'zod'
import {
  autoRefresh,
  type Bookmark,
  recoveryTarget,
  type SyncStatus,
  type VirtualDatabase,
} from '@openmaas/api/resources/virtual-database'
import { databaseStatus } from '@openmaas/protocols/channel/database-orders'
import type { Clock } from '@openmaas/kernel/clock'
import { appendEvent } from '../catalog/events.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import { failureOf, labelsOf, timeOf, timeOrNull } from '../http/columns.ts'
import type { Db, Trx } from '../http/handler-context.ts'
import { objectNotFound } from '../http/handler.ts'

export type VirtualDatabaseRow = Selectable<CatalogTables['virtualDatabase']>
export type BookmarkRow = Selectable<CatalogTables['bookmark']>

const texts = z.array(z.string())
const textMap = z.record(z.string(), z.string())

/** @throws MaasError OBJECT_NOT_FOUND */
export async function loadVirtualDatabase(db: Db, id: string): Promise<VirtualDatabaseRow> {
  const query = db.selectFrom('virtualDatabase').selectAll().where('id', '=', id)
  const row = await query.executeTakeFirst()
  if (row === undefined) throw objectNotFound('virtual database', id)
  return row
}

/** @throws MaasError OBJECT_NOT_FOUND: also for a bookmark of another one */
export async function loadBookmark(
  db: Db,
  of: { readonly virtualDatabaseId: string; readonly bookmarkId: string },
): Promise<BookmarkRow> {
  const row = await db
    .selectFrom('bookmark')
    .selectAll()
    .where('id', '=', of.bookmarkId)
    .where('virtualDatabaseId', '=', of.virtualDatabaseId)
    .executeTakeFirst()
  if (row === undefined) throw objectNotFound('bookmark', of.bookmarkId)
  return row
}

/** Changes the row, counts its version up, and tells about a new state. */
export async function changeVirtualDatabase(
  trx: Trx,
  id: string,
  changes: Updateable<CatalogTables['virtualDatabase']>,
  clock: Clock,
): Promise<void> {
  await trx
    .updateTable('virtualDatabase')
    .set((e) => ({ ...changes, version: e('version', '+', 1) }))
    .where('id', '=', id)
    .execute()
  if (changes.state === undefined) return
  const row = await loadVirtualDatabase(trx, id)
  const { sourceId, hostId, name, state, port, createdBy, labelsJson } = row
  const labels = labelsOf(labelsJson)
  // Who made it sees it, also those who see only their own.
  const data = { sourceId, hostId, name, state, port, createdBy }
  const type = `virtual-database.${state}`
  await appendEvent(trx, { topic: 'virtual-databases', type, subject: id, labels, data }, clock)
}

/**
 * What was written to it is nowhere else: it stands in production's place, or on a local directory
 * for good. Nothing that goes by itself, a lifetime or a refresh, may end that.
 */
export const isForGood = ({ mode, directory }: Pick<VirtualDatabaseRow, 'mode' | 'directory'>) =>
  mode === 'production' || directory !== null

export const listenOf = (row: VirtualDatabaseRow): string[] =>
  texts.parse(JSON.parse(row.listenJson))
export const settingsOf = (row: VirtualDatabaseRow): Record<string, string> =>
  textMap.parse(JSON.parse(row.settingsJson))
export const targetOf = (row: VirtualDatabaseRow) =>
  recoveryTarget.parse(JSON.parse(row.targetJson))
export const autoRefreshOf = (row: VirtualDatabaseRow) =>
  row.autoRefreshJson === null ? null : autoRefresh.parse(JSON.parse(row.autoRefreshJson))

/** A row of another version, or that nobody has looked at yet, says nothing. */
export function syncOf(row: VirtualDatabaseRow): SyncStatus | null {
  if (row.liveSync !== 1) return null
  const asOf = timeOrNull(row.syncAt)
  const nothing = { state: 'unknown', lagMs: null, lagBytes: null, reason: '', asOf } as const
  const seen =
    row.syncJson === null ? null : databaseStatus.safeParse(JSON.parse(row.syncJson)).data
  if (row.syncPaused === 1) return { ...nothing, state: 'paused', lagMs: seen?.lagMs ?? null }
  if (seen === null || seen === undefined) return nothing
  const { lagMs, lagBytes, reason } = seen
  const state = seen.state === 'seeding' ? 'stopped' : seen.state
  return { state, lagMs, lagBytes, reason, asOf }
}

/** Whose accounts log in. */
export const accountsOf = (row: VirtualDatabaseRow): VirtualDatabase['accounts'] =>
  row.mode === 'production' || (row.liveSync === 1 && row.engine === 'postgres')
    ? 'production'
    : 'own'

export function showVirtualDatabase(row: VirtualDatabaseRow): VirtualDatabase {
  const { id, name, engine, engineVersion, sourceId, parentId, pointId, bookmarkId } = row
  const { hostId, poolId, mediumId, state, position, address, port, quotaBytes } = row
  const { writtenBytes, directory, mode, purpose, createdBy, version } = row
  return {
    id,
    name,
    engine,
    engineVersion,
    sourceId,
    parentId,
    pointId,
    bookmarkId,
    hostId,
    poolId,
    mediumId,
    state,
    position,
    address,
    port,
    quotaBytes,
    writtenBytes,
    directory,
    mode,
    purpose,
    createdBy,
    version,
    target: targetOf(row),
    user: row.userName,
    databases: texts.parse(JSON.parse(row.databasesJson)),
    listen: listenOf(row),
    settings: settingsOf(row),
    autoRefresh: autoRefreshOf(row),
    liveSync: row.liveSync === 1,
    sync: syncOf(row),
    accounts: accountsOf(row),
    kept: row.kept === 1,
    // No profile of masking exists yet.
    masked: false,
    labels: labelsOf(row.labelsJson),
    dataAt: timeOrNull(row.dataAt),
    leaseUntil: timeOrNull(row.leaseUntil),
    nextRefreshAt: timeOrNull(row.nextRefreshAt),
    lastRefreshAt: timeOrNull(row.lastRefreshAt),
    createdAt: timeOf(row.createdAt),
    readyAt: timeOrNull(row.readyAt),
    endedAt: timeOrNull(row.endedAt),
    problem: failureOf(row.problemJson),
  }
}

export function showBookmark(row: BookmarkRow): Bookmark {
  const { id, virtualDatabaseId, name, state, sizeBytes, addedBytes, createdBy } = row
  return {
    id,
    virtualDatabaseId,
    name,
    state,
    sizeBytes,
    addedBytes,
    createdBy,
    takenAt: timeOrNull(row.takenAt),
    createdAt: timeOf(row.createdAt),
    problem: failureOf(row.problemJson),
  }
}

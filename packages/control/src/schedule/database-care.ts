/**
 * What control does by itself about databases: virtual databases whose lifetime is over go, those
 * that refresh by themselves do, and after a boot, a crash or a return of a host everything that
 * was running runs again.
 */
import type { Kysely } from 'kysely'
import type { CatalogTables } from '../catalog/schema.ts'
import { nextVolumeBytes } from '../database/room.ts'
import { standbyHostOf, statusOf } from '../database/source-database.ts'
import type { Trx } from '../job/definition.ts'
import { followDatabaseRequest } from '../job/kinds/follow-database.ts'
import { growVolumeRequest } from '../job/kinds/grow-volume.ts'
import { virtualDatabaseRequest } from '../job/kinds/virtual-database-params.ts'
import type { JobRequest } from '../job/queue.ts'
import { isWithdrawn, NOT_OFFERED_CODE } from '../virtual-database/offer.ts'
import { fullProblem } from '../virtual-database/room.ts'
import {
  autoRefreshOf,
  isForGood,
  syncOf,
  type VirtualDatabaseRow,
} from '../virtual-database/rows.ts'
import { nextRefresh } from '../virtual-database/schedule.ts'

type Db = Kysely<CatalogTables>

/** Of one look; what is left comes with the next. */
const DUE_MAX = 100

/** Those whose lifetime is over; each once, since the row says `dropping` from then on. */
export function listExpired(db: Db, now: number): Promise<VirtualDatabaseRow[]> {
  return (
    db
      .selectFrom('virtualDatabase')
      .selectAll()
      .where('leaseUntil', '<=', now)
      .where('endedAt', 'is', null)
      .where('kept', '=', 0)
      // Only a person ends what is for good (isForGood), whatever its row says.
      .where('mode', '!=', 'production')
      .where('directory', 'is', null)
      .where('state', 'in', ['running', 'stopped', 'lost', 'failed'])
      .orderBy('leaseUntil')
      .limit(DUE_MAX)
      .execute()
  )
}

export function dropRequest(row: VirtualDatabaseRow): JobRequest {
  // Were it promoted by then, its directory stays.
  const params = { force: true, keepData: true }
  return virtualDatabaseRequest('drop-virtual-database', row, { actor: 'system', params })
}

export function listRefreshing(db: Db, now: number): Promise<VirtualDatabaseRow[]> {
  return db
    .selectFrom('virtualDatabase')
    .selectAll()
    .where('nextRefreshAt', '<=', now)
    .where('endedAt', 'is', null)
    .orderBy('nextRefreshAt')
    .limit(DUE_MAX)
    .execute()
}

/** In one transaction: the next time is set, whether it can be done this time or not. */
export async function beginRefresh(
  trx: Trx,
  row: VirtualDatabaseRow,
  now: number,
): Promise<JobRequest | null> {
  if (isForGood(row)) {
    const never = { autoRefreshJson: null, nextRefreshAt: null }
    await trx.updateTable('virtualDatabase').set(never).where('id', '=', row.id).execute()
    return null
  }
  const nextRefreshAt = nextRefresh(autoRefreshOf(row), now)
  if (await isWithdrawn(trx, row)) {
    // Asked again each time: it goes on once its source is offered again.
    await noteWithdrawn(trx, row, nextRefreshAt)
    return null
  }
  const isReady = row.state === 'running' || row.state === 'stopped'
  await trx
    .updateTable('virtualDatabase')
    .set({ nextRefreshAt, ...(isReady && { state: 'refreshing' }) })
    .where('id', '=', row.id)
    .execute()
  if (!isReady) return null
  const params = {
    of: { moment: { kind: 'newest' } },
    target: { kind: 'point' },
    bookmarkId: null,
    wasRunning: row.state === 'running',
  }
  return virtualDatabaseRequest('refresh-virtual-database', row, { actor: 'system', params })
}

/** What is told of it already, such as that it is full, is told on. */
async function noteWithdrawn(
  trx: Trx,
  row: VirtualDatabaseRow,
  nextRefreshAt: number | null,
): Promise<void> {
  const message =
    'it is not refreshed by itself any more: its source is not offered for self-service now'
  const problem = { code: NOT_OFFERED_CODE, message, details: { sourceId: row.sourceId } }
  const isFree = row.problemJson === null
  await trx
    .updateTable('virtualDatabase')
    .set({ nextRefreshAt, ...(isFree && { problemJson: JSON.stringify(problem) }) })
    .where('id', '=', row.id)
    .execute()
}

/**
 * Whatever should run. A standby that follows and an instance that runs are found so, and nothing
 * changes.
 *
 * @param hostIds null: on every host
 * @param all also what was well when it was last seen: its host may have booted
 */
export async function listCare(
  db: Db,
  hostIds: readonly string[] | null,
  all: boolean,
): Promise<JobRequest[]> {
  const sources = await db
    .selectFrom('sourceDatabase')
    .innerJoin('source', 'source.id', 'sourceDatabase.sourceId')
    .selectAll('sourceDatabase')
    .select(['source.kind', 'source.hostId', 'source.labelsJson'])
    .where('sourceDatabase.seededAt', 'is not', null)
    .execute()
  const follow = sources.flatMap((row) => {
    const { sourceId: id, kind, labelsJson, mediumId } = row
    const hostId = row.stagingHostId ?? row.hostId
    const isWell = statusOf(row)?.state === 'following'
    if (mediumId === null || (isWell && !all) || !isAmong(hostIds, hostId)) return []
    return [followDatabaseRequest({ id, kind, hostId, mediumId, labelsJson })]
  })
  const instances = await db
    .selectFrom('virtualDatabase')
    .selectAll()
    .where('state', 'in', ['running', 'lost'])
    .where('endedAt', 'is', null)
    .execute()
  const start = instances
    .filter((row) => isAmong(hostIds, row.hostId) && (all || isAmiss(row)))
    .map((row) =>
      virtualDatabaseRequest('start-virtual-database', row, {
        actor: 'system',
        params: { again: true },
      }),
    )
  const widen = instances
    .filter((row) => isAmong(hostIds, row.hostId) && fullProblem(row)?.over === true)
    .map((row) => {
      const wanted = { actor: 'system', params: { quotaBytes: row.quotaBytes } }
      return virtualDatabaseRequest('widen-virtual-database', row, wanted)
    })
  return [...follow, ...start, ...widen]
}

/** Volumes that are nearly full, and may grow; what was told before they last did is no news. */
export async function listGrowth(db: Db): Promise<JobRequest[]> {
  const rows = await db
    .selectFrom('sourceDatabase')
    .innerJoin('source', 'source.id', 'sourceDatabase.sourceId')
    .selectAll('sourceDatabase')
    .select(['source.kind', 'source.hostId', 'source.labelsJson'])
    .where('sourceDatabase.seededAt', 'is not', null)
    .where((e) =>
      e.not(
        e.exists(
          e
            .selectFrom('job')
            .select('job.id')
            .where('job.kind', '=', 'grow-volume')
            .whereRef('job.sourceId', '=', 'sourceDatabase.sourceId')
            .where((of) =>
              of.or([
                of('job.endedAt', 'is', null),
                of('job.endedAt', '>=', of.ref('sourceDatabase.statusAt')),
              ]),
            ),
        ),
      ),
    )
    .execute()
  return rows.flatMap((row) => {
    const { sourceId: id, kind, labelsJson, mediumId } = row
    const room = statusOf(row)?.volume
    const sizeBytes = room === undefined ? null : nextVolumeBytes(row, room)
    if (mediumId === null || sizeBytes === null) return []
    const hostId = standbyHostOf(row, row)
    const wish = { mediumId, hostId, sizeBytes, automatic: true, actor: 'system' }
    return [growVolumeRequest({ id, kind, labelsJson }, wish)]
  })
}

/** It should run, or follow, and does not. */
const isAmiss = (row: VirtualDatabaseRow): boolean =>
  row.state === 'lost' || syncOf(row)?.state === 'stopped'

const isAmong = (hostIds: readonly string[] | null, hostId: string): boolean =>
  hostIds === null || hostIds.includes(hostId)

/**
 * What control does by itself: media whose lease is over, points whose lock is over, collecting,
 * copies of the catalog, reconciliation, and old rows. When it was last done stands in `meta`, so
 * a restart neither repeats nor forgets it.
 */
import type { Kysely } from 'kysely'
import type { Catalog } from '../catalog/catalog.ts'
import { pruneEvents } from '../catalog/events.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import { catalogBackupRequest } from '../job/kinds/catalog-backup.ts'
import { ejectRequest } from '../job/kinds/medium-requests.ts'
import { expireRequest } from '../job/kinds/expire.ts'
import { collectRequest } from '../job/kinds/pool-care.ts'
import { reconcilePointsRequest } from '../job/kinds/reconcile-points.ts'
import { ACTIVE_MEDIA } from '../job/kinds/retention-rows.ts'
import { reconcileMediaRequest } from '../job/kinds/reconcile-media.ts'
import {
  beginRefresh,
  dropRequest,
  listCare,
  listExpired,
  listGrowth,
  listRefreshing,
} from './database-care.ts'
import { changeVirtualDatabase } from '../virtual-database/rows.ts'
import type { Trx } from '../job/definition.ts'
import type { JobRequest } from '../job/queue.ts'
import { ON_DEMAND_KEPT_MS } from '../policy/retention.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../policy/zone.ts'

type Db = Kysely<CatalogTables>

const COLLECT_EVERY_MS = DAY_MS
const BACKUP_EVERY_MS = 6 * HOUR_MS
const RECONCILE_EVERY_MS = 10 * MINUTE_MS
/** When a process begins to lead, since the last one may have died in the middle of something. */
const RECONCILE_FIRST_MS = MINUTE_MS
/** Standbys that stopped and instances that are lost are tried again. */
const CARE_EVERY_MS = 2 * MINUTE_MS
/** Of what standbys told last, which is as old as half a minute. */
const GROW_EVERY_MS = MINUTE_MS / 2
/** After a jump of the clock nobody's medium is taken away: somebody may set it right again. */
const JUMP_GRACE_MS = 15 * MINUTE_MS
const SWEEP_EVERY_MS = HOUR_MS
/** Also how long a client may be away and go on where it was. */
const EVENTS_KEPT_MS = 14 * DAY_MS
/** Ended jobs with their logs; a promise of a minute makes 500,000 a year per source. */
const JOBS_KEPT_MS = 30 * DAY_MS
/** Of one statement, so that nobody waits for it. */
const PRUNE_MAX = 500
const EJECT_MAX = 100
/** An eject that fails is not begun anew at once. */
const EJECT_AGAIN_MS = 10 * MINUTE_MS
const SWEEP_MAX = 1000

export interface HousekeepingOptions {
  readonly catalog: Catalog
  enqueue(trx: Trx, request: JobRequest): Promise<string>
  /** The pool that copies of the catalog go to; null while there is none. */
  backupPool(): Promise<{ readonly id: string; readonly nodeId: string } | null>
}

export class Housekeeping {
  readonly #options: HousekeepingOptions
  /** Medium or virtual database → when its end was last begun, monotonic. */
  readonly #ejected = new Map<string, number>()
  #isFirst = true
  #jumpedMs = -Infinity

  constructor(options: HousekeepingOptions) {
    this.#options = options
  }

  /** This process begins to lead. */
  begin(): void {
    this.#isFirst = true
  }

  /** The wall clock was set, or the machine slept. */
  noteJump(): void {
    this.#jumpedMs = this.#options.catalog.clock.monotonicMs()
  }

  /** @param guard throws when somebody else leads by now; called within each transaction */
  async tick(guard: (trx: Trx) => Promise<void>): Promise<void> {
    const { catalog } = this.#options
    const now = catalog.clock.wallMs()
    for (const request of await this.#ejections(now)) await this.#enqueue(guard, request)
    await this.#careForDatabases(guard, now)
    const reconcileMs = this.#isFirst ? RECONCILE_FIRST_MS : RECONCILE_EVERY_MS
    await this.#every('reconcile', reconcileMs, guard, () =>
      Promise.resolve([reconcileMediaRequest('system')]),
    )
    const isFirst = this.#isFirst
    const careMs = isFirst ? RECONCILE_FIRST_MS : CARE_EVERY_MS
    await this.#every('databases', careMs, guard, () => listCare(catalog.db, null, isFirst))
    await this.#every('volumes', GROW_EVERY_MS, guard, () => listGrowth(catalog.db))
    this.#isFirst = false
    // Unknown snapshots become points before anything is collected, and have their chance.
    await this.#every('points', COLLECT_EVERY_MS, guard, async () => {
      const pools = await listPools(catalog.db)
      return pools.map((pool) => reconcilePointsRequest(pool, 'system'))
    })
    await this.#every('collect', COLLECT_EVERY_MS, guard, async () => {
      const pools = await listPools(catalog.db)
      return pools.map((pool) => collectRequest(pool, 'system'))
    })
    // A copy without a single point rebuilds nothing: one more follows the first capture.
    await this.#every('catalog-backup-first', Infinity, guard, async () => {
      const point = await catalog.db.selectFrom('point').select('id').limit(1).executeTakeFirst()
      return point === undefined ? [] : this.#backups()
    })
    await this.#every('catalog-backup', BACKUP_EVERY_MS, guard, () => this.#backups())
    await this.#every('sweep', SWEEP_EVERY_MS, guard, (since) => listSweeps(catalog.db, since, now))
    await this.#prune(guard, now)
  }

  /** Lifetimes that are over, and refreshes that are due. */
  async #careForDatabases(guard: (trx: Trx) => Promise<void>, now: number): Promise<void> {
    const { catalog } = this.#options
    const nowMs = catalog.clock.monotonicMs()
    const isCalm = nowMs - this.#jumpedMs >= JUMP_GRACE_MS
    for (const row of isCalm ? await listExpired(catalog.db, now) : []) {
      // One that could not go is left alone for a while.
      if (this.#ejected.has(row.id)) continue
      this.#ejected.set(row.id, nowMs)
      await catalog.transaction(async (trx) => {
        await guard(trx)
        await changeVirtualDatabase(trx, row.id, { state: 'dropping' }, catalog.clock)
        await this.#options.enqueue(trx, dropRequest(row))
      })
    }
    for (const row of await listRefreshing(catalog.db, now)) {
      await catalog.transaction(async (trx) => {
        await guard(trx)
        const request = await beginRefresh(trx, row, now)
        if (request !== null) await this.#options.enqueue(trx, request)
      })
    }
  }

  /** Hosts that came back: what ran there shall run. In the caller's transaction. */
  async wake(trx: Trx, hostIds: readonly string[]): Promise<void> {
    for (const request of await listCare(trx, hostIds, true)) {
      await this.#options.enqueue(trx, request)
    }
  }

  async #backups(): Promise<JobRequest[]> {
    const pool = await this.#options.backupPool()
    return pool === null ? [] : [catalogBackupRequest(pool, 'system')]
  }

  /** Media whose lease is over. */
  async #ejections(now: number): Promise<JobRequest[]> {
    const nowMs = this.#options.catalog.clock.monotonicMs()
    if (nowMs - this.#jumpedMs < JUMP_GRACE_MS) return []
    const rows = await this.#options.catalog.db
      .selectFrom('medium')
      .selectAll()
      .where('state', 'in', ['plugged', 'lost'])
      .where('leaseUntil', '<=', now)
      .orderBy('leaseUntil')
      .limit(EJECT_MAX)
      .execute()
    for (const [id, at] of this.#ejected) if (nowMs - at >= EJECT_AGAIN_MS) this.#ejected.delete(id)
    const due = rows.filter((row) => !this.#ejected.has(row.id))
    for (const row of due) this.#ejected.set(row.id, nowMs)
    return due.map((row) => ejectRequest(row, { actor: 'system', force: true }))
  }

  async #enqueue(guard: (trx: Trx) => Promise<void>, request: JobRequest): Promise<void> {
    await this.#options.catalog.transaction(async (trx) => {
      await guard(trx)
      await this.#options.enqueue(trx, request)
    })
  }

  /** @param everyMs Infinity: once, when there is something to do it with */
  async #every(
    name: string,
    everyMs: number,
    guard: (trx: Trx) => Promise<void>,
    list: (since: number) => Promise<JobRequest[]>,
  ): Promise<void> {
    const { catalog } = this.#options
    const key = `housekeeping.${name}`
    const now = catalog.clock.wallMs()
    const row = await catalog.db
      .selectFrom('meta')
      .select('value')
      .where('key', '=', key)
      .executeTakeFirst()
    const since = Number(row?.value ?? 0)
    // Done in the future: the clock was set back since.
    if (row !== undefined && since <= now && now - since < everyMs) return
    const requests = await list(since <= now ? since : 0)
    // Nothing to do it with yet: the first pool shall not wait for its first copy.
    if (requests.length === 0 && name !== 'sweep') return
    await catalog.transaction(async (trx) => {
      await guard(trx)
      for (const request of requests) await this.#options.enqueue(trx, request)
      const value = String(now)
      await trx
        .insertInto('meta')
        .values({ key, value })
        .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
        .execute()
    })
  }

  async #prune(guard: (trx: Trx) => Promise<void>, now: number): Promise<void> {
    const { catalog } = this.#options
    const old = await catalog.db
      .selectFrom('job')
      .select('id')
      .where('endedAt', '<', now - JOBS_KEPT_MS)
      .orderBy('endedAt')
      .limit(PRUNE_MAX)
      .execute()
    const oldEvent = await catalog.db
      .selectFrom('event')
      .select('seq')
      .where('at', '<', now - EVENTS_KEPT_MS - HOUR_MS)
      .limit(1)
      .executeTakeFirst()
    if (old.length === 0 && oldEvent === undefined) return
    await catalog.transaction(async (trx) => {
      await guard(trx)
      const ids = old.map((row) => row.id)
      if (ids.length > 0) await trx.deleteFrom('job').where('id', 'in', ids).execute()
      if (oldEvent !== undefined) await pruneEvents(trx, EVENTS_KEPT_MS, catalog.clock)
    })
  }
}

function listPools(db: Db) {
  return db
    .selectFrom('pool')
    .select(['id', 'nodeId', 'labelsJson'])
    .where('state', '!=', 'offline')
    .execute()
}

/** Sources with points whose lock has ended since, that go by time alone, or that half went. */
async function listSweeps(db: Db, since: number, now: number): Promise<JobRequest[]> {
  const unlocked = await db
    .selectFrom('point')
    .select(['sourceId', 'poolId'])
    .distinct()
    .where('lockUntil', '>', since)
    .where('lockUntil', '<=', now)
    .where('state', '=', 'available')
    .limit(SWEEP_MAX)
    .execute()
  const onDemand = await db
    .selectFrom('point')
    .select(['sourceId', 'poolId'])
    .distinct()
    .where('onDemand', '=', 1)
    .where('state', '=', 'available')
    .where('takenAt', '<=', now - ON_DEMAND_KEPT_MS)
    .where((e) =>
      e.not(
        e.exists(
          e
            .selectFrom('medium')
            .select('medium.id')
            .whereRef('medium.pointId', '=', 'point.id')
            .where('medium.state', 'in', ACTIVE_MEDIA),
        ),
      ),
    )
    .limit(SWEEP_MAX)
    .execute()
  const halfDone = await db
    .selectFrom('point')
    .select(['sourceId', 'poolId'])
    .distinct()
    .where('state', '=', 'deleting')
    .limit(SWEEP_MAX)
    .execute()
  return [...unlocked, ...onDemand, ...halfDone].map(({ sourceId, poolId }) =>
    expireRequest({ sourceId, poolId, labels: {}, actor: 'system' }),
  )
}

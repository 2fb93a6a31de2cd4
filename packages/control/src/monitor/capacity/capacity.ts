/** Space used by each pool over time, once an hour, and the forecast made of it. */
import type { Kysely } from 'kysely'
import { poolStats } from '@openmaas/api/resources/pool'
import type { Catalog } from '../../catalog/catalog.ts'
import type { CatalogTables } from '../../catalog/schema.ts'
import { DAY_MS, HOUR_MS } from '../../policy/zone.ts'
import { FORECAST_DAYS_MAX, forecastPool } from './forecast.ts'
import type { CapacitySample, PoolForecast } from './forecast.ts'

type Db = Kysely<CatalogTables>

/** Subject: a pool; value: bytes in use of the file systems below it. */
const NAME = 'pool.used'
/** Every hour of that long; one a day from then on. */
const HOURLY_KEPT_MS = 14 * DAY_MS
const DAILY_KEPT_MS = 800 * DAY_MS

interface PoolSpace {
  readonly id: string
  readonly usedBytes: number
  readonly sizeBytes: number
}

/** Pools whose node has reported. */
async function listSpaces(db: Db): Promise<PoolSpace[]> {
  const rows = await db.selectFrom('pool').select(['id', 'statsJson']).orderBy('id').execute()
  return rows.flatMap(({ id, statsJson }) => {
    const stats = poolStats.safeParse(JSON.parse(statsJson))
    if (!stats.success) return []
    const { sizeBytes, freeBytes } = stats.data
    return [{ id, sizeBytes, usedBytes: Math.max(0, sizeBytes - freeBytes) }]
  })
}

/** Of this hour, unless it has one: call it as often as you like. */
export async function collectSamples(catalog: Catalog, now: number): Promise<void> {
  const at = Math.floor(now / HOUR_MS) * HOUR_MS
  const spaces = await listSpaces(catalog.db)
  if (spaces.length === 0) return
  const known = await catalog.db
    .selectFrom('sample')
    .select('subject')
    .where('name', '=', NAME)
    .where('at', '=', at)
    .execute()
  const done = new Set(known.map(({ subject }) => subject))
  const missing = spaces.filter(({ id }) => !done.has(id))
  if (missing.length === 0) return
  const values = missing.map(({ id, usedBytes }) => {
    return { name: NAME, subject: id, at, value: usedBytes }
  })
  await catalog.transaction(async (trx) => {
    await trx
      .insertInto('sample')
      .values(values)
      .onConflict((conflict) => conflict.columns(['name', 'subject', 'at']).doNothing())
      .execute()
    for (const { id } of missing) await thin(trx, id, now)
  })
}

/** Leaves the first of each day. */
async function thin(trx: Db, poolId: string, now: number): Promise<void> {
  const rows = await trx
    .selectFrom('sample')
    .select('at')
    .where('name', '=', NAME)
    .where('subject', '=', poolId)
    .where('at', '<', now - HOURLY_KEPT_MS)
    .orderBy('at')
    .execute()
  const seen = new Set<number>()
  const gone = rows.flatMap(({ at }) => {
    const day = Math.floor(at / DAY_MS)
    const isFirst = !seen.has(day)
    seen.add(day)
    return isFirst && at >= now - DAILY_KEPT_MS ? [] : [at]
  })
  for (let i = 0; i < gone.length; i += THIN_BATCH) {
    await trx
      .deleteFrom('sample')
      .where('name', '=', NAME)
      .where('subject', '=', poolId)
      .where('at', 'in', gone.slice(i, i + THIN_BATCH))
      .execute()
  }
}
const THIN_BATCH = 500

export interface PoolOutlook extends PoolForecast, Omit<PoolSpace, 'id'> {}

export async function loadForecasts(db: Db, now: number): Promise<Map<string, PoolOutlook>> {
  const spaces = await listSpaces(db)
  const rows = await db
    .selectFrom('sample')
    .select(['subject', 'at', 'value'])
    .where('name', '=', NAME)
    .where('at', '>', now - FORECAST_DAYS_MAX * DAY_MS)
    .orderBy('at')
    .execute()
  const samples = new Map<string, CapacitySample[]>(spaces.map(({ id }) => [id, []]))
  for (const { subject, at, value } of rows) {
    samples.get(subject)?.push({ at, usedBytes: value })
  }
  return new Map(
    spaces.map(({ id, ...space }) => {
      return [id, { ...space, ...forecastPool(samples.get(id) ?? [], space) }]
    }),
  )
}

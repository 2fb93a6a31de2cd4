/**
 * Sums over points, kept by triggers, whoever writes: counting a million rows takes half a second
 * on PostgreSQL, and the dashboard asks each time.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import type { CatalogDialect, Migration } from './migration.ts'

const DAY_MS = 86_400_000

const ADD_TOTAL = `insert into point_total
    (source_id, pool_id, state, point_count, size_bytes, added_bytes)
  values (new.source_id, new.pool_id, new.state, 1, new.size_bytes, new.added_bytes)
  on conflict (source_id, pool_id, state) do update set
    point_count = point_total.point_count + 1,
    size_bytes = point_total.size_bytes + excluded.size_bytes,
    added_bytes = point_total.added_bytes + excluded.added_bytes;`
const TAKE_TOTAL = `update point_total set
    point_count = point_count - 1,
    size_bytes = size_bytes - old.size_bytes,
    added_bytes = added_bytes - old.added_bytes
  where source_id = old.source_id and pool_id = old.pool_id and state = old.state;`
const ADD_DAY = `insert into point_day (day, pool_id, point_count, added_bytes)
  values (new.taken_at / ${DAY_MS}, new.pool_id, 1, new.added_bytes)
  on conflict (day, pool_id) do update set
    point_count = point_day.point_count + 1,
    added_bytes = point_day.added_bytes + excluded.added_bytes;`

const COUNTED = 'source_id, pool_id, state, size_bytes, added_bytes'
const TRIGGERS: readonly (readonly [string, string, string])[] = [
  ['point_inserted', 'insert', `${ADD_TOTAL} ${ADD_DAY}`],
  ['point_updated', `update of ${COUNTED}`, `${TAKE_TOTAL} ${ADD_TOTAL}`],
  ['point_deleted', 'delete', TAKE_TOTAL],
]

async function addTrigger(
  db: Kysely<unknown>,
  dialect: CatalogDialect,
  [name, moment, body]: readonly [string, string, string],
): Promise<void> {
  const after = `create trigger ${name} after ${moment} on point for each row`
  if (dialect === 'sqlite') {
    await sql.raw(`${after} begin ${body} end`).execute(db)
    return
  }
  const code = `begin ${body} return null; end`
  const head = `create function ${name}() returns trigger language plpgsql as`
  await sql.raw(`${head} $trigger$ ${code} $trigger$`).execute(db)
  await sql.raw(`${after} execute function ${name}()`).execute(db)
}

export const migration0002: Migration = {
  version: 2,
  name: 'point totals',
  apply: async (db, dialect) => {
    const integer = dialect === 'postgres' ? 'bigint' : 'integer'
    const counts = (names: readonly string[]): string =>
      names.map((name) => `${name} ${integer} not null`).join(', ')
    await sql
      .raw(
        `create table point_total (source_id text not null, pool_id text not null,
          state text not null, ${counts(['point_count', 'size_bytes', 'added_bytes'])},
          primary key (source_id, pool_id, state))`,
      )
      .execute(db)
    await sql
      .raw(
        `create table point_day (${counts(['day'])}, pool_id text not null,
          ${counts(['point_count', 'added_bytes'])}, primary key (day, pool_id))`,
      )
      .execute(db)
    await sql`insert into point_total select source_id, pool_id, state, count(*),
      sum(size_bytes), sum(added_bytes) from point group by 1, 2, 3`.execute(db)
    await sql`insert into point_day select taken_at / ${sql.lit(DAY_MS)}, pool_id, count(*),
      sum(added_bytes) from point group by 1, 2`.execute(db)
    for (const trigger of TRIGGERS) await addTrigger(db, dialect, trigger)
  },
}

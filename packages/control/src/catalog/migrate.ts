/**
 * Brings a catalog to the schema of this version: forward only, each step in a transaction with
 * the number it leads to (`meta`, key `schema.version`). Whoever starts second waits.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { MaasError } from '@openmaas/kernel/errors'
import { migration0001 } from './migrations/0001-tables.ts'
import { migration0002 } from './migrations/0002-point-totals.ts'
import { migration0003 } from './migrations/0003-point-ends.ts'
import { migration0004 } from './migrations/0004-databases.ts'
import { migration0005 } from './migrations/0005-room.ts'
import { migration0006 } from './migrations/0006-virtual-databases.ts'
import { migration0007 } from './migrations/0007-groups.ts'
import { migration0008 } from './migrations/0008-evidence.ts'
import { migration0009 } from './migrations/0009-silences.ts'
import type { CatalogDialect, Migration } from './migrations/migration.ts'
import type { CatalogTables } from './schema.ts'

const MIGRATIONS: readonly Migration[] = [
  migration0001,
  migration0002,
  migration0003,
  migration0004,
  migration0005,
  migration0006,
  migration0007,
  migration0008,
  migration0009,
]
export const SCHEMA_VERSION = MIGRATIONS.length
/** In `meta`; every catalog has its own. */
export const VERSION_KEY = 'schema.version'

type InTransaction = <T>(body: (db: Kysely<CatalogTables>) => Promise<T>) => Promise<T>

async function loadVersion(db: Kysely<CatalogTables>): Promise<number> {
  const row = await db
    .selectFrom('meta')
    .select('value')
    .where('key', '=', VERSION_KEY)
    .executeTakeFirst()
  return row === undefined ? 0 : Number(row.value)
}

async function saveVersion(db: Kysely<CatalogTables>, version: number): Promise<void> {
  const value = String(version)
  await db
    .insertInto('meta')
    .values({ key: VERSION_KEY, value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
    .execute()
}

/**
 * @param inTransaction one writer at a time, on either dialect
 * @throws MaasError CATALOG_NEWER: a later version of the program wrote it; nothing is changed
 */
export async function migrate(
  inTransaction: InTransaction,
  dialect: CatalogDialect,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<void> {
  await inTransaction(async (db) => {
    await sql`create table if not exists meta (${sql.ref('key')} text not null primary key,
      value text not null)`.execute(db)
  })
  for (;;) {
    const done = await inTransaction(async (db) => {
      const version = await loadVersion(db)
      if (version > migrations.length) {
        const message = 'the catalog was written by a newer version of OpenMaaS'
        throw new MaasError('CATALOG_NEWER', message, { version, known: migrations.length })
      }
      const next = migrations[version]
      if (next === undefined) return true
      // The schema builder speaks of tables that the type does not know yet.
      await next.apply(db as unknown as Kysely<unknown>, dialect)
      await saveVersion(db, next.version)
      return false
    })
    if (done) return
  }
}

/**
 * How large the volume of a database may become by itself, and which points were taken for a
 * virtual database only.
 */
import { sql } from 'kysely'
import type { Migration } from './migration.ts'

/** Of volumes that are there already: what a new one gets (job/kinds/prepare-database.ts). */
const VOLUME_GROWTH = 4

export const migration0005: Migration = {
  version: 5,
  name: 'room',
  apply: async (db, dialect) => {
    const integer = dialect === 'postgres' ? 'bigint' : 'integer'
    await db.schema.alterTable('sourceDatabase').addColumn('volumeMaxBytes', integer).execute()
    await sql`update source_database set volume_max_bytes = ${sql.lit(VOLUME_GROWTH)} * volume_bytes
      where volume_bytes is not null`.execute(db)
    await db.schema
      .alterTable('point')
      .addColumn('onDemand', integer, (column) => column.notNull().defaultTo(0))
      .execute()
  },
}

/** What a verification of a point has found, and what is asked of the points of a database. */
import type { Migration } from './migration.ts'

export const migration0008: Migration = {
  version: 8,
  name: 'evidence',
  apply: async (db) => {
    await db.schema.alterTable('point').addColumn('verificationJson', 'text').execute()
    await db.schema
      .alterTable('sourceDatabase')
      .addColumn('assertionsJson', 'text', (column) => column.notNull().defaultTo('[]'))
      .execute()
  },
}

/** Virtual databases that follow production, and those that stand in its place. */
import type { Migration } from './migration.ts'

export const migration0006: Migration = {
  version: 6,
  name: 'life of virtual databases',
  apply: async (db, dialect) => {
    const integer = dialect === 'postgres' ? 'bigint' : 'integer'
    const alter = () => db.schema.alterTable('virtualDatabase')
    await alter()
      .addColumn('mode', 'text', (column) => column.notNull().defaultTo('copy'))
      .execute()
    await alter()
      .addColumn('syncPaused', integer, (column) => column.notNull().defaultTo(0))
      .execute()
    await alter().addColumn('syncJson', 'text').execute()
    await alter().addColumn('syncAt', integer).execute()
  },
}

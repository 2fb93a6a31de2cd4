/** Alerts about which nothing is sent for a while. */
import type { CatalogTables } from '../schema.ts'
import { createTable } from './0001-tables.ts'
import type { Kind } from './0001-tables.ts'
import type { Migration } from './migration.ts'

type Columns = {
  readonly alertSilence: {
    readonly [C in keyof CatalogTables['alertSilence']]: Kind<CatalogTables['alertSilence'][C]>
  }
}

export const COLUMNS_0009: Columns = {
  alertSilence: {
    key: 'text',
    until: 'integer',
    reason: 'text',
    createdBy: 'text',
    createdAt: 'integer',
  },
}

export const migration0009: Migration = {
  version: 9,
  name: 'silences',
  apply: (db, dialect) => createTable(db, 'alertSilence', COLUMNS_0009.alertSilence, dialect),
}

/** One step of the catalog's schema. Forward only: what has been released is never edited. */
import type { Kysely } from 'kysely'

export type CatalogDialect = 'sqlite' | 'postgres'

export interface Migration {
  /** Counts up by one from 1, without a gap. */
  readonly version: number
  readonly name: string
  /** Runs in a transaction of its own, through the CamelCasePlugin. */
  readonly apply: (db: Kysely<unknown>, dialect: CatalogDialect) => Promise<void>
}

/** A source of a test's site that is a database, and points of it that a mark tells. */
import type { Insertable } from 'kysely'
import type { Catalog } from '../catalog/catalog.ts'
import type { CatalogTables } from '../catalog/schema.ts'

type SourceDatabase = Insertable<CatalogTables['sourceDatabase']>

/** The source becomes a PostgreSQL that nothing was done for yet. */
export async function addSourceDatabase(
  { db }: Catalog,
  sourceId: string,
  more: Partial<SourceDatabase> = {},
): Promise<void> {
  await db.updateTable('source').set({ kind: 'postgres' }).where('id', '=', sourceId).execute()
  const row: SourceDatabase = {
    sourceId,
    stagingHostId: null,
    connectionJson: '{"host":"db","port":5432,"user":"backup","tls":"off","ca":null}',
    secretId: null,
    volumeBytes: null,
    retainedLimitBytes: 1024 ** 3,
    synchronous: 0,
    selfService: 'off',
    engineVersion: '15.1',
    identity: '',
    mediumId: null,
    seededAt: null,
    statusJson: null,
    statusAt: null,
    ...more,
  }
  await db.insertInto('sourceDatabase').values(row).execute()
}

/** What a point of a database says of itself, as of this moment of production. */
export function markJson(atMs: number): string {
  const mark = { engine: 'postgres', engineVersion: '15.1', position: '0/1', detail: '1' }
  return JSON.stringify({ ...mark, atMs, logFromMs: null, consistency: 'application' })
}

export async function markPoint({ db }: Catalog, pointId: string, atMs: number): Promise<void> {
  const databaseJson = markJson(atMs)
  await db.updateTable('point').set({ databaseJson }).where('id', '=', pointId).execute()
}

/**
 * Databases as sources, virtual databases and their bookmarks; which point is one of a database,
 * and which job is about a virtual database.
 */
import { sql } from 'kysely'
import type { CatalogTables } from '../schema.ts'
import { createTable } from './0001-tables.ts'
import type { Kind } from './0001-tables.ts'
import type { Migration } from './migration.ts'

/** Later migrations add these. */
type LaterColumn =
  | 'volumeMaxBytes'
  | 'assertionsJson'
  | 'mode'
  | 'syncPaused'
  | 'syncJson'
  | 'syncAt'
type Tables = 'sourceDatabase' | 'virtualDatabase' | 'bookmark'
type Columns = {
  readonly [T in Tables]: {
    readonly [C in Exclude<keyof CatalogTables[T], LaterColumn>]: Kind<CatalogTables[T][C]>
  }
}

export const COLUMNS_0004: Columns = {
  sourceDatabase: {
    sourceId: 'text',
    stagingHostId: 'text?',
    connectionJson: 'text',
    secretId: 'text?',
    volumeBytes: 'integer?',
    retainedLimitBytes: 'integer',
    synchronous: 'integer',
    selfService: 'text',
    engineVersion: 'text',
    identity: 'text',
    mediumId: 'text?',
    seededAt: 'integer?',
    statusJson: 'text?',
    statusAt: 'integer?',
  },
  virtualDatabase: {
    id: 'text',
    name: 'text',
    engine: 'text',
    engineVersion: 'text',
    sourceId: 'text',
    parentId: 'text?',
    pointId: 'text?',
    bookmarkId: 'text?',
    targetJson: 'text',
    hostId: 'text',
    poolId: 'text',
    nodeId: 'text',
    mediumId: 'text?',
    state: 'text',
    dataAt: 'integer?',
    position: 'text?',
    address: 'text?',
    port: 'integer?',
    userName: 'text',
    secretId: 'text',
    databasesJson: 'text',
    listenJson: 'text',
    settingsJson: 'text',
    leaseUntil: 'integer?',
    quotaBytes: 'integer?',
    writtenBytes: 'integer?',
    autoRefreshJson: 'text?',
    nextRefreshAt: 'integer?',
    lastRefreshAt: 'integer?',
    liveSync: 'integer',
    kept: 'integer',
    directory: 'text?',
    purpose: 'text',
    labelsJson: 'text',
    createdBy: 'text',
    createdAt: 'integer',
    readyAt: 'integer?',
    endedAt: 'integer?',
    problemJson: 'text?',
    version: 'integer',
  },
  bookmark: {
    id: 'text',
    virtualDatabaseId: 'text',
    name: 'text',
    state: 'text',
    poolId: 'text',
    snapshotId: 'text?',
    takenAt: 'integer?',
    sizeBytes: 'integer?',
    addedBytes: 'integer?',
    createdBy: 'text',
    createdAt: 'integer',
    problemJson: 'text?',
  },
}

export const migration0004: Migration = {
  version: 4,
  name: 'databases',
  apply: async (db, dialect) => {
    for (const [name, columns] of Object.entries(COLUMNS_0004)) {
      await createTable(db, name, columns, dialect)
    }
    await db.schema.alterTable('point').addColumn('databaseJson', 'text').execute()
    await db.schema.alterTable('job').addColumn('virtualDatabaseId', 'text').execute()
    for (const columns of [['createdAt', 'id'], ['leaseUntil'], ['sourceId'], ['hostId']]) {
      const name = `virtualDatabase_list_${columns.join('_')}`
      await db.schema.createIndex(name).on('virtualDatabase').columns(columns).execute()
    }
    await db.schema
      .createIndex('bookmark_list_virtualDatabaseId')
      .on('bookmark')
      .columns(['virtualDatabaseId', 'createdAt', 'id'])
      .execute()
    // A name is free again once its virtual database has ended.
    await sql`create unique index virtual_database_by_name on virtual_database (name)
      where ended_at is null`.execute(db)
    await sql`create index job_virtual_database on job (virtual_database_id, queued_at)
      where virtual_database_id is not null`.execute(db)
  },
}

/** Consistency groups, their members and their points. */
import type { GroupTables } from '../schema-groups.ts'
import { createTable } from './0001-tables.ts'
import type { Kind } from './0001-tables.ts'
import type { Migration } from './migration.ts'

type Columns = {
  readonly [T in keyof GroupTables]: {
    readonly [C in keyof GroupTables[T]]: Kind<GroupTables[T][C]>
  }
}

export const COLUMNS_0007: Columns = {
  consistencyGroup: {
    id: 'text',
    name: 'text',
    policyId: 'text?',
    clockLimitMs: 'integer',
    labelsJson: 'text',
    nextRunAt: 'integer?',
    lastDueAt: 'integer?',
    lastJobId: 'text?',
    problemJson: 'text?',
    createdBy: 'text',
    createdAt: 'integer',
    version: 'integer',
  },
  groupMember: { groupId: 'text', sourceId: 'text' },
  groupPoint: {
    id: 'text',
    groupId: 'text',
    state: 'text',
    at: 'integer',
    clockSpreadMs: 'integer?',
    reasonsJson: 'text',
    jobId: 'text',
    createdAt: 'integer',
  },
  groupPointMember: {
    groupPointId: 'text',
    sourceId: 'text',
    basePointId: 'text',
    pointId: 'text?',
    clockOffsetMs: 'integer?',
    clockErrorMs: 'integer?',
  },
}

export const migration0007: Migration = {
  version: 7,
  name: 'groups',
  apply: async (db, dialect) => {
    for (const [name, columns] of Object.entries(COLUMNS_0007)) {
      await createTable(db, name, columns, dialect)
    }
    await db.schema
      .createIndex('consistencyGroup_by_name')
      .on('consistencyGroup')
      .column('name')
      .unique()
      .execute()
    await db.schema
      .createIndex('groupMember_by_source')
      .on('groupMember')
      .column('sourceId')
      .unique()
      .execute()
    await db.schema
      .createIndex('groupPoint_list')
      .on('groupPoint')
      .columns(['groupId', 'at', 'id'])
      .execute()
    for (const column of ['basePointId', 'pointId']) {
      const name = `groupPointMember_by_${column}`
      await db.schema.createIndex(name).on('groupPointMember').column(column).execute()
    }
  },
}

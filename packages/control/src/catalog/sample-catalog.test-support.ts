/** A catalog with a row or some in every table, by seed. */
import { sql } from 'kysely'
import { SeededRandom } from '@openmaas/kernel/random'
import type { Catalog } from './catalog.ts'
import { COLUMNS_0001 } from './migrations/0001-tables.ts'
import { COLUMNS_0004 } from './migrations/0004-databases.ts'
import { COLUMNS_0007 } from './migrations/0007-groups.ts'
import { COLUMNS_0009 } from './migrations/0009-silences.ts'
import { EXPORTED_TABLE_NAMES, EXPORTED_TABLES } from './tables.ts'
import type { ExportedTable } from './tables.ts'

/** More than a page of an export. */
const SAMPLE_COUNT = 503
/** Whose key is that of their one parent, or for which one is enough. */
const SINGLE = new Set<ExportedTable>(['user', 'sourceDatabase', 'groupMember', 'groupPointMember'])
const NAMED = {
  user: 'usr',
  host: 'hst',
  source: 'src',
  job: 'job',
  webhook: 'whk',
  virtualDatabase: 'vdb',
  channel: 'chn',
  consistencyGroup: 'grp',
  groupPoint: 'gpt',
}
const PARENTS: Readonly<Record<string, string>> = {
  userId: 'usr_1',
  hostId: 'hst_1',
  sourceId: 'src_1',
  jobId: 'job_1',
  webhookId: 'whk_1',
  alertId: 'alert_1',
  channelId: 'chn_1',
  virtualDatabaseId: 'vdb_1',
  groupId: 'grp_1',
  groupPointId: 'gpt_1',
}

const COLUMNS = { ...COLUMNS_0001, ...COLUMNS_0004, ...COLUMNS_0007, ...COLUMNS_0009 }

function makeValue(
  column: string,
  kind: string,
  key: boolean,
  number: number,
  random: SeededRandom,
) {
  if (kind.endsWith('?') && random.below(2) === 0) return null
  if (kind.startsWith('real')) return random.unit()
  if (kind.startsWith('integer') || kind === 'sequence') {
    return key ? number : random.below(2 ** 20) * 2 ** 32
  }
  if (column === 'consistency') return 'crash'
  return `${column} ${number} "quoted" 'and' 数据\n`
}

function makeRow(table: ExportedTable, number: number, random: SeededRandom) {
  const keys: readonly string[] = EXPORTED_TABLES[table]
  const row: Record<string, string | number | null> = {}
  for (const [column, kind] of Object.entries(COLUMNS[table])) {
    const parent = table === 'source' ? undefined : PARENTS[column]
    const prefix = (NAMED as Readonly<Record<string, string>>)[table] ?? table
    row[column] =
      column === 'id'
        ? `${prefix}_${number}`
        : (parent ?? makeValue(column, kind, keys.includes(column), number, random))
  }
  return row
}

export async function fillCatalog(
  catalog: Catalog,
  options: { readonly only?: readonly ExportedTable[] } = {},
): Promise<void> {
  const random = new SeededRandom(1)
  const tables = options.only ?? EXPORTED_TABLE_NAMES
  await catalog.transaction(async (trx) => {
    for (const table of tables) {
      const count = table === 'sample' ? SAMPLE_COUNT : SINGLE.has(table) ? 1 : 3
      for (let i = 1; i <= count; i += 1) {
        const row = makeRow(table, i, random)
        const columns = sql.join(Object.keys(row).map((column) => sql.ref(column)))
        const values = sql.join(Object.values(row))
        await sql`insert into ${sql.table(table)} (${columns}) values (${values})`.execute(trx)
      }
    }
  })
  if (catalog.dialect === 'sqlite') return
  for (const table of ['event', 'job_log']) {
    await sql`select setval(pg_get_serial_sequence(${table}, 'seq'), 100)`.execute(catalog.db)
  }
}

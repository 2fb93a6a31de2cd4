/** Databases and tables of a server, without its own. */
import { numberOf } from './session.ts'
import type { Session } from './session.ts'

const SYSTEM_DATABASES = ['mysql', 'sys', 'information_schema', 'performance_schema']
const NOT_SYSTEM = `NOT IN (${SYSTEM_DATABASES.map((name) => `'${name}'`).join(', ')})`
/** More are not told. */
const DATABASES_MAX = 10_000

export async function listDatabases(session: Session): Promise<string[]> {
  const rows = await session.rows(
    'SELECT schema_name AS name FROM information_schema.schemata ' +
      `WHERE schema_name ${NOT_SYSTEM} ORDER BY 1 LIMIT ${DATABASES_MAX}`,
  )
  return rows.map((row) => row['name'] ?? '')
}

export interface Table {
  readonly schema: string
  readonly name: string
  readonly engine: string
}

/** Base tables; `innodb` says of which engines. */
export async function listTables(session: Session, innodb: boolean): Promise<Table[]> {
  const rows = await session.rows(
    'SELECT table_schema AS s, table_name AS t, engine AS e FROM information_schema.tables ' +
      `WHERE table_type IN ('BASE TABLE', 'SEQUENCE') AND table_schema ${NOT_SYSTEM} ` +
      `AND engine ${innodb ? '=' : '<>'} 'InnoDB' ORDER BY 1, 2`,
  )
  return rows.map((row) => ({
    schema: row['s'] ?? '',
    name: row['t'] ?? '',
    engine: row['e'] ?? '',
  }))
}

/** Of all tablespaces, by the server's own account: the size of a copy, nearly. */
export async function dataSize(session: Session): Promise<number> {
  // MySQL has INNODB_TABLESPACES, MariaDB INNODB_SYS_TABLESPACES; both need PROCESS.
  const mariadb = (await session.value('SELECT VERSION()'))?.includes('MariaDB') === true
  const view = mariadb ? 'INNODB_SYS_TABLESPACES' : 'INNODB_TABLESPACES'
  const sql = `SELECT CAST(COALESCE(SUM(FILE_SIZE), 0) AS CHAR) FROM information_schema.${view}`
  return numberOf(await session.value(sql))
}

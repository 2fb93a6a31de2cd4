/** What a plug-in asks production about itself before it copies it or follows it. */
import { MaasError } from '@openmaas/kernel/errors'
import type { Queries } from './connection.ts'
import { MAJOR_MIN } from './programs.ts'

export interface Tablespace {
  readonly oid: string
  readonly name: string
  readonly location: string
}

export interface Production {
  /** "15.20". */
  readonly version: string
  readonly major: number
  readonly systemIdentifier: string
  readonly segmentSize: number
  /** The role with oid 10: it cannot be dropped, but renamed. */
  readonly superuser: string
  readonly sizeBytes: number
  /** Those beside pg_default and pg_global. */
  readonly tablespaces: readonly Tablespace[]
}

const DESCRIBE = `
  select current_setting('server_version_num')::int4 as version_num,
         split_part(current_setting('server_version'), ' ', 1) as version,
         (select system_identifier::text from pg_control_system()) as identifier,
         (select setting::int8 from pg_settings where name = 'wal_segment_size') as segment_size,
         (select rolname from pg_roles where oid = 10) as superuser,
         pg_is_in_recovery() as in_recovery`

/** Tables of every database; global catalogs and logs are small beside them. */
const SIZE = `
  select coalesce(sum(pg_database_size(oid)), 0)::int8 from pg_database
   where has_database_privilege(oid, 'CONNECT') or pg_has_role('pg_read_all_stats', 'MEMBER')`

const TABLESPACES = `
  select oid::text as oid, spcname as name, pg_tablespace_location(oid) as location
    from pg_tablespace where spcname not in ('pg_default', 'pg_global')`

/** @throws MaasError DATABASE_UNFIT, DATABASE_VERSION_UNSUPPORTED */
export async function describeProduction(queries: Queries): Promise<Production> {
  const [row] = await queries.rows(DESCRIBE)
  const major = Math.floor(Number(row?.['version_num']) / 10_000)
  if (major < MAJOR_MIN) {
    const message = `PostgreSQL ${major} is older than ${MAJOR_MIN}, the first that is supported`
    throw new MaasError('DATABASE_VERSION_UNSUPPORTED', message, { major })
  }
  if (row?.['in_recovery'] !== false) {
    const message = 'the server is a standby itself; protect the primary it follows'
    throw new MaasError('DATABASE_UNFIT', message, {})
  }
  const tablespaces = await queries.rows(TABLESPACES)
  return {
    version: String(row['version']),
    major,
    systemIdentifier: String(row['identifier']),
    segmentSize: Number(row['segment_size']),
    superuser: String(row['superuser']),
    sizeBytes: Number(await queries.value(SIZE)),
    tablespaces: tablespaces.map((one) => ({
      oid: String(one['oid']),
      name: String(one['name']),
      location: String(one['location']),
    })),
  }
}

/** Kysely on PostgreSQL: a small pool of connections; 64-bit integers and sums come as numbers. */
import { PostgresDialect } from 'kysely'
import pg from 'pg'
import { MaasError } from '@openmaas/kernel/errors'

/** Writers wait for one another anyway; the rest serves lists side by side. */
const CONNECTION_MAX = 8
const CONNECT_TIMEOUT_MS = 10_000
const INT8 = 20
const NUMERIC = 1700

/** All our integers are below 2^53: bytes up to 8 PiB, milliseconds, counts. */
const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary'): ((value: string) => unknown) => {
    if (oid === INT8 || oid === NUMERIC) return Number
    return pg.types.getTypeParser(oid, format as 'text') as (value: string) => unknown
  },
}

/**
 * @returns the pool, reachable at this moment
 * @throws MaasError CATALOG_UNAVAILABLE
 */
export async function openPostgres(url: string): Promise<pg.Pool> {
  const pool = new pg.Pool({
    connectionString: url,
    max: CONNECTION_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    application_name: 'openmaas',
    types,
  })
  // An idle connection that breaks is replaced by the pool; the next query says if it cannot.
  pool.on('error', () => undefined)
  try {
    const client = await pool.connect()
    client.release()
  } catch (cause) {
    await pool.end()
    const address = new URL(url).host
    const message = 'cannot reach the catalog on PostgreSQL'
    throw new MaasError('CATALOG_UNAVAILABLE', message, { address }, { cause })
  }
  return pool
}

export function makePostgresDialect(pool: pg.Pool): PostgresDialect {
  return new PostgresDialect({ pool })
}

/**
 * Connections to production, standbys and clones: for queries by node-postgres, for PostgreSQL's
 * own programs as a libpq connection string with a password file.
 */
import { lstatSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { MaasError } from '@openmaas/kernel/errors'
import { readPrivateFile, writePrivateFile } from '@openmaas/kernel/private-file'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import { explainConnectError } from '@openmaas/source-kit/connect-error'
import type { VolumeLayout } from '@openmaas/source-kit/layout'
import type { OsUser } from '@openmaas/source-kit/os-user'

/** A server that does not answer in this time is away. */
const CONNECT_MS = 10_000
/** Questions of ours are about the catalog; a lock may hold one up. */
const QUERY_MS = 60_000
/** Where Debian and Red Hat keep the certificates that the system trusts. */
const SYSTEM_CA = '/etc/ssl/certs/ca-certificates.crt'

/** Database that every cluster has; it may not be dropped or renamed while it is a template. */
const DATABASE_FIRST = 'postgres'
const DATABASE_SECOND = 'template1'

export interface Queries {
  /** Rows as objects; numbers beyond 2^53 and LSNs as text. */
  rows(sql: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>
  /** The first column of the only row. */
  value(sql: string, values?: readonly unknown[]): Promise<unknown>
}

/**
 * @param database  null: one that is surely there
 * @throws MaasError DATABASE_UNREACHABLE, DATABASE_DENIED
 */
export async function withConnection<T>(
  connection: DatabaseConnection,
  work: (queries: Queries) => Promise<T>,
  database: string | null = null,
): Promise<T> {
  const client = await connect(connection, database)
  try {
    return await work({
      rows: async (sql, values) => (await ask(client, sql, values)).rows,
      value: async (sql, values) => {
        const row: unknown = (await ask(client, sql, values)).rows[0]
        return typeof row === 'object' && row !== null ? Object.values(row)[0] : undefined
      },
    })
  } finally {
    // A server that was killed meanwhile has ended the connection for us.
    await client.end().catch(() => {})
  }
}

async function ask(
  client: pg.Client,
  sql: string,
  values?: readonly unknown[],
): Promise<pg.QueryResult<Record<string, unknown>>> {
  try {
    const result: pg.QueryResult | pg.QueryResult[] = await client.query(
      sql,
      values === undefined ? undefined : [...values],
    )
    // Several statements have several results; the last one answers.
    return Array.isArray(result) ? result.at(-1)! : result
  } catch (error) {
    throw databaseError(error)
  }
}

export interface ReplicationTrouble {
  readonly sqlstate: string
  readonly message: string
}

/**
 * Whether a connection for physical replication is let in.
 *
 * @returns null, or why not
 */
export async function tryReplication(to: DatabaseConnection): Promise<ReplicationTrouble | null> {
  const client = new pg.Client({ ...clientConfig(to), replication: 'true' } as pg.ClientConfig)
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('IDENTIFY_SYSTEM')
    return null
  } catch (error) {
    const { code, message = String(error) } = error as { code?: unknown; message?: string }
    return { sqlstate: typeof code === 'string' ? code : '', message }
  } finally {
    await client.end().catch(() => {})
  }
}

function clientConfig(to: DatabaseConnection): pg.ClientConfig {
  return {
    host: to.host,
    port: to.port,
    user: to.user,
    ...(to.password === null ? {} : { password: to.password }),
    ssl: tlsOptions(to),
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: QUERY_MS,
    application_name: 'openmaas',
  }
}

async function connect(to: DatabaseConnection, database: string | null): Promise<pg.Client> {
  const names = database === null ? [DATABASE_FIRST, DATABASE_SECOND] : [database]
  for (const [index, name] of names.entries()) {
    const client = new pg.Client({
      ...clientConfig(to),
      database: name,
      statement_timeout: QUERY_MS,
      options: `-c datestyle=ISO -c timezone=UTC${searchPathOption(to)}`,
    })
    // Without a listener a connection that breaks between queries ends the process.
    client.on('error', () => {})
    try {
      await client.connect()
      return client
    } catch (error) {
      await client.end().catch(() => {})
      const absent = (error as { code?: unknown }).code === '3D000'
      if (!absent || index === names.length - 1) throw databaseError(error, to)
    }
  }
  throw new MaasError('DATABASE_UNREACHABLE', 'no database to connect to', { host: to.host })
}

/** What a client sets wins over what owners of a database set for it. */
function searchPathOption(to: DatabaseConnection & { searchPath?: string | null }): string {
  const path = to.searchPath ?? null
  return path === null ? '' : ` -c search_path=${path}`
}

function tlsOptions(to: DatabaseConnection): pg.ClientConfig['ssl'] {
  if (to.tls === 'off') return false
  if (to.tls === 'require') return { rejectUnauthorized: false }
  return { rejectUnauthorized: true, ...(to.ca === null ? {} : { ca: to.ca }) }
}

/** Classes of SQLSTATE: 28 authorization; 42501 privilege; 57P shutting down or starting up. */
export function databaseError(error: unknown, to?: DatabaseConnection): Error {
  if (error instanceof MaasError) return error
  const { code, message } = error as { code?: unknown; message?: string }
  const sqlstate = typeof code === 'string' ? code : ''
  const place = to?.host.startsWith('/') === true ? to.host : `${to?.host}:${to?.port}`
  const where = to === undefined ? '' : `${place} as ${to.user}: `
  const known = to === undefined ? null : explainConnectError(error, place)
  const text = known ?? `${where}${message ?? String(error)}`
  const details = { sqlstate, host: to?.host, port: to?.port }
  if (sqlstate.startsWith('28') || sqlstate === '42501') {
    return new MaasError('DATABASE_DENIED', text, details, { cause: error })
  }
  const answered = /^[0-9A-Z]{5}$/.test(sqlstate) && !/^(?:08|57P|53|E)/.test(sqlstate)
  const kind = answered ? 'DATABASE_PROGRAM_FAILED' : 'DATABASE_UNREACHABLE'
  return new MaasError(kind, text, details, { cause: error })
}

/** SQLSTATE of what the server refused. */
export function sqlstateOf(error: unknown): string {
  const details = error instanceof MaasError ? error.details['sqlstate'] : undefined
  return typeof details === 'string' ? details : ''
}

/** Quotes a value of a connection string: libpq, "Connection Strings". */
function quoteValue(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
}

/**
 * Writes the password and the certificate beside the sockets, off the volume, and names them in
 * a connection string. The server's user may read them.
 *
 * @param name  of the files: what connects
 */
export function writeConnectionString(
  layout: VolumeLayout,
  user: OsUser | null,
  to: DatabaseConnection,
  name: string,
): string {
  const parts: [string, string][] = [
    ['host', to.host],
    ['port', String(to.port)],
    ['user', to.user],
    ['connect_timeout', String(CONNECT_MS / 1000)],
    ['sslmode', { off: 'disable', require: 'require', verify: 'verify-full' }[to.tls]],
  ]
  const passfile = join(layout.run, `${name}.pass`)
  if (to.password === null) {
    rmSync(passfile, { force: true })
  } else {
    const password = to.password.replaceAll('\\', '\\\\').replaceAll(':', '\\:')
    writeOwned(passfile, `*:*:*:*:${password}\n`, user)
    parts.push(['passfile', passfile])
  }
  if (to.tls === 'verify') {
    const certificate = join(layout.run, `${name}.ca`)
    if (to.ca !== null) writeOwned(certificate, to.ca, user)
    parts.push(['sslrootcert', to.ca === null ? SYSTEM_CA : certificate])
  }
  return parts.map(([key, value]) => `${key}=${quoteValue(value)}`).join(' ')
}

/**
 * A small file that the server's user reads and nobody else; unchanged it is left alone. What is
 * no file of that user is replaced, unread.
 */
export function writeOwned(path: string, content: string, user: OsUser | null): void {
  const there = lstatSync(path, { throwIfNoEntry: false })
  const isOurs = there?.isFile() === true && (user === null || there.uid === user.uid)
  if (isOurs && (there.mode & 0o777) === 0o600 && readPrivateFile(path) === content) return
  writePrivateFile(path, content, user)
}

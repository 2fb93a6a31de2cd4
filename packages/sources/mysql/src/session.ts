/** A connection to a server: each value as text, each failure with a code of the table. */
import type { Connection, ConnectionOptions, RowDataPacket } from 'mysql2/promise'
import { MaasError } from '@openmaas/kernel/errors'
import { explainConnectError } from '@openmaas/source-kit/connect-error'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'

/** Column → text; null is SQL's NULL. */
export type Row = Readonly<Record<string, string | null>>

const CONNECT_MS = 10_000
/** Longer than any statement of ours that does not say so itself. */
const STATEMENT_MS = 60_000
/** Of the farewell: a server that hangs does not answer it. */
const END_MS = 5000
/** Of an error's text in ours: the reason is at its beginning. */
const MESSAGE_MAX = 500

export class Session implements AsyncDisposable {
  readonly #connection: Connection
  readonly #where: string
  /** Rejected when it is given up: the driver says nothing to those who wait then. */
  readonly #gone = Promise.withResolvers<never>()

  private constructor(connection: Connection, where: string) {
    this.#connection = connection
    this.#where = where
    // What breaks between two statements is met by the next one.
    connection.on('error', () => {})
    this.#gone.promise.catch(() => {})
  }

  /** @throws MaasError DATABASE_UNREACHABLE, DATABASE_DENIED */
  static async open(where: string, options: ConnectionOptions): Promise<Session> {
    // Only agents that meet such a database load the driver.
    const { createConnection } = await import('mysql2/promise')
    const dialling = createConnection({
      connectTimeout: CONNECT_MS,
      charset: 'utf8mb4_general_ci',
      timezone: 'Z',
      // A server may ask for any file of the client with it; ours never need one.
      flags: ['-LOCAL_FILES'],
      ...options,
    })
    try {
      return new Session(await dialling, where)
    } catch (error) {
      const known = explainConnectError(error, where)
      if (known === null) throw wrap(error, `cannot connect to ${where}`)
      const { code } = error as { code?: string }
      throw new MaasError('DATABASE_UNREACHABLE', known, { error: code }, { cause: error })
    }
  }

  static async toProduction(connection: DatabaseConnection): Promise<Session> {
    const { host, port, user, password, tls, ca } = connection
    const socket = host.startsWith('/')
    return Session.open(socket ? host : `${host}:${port}`, {
      user,
      ...(socket ? { socketPath: host } : { host, port }),
      ...(password !== null && { password }),
      ...(password === null && { authPlugins: PEER_PLUGINS }),
      ...(!socket && tls !== 'off' && { ssl: tlsOptions(tls, ca) }),
    })
  }

  async rows(
    sql: string,
    values: readonly string[] = [],
    timeoutMs = STATEMENT_MS,
  ): Promise<Row[]> {
    try {
      const asked = this.#connection.query<RowDataPacket[]>(
        { sql, timeout: timeoutMs, typeCast: (field) => field.string() },
        [...values],
      )
      const [rows] = await Promise.race([asked, this.#gone.promise])
      return Array.isArray(rows) ? (rows as Row[]) : []
    } catch (error) {
      const code = (error as { code?: string }).code
      // The answer may come still, and would be taken for that of the next statement.
      if (code === 'PROTOCOL_SEQUENCE_TIMEOUT') this.destroy()
      throw wrap(error, `${this.#where} refused "${firstWords(sql)}"`)
    }
  }

  async run(sql: string, values: readonly string[] = [], timeoutMs = STATEMENT_MS): Promise<void> {
    await this.rows(sql, values, timeoutMs)
  }

  /** The first column of the first row; null when there is none. */
  async value(
    sql: string,
    values: readonly string[] = [],
    timeoutMs?: number,
  ): Promise<string | null> {
    const [row] = await this.rows(sql, values, timeoutMs)
    return row === undefined ? null : (Object.values(row)[0] ?? null)
  }

  quote(text: string): string {
    return this.#connection.escape(text)
  }

  /** Ends what waits on it: a statement that runs for minutes is given up with its order. */
  destroy(): void {
    this.#gone.reject(new Error('the connection was given up'))
    this.#connection.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const limit = setTimeout(() => this.destroy(), END_MS)
    try {
      await Promise.race([this.#connection.end(), this.#gone.promise])
    } catch {
      this.#connection.destroy() // It was gone already.
    } finally {
      clearTimeout(limit)
    }
  }
}

/** Peer authentication: the server asks the kernel who is at the other end; nothing is sent. */
const nothing = (): (() => Buffer) => () => Buffer.alloc(0)
const PEER_PLUGINS = { unix_socket: nothing, auth_socket: nothing }

function tlsOptions(tls: 'require' | 'verify', ca: string | null): { [key: string]: unknown } {
  return {
    rejectUnauthorized: tls === 'verify',
    ...(tls === 'verify' && { verifyIdentity: true }),
    ...(ca !== null && { ca }),
  }
}

/** Refusals of who or what we are, by the numbers of the manual (ER_*). */
const DENIED = new Set([1044, 1045, 1142, 1143, 1227, 1370, 1410, 1698, 3118])

/** Of a server that ends or is full: it will be back. */
const GOING = new Set([1040, 1053, 1079, 1152, 1158, 1159, 1160, 1161, 1203, 1317, 1927, 3032])

function wrap(thrown: unknown, doing: string): MaasError {
  const error = thrown as { errno?: number; code?: string; message?: string; fatal?: boolean }
  const reason = (error.message ?? String(thrown)).slice(0, MESSAGE_MAX)
  const details = { reason, error: error.code, number: error.errno }
  const options = { cause: thrown }
  if (error.errno !== undefined && DENIED.has(error.errno)) {
    return new MaasError('DATABASE_DENIED', `${doing}: ${reason}`, details, options)
  }
  // Errors of the network and of the driver have no number of the manual.
  const number = error.errno ?? 0
  const refused = number >= 1000 && error.fatal !== true && !GOING.has(number)
  const code = refused ? 'DATABASE_REFUSED' : 'DATABASE_UNREACHABLE'
  return new MaasError(code, `${doing}: ${reason}`, details, options)
}

function firstWords(sql: string): string {
  return sql.trim().split(/\s+/, 4).join(' ').slice(0, 60)
}

/** A number that a server sent. @throws MaasError: then it is no server we know */
export function numberOf(text: string | null | undefined): number {
  const number = Number(text ?? Number.NaN)
  if (Number.isFinite(number)) return number
  const message = `the server answered "${String(text).slice(0, 50)}" where a number belongs`
  throw new MaasError('DATABASE_REFUSED', message, {})
}

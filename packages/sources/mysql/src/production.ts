/** What is asked of production when a standby is made or looked after. */
import { join } from 'node:path'
import { MaasError } from '@openmaas/kernel/errors'
import { writePrivateFile } from '@openmaas/kernel/private-file'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import { chownSync } from 'node:fs'
import { type ClockReading, readClock } from '@openmaas/source-kit/clock-reading'
import type { FollowSource } from './dialect.ts'
import type { PrivateServer } from './private-server.ts'
import { CARRIED_SETTINGS, PRODUCTION_SETTINGS } from './server-options.ts'
import { Session, numberOf } from './session.ts'
import { parseVersion, requireSupported } from './version.ts'
import type { ServerVersion } from './version.ts'

export interface Production {
  readonly session: Session
  readonly version: ServerVersion
}

/** @throws MaasError DATABASE_UNREACHABLE, DATABASE_DENIED, DATABASE_VERSION_UNSUPPORTED */
export async function openProduction(connection: DatabaseConnection): Promise<Production> {
  const session = await Session.toProduction(connection)
  try {
    const version = parseVersion((await session.value('SELECT VERSION()')) ?? '')
    requireSupported(version)
    // Times in UTC, and our quoting is understood whatever production is set to.
    await session.run("SET SESSION time_zone = '+00:00', sql_mode = ''")
    return { session, version }
  } catch (error) {
    await session[Symbol.asyncDispose]()
    throw error
  }
}

export async function carriedSettings(session: Session): Promise<Record<string, string>> {
  const wanted = [...CARRIED_SETTINGS, ...PRODUCTION_SETTINGS]
  const names = wanted.map((name) => session.quote(name)).join(', ')
  const rows = await session.rows(`SHOW GLOBAL VARIABLES WHERE Variable_name IN (${names})`)
  return Object.fromEntries(rows.map((row) => [row['Variable_name'] ?? '', row['Value'] ?? '']))
}

/**
 * Where a replica dials. Replication knows no Unix sockets: of a server on this host, its port.
 *
 * @throws MaasError DATABASE_UNFIT
 */
export async function followSource(
  connection: DatabaseConnection,
  production: Session,
  server: PrivateServer,
): Promise<FollowSource> {
  if (connection.password === null) {
    const message = 'replication needs a user with a password'
    throw new MaasError('DATABASE_UNFIT', message, { user: connection.user })
  }
  const caFile = writeAuthorities(connection, server)
  if (!connection.host.startsWith('/')) {
    return { connection, host: connection.host, port: connection.port, caFile }
  }
  const networkless = await production.value('SELECT @@global.skip_networking')
  const port = numberOf(await production.value('SELECT @@global.port'))
  if (networkless === '1' || port === 0) {
    const message = 'production has no network port, and replication knows no sockets'
    throw new MaasError('DATABASE_UNFIT', message, {})
  }
  return { connection, host: '127.0.0.1', port, caFile }
}

/** @returns the file, or null when those of the system are trusted */
export function writeAuthorities({ ca }: DatabaseConnection, server: PrivateServer): string | null {
  if (ca === null) return null
  const path = join(server.layout.run, 'ca.pem')
  writePrivateFile(path, ca)
  if (server.user !== null) chownSync(path, server.user.uid, server.user.gid)
  return path
}

export interface Moment {
  /** By production's clock, and before `position` was read. */
  readonly atMs: number
  readonly position: string
  /** Absent where production was not asked. */
  readonly clock?: ClockReading
}

/** SYSDATE, unlike NOW, is never that of an earlier statement. */
const CLOCK = 'SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000 AS CHAR)'

/** All that production had committed at `atMs` is in `position`. */
export async function productionNow(
  production: Session,
  positionOf: (session: Session) => Promise<string>,
): Promise<Moment> {
  const ask = async (): Promise<number> => numberOf(await production.value(CLOCK))
  const now = await ask()
  const position = await positionOf(production)
  return { atMs: Math.floor(now), position, clock: await readClock(ask) }
}

/** A database that is about to be protected, as its form has it. */
import type { DatabaseKind } from '@openmaas/api/resources/database'
import type { BodyFor } from '@openmaas/api/routes/routes'

export interface Database {
  readonly host: string
  readonly port: number
  readonly user: string
  /** Empty: none is sent. */
  readonly password: string
  readonly tls: 'off' | 'require' | 'verify'
  /** The server has looked, and all of it holds. */
  readonly isChecked: boolean
}

/** Of engines that are a plug-in of the host's: somebody types it. */
const PORT_UNKNOWN = 1
const PORTS: Readonly<Record<string, number>> = { postgres: 5432, mysql: 3306 }

/** @param host where it is, as the host that was chosen reaches it */
export function newDatabase(kind: DatabaseKind, host = '127.0.0.1'): Database {
  const port = PORTS[kind] ?? PORT_UNKNOWN
  return { host, port, user: 'openmaas', password: '', tls: 'off', isChecked: false }
}

export function toConnection(database: Database): BodyFor<'checkDatabase'>['connection'] {
  const { host, port, user, password, tls } = database
  return {
    host: host.trim(),
    port,
    user: user.trim(),
    tls,
    password: password === '' ? null : password,
  }
}

/** `host:port`, with brackets around an address that has colons. */
export function placeOf({ host, port }: Database): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

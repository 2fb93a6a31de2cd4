/** An engine and an address as they are written for people. Pure. */
import type { VirtualDatabase } from '@openmaas/api/resources/virtual-database'

/** `postgres`, `15.6 (Debian …)` → `PostgreSQL 15.6`. */
export function engineText({
  engine,
  engineVersion,
}: Pick<VirtualDatabase, 'engine' | 'engineVersion'>): string {
  const names: Readonly<Record<string, string>> = {
    postgres: 'PostgreSQL',
    mysql: /mariadb/i.test(engineVersion) ? 'MariaDB' : 'MySQL',
  }
  const version = /\d+(?:\.\d+)*/.exec(engineVersion)?.[0] ?? ''
  return [names[engine] ?? engine, version].filter((word) => word !== '').join(' ')
}

type Place = Pick<VirtualDatabase, 'address' | 'port' | 'listen'>

export const isLocal = ({ listen }: Pick<Place, 'listen'>): boolean =>
  listen.every((each) => each.startsWith('127.') || each === '::1')

/** `db1:5433`; empty while it has no port. */
export function placeText(database: Place, hostName: string): string {
  const { address, port } = database
  if (port === null) return ''
  return `${isLocal(database) ? '127.0.0.1' : (address ?? hostName)}:${port}`
}

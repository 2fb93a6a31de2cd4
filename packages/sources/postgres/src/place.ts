/** Everything that concerns one database on this host: its directories, its user, its programs. */
import { join } from 'node:path'
import type { DatabaseConnection } from '@openmaas/protocols/channel/database-orders'
import { socketDirectory, type VolumeLayout, volumeLayout } from '@openmaas/source-kit/layout'
import { type OsUser, serverUser } from '@openmaas/source-kit/os-user'
import type { ServerPlace } from '@openmaas/source-kit/server-process'
import type { ProgramFolders } from './programs.ts'

export interface PostgresOptions {
  /** Major version → folder of its programs, where they are in no usual place. */
  readonly programs?: ProgramFolders
  /** Where sockets, records of processes and passwords are kept: layout.ts of the kit. */
  readonly runRoot?: string
}

export interface Place {
  readonly id: string
  readonly layout: VolumeLayout
  /** Below the volume: a directory per tablespace, named by its oid. */
  readonly tablespaces: string
  readonly user: OsUser | null
  readonly server: ServerPlace
  readonly programs: ProgramFolders
}

/** The number in the name of the socket; the directory is private, so any will do. */
export const SOCKET_PORT = 5432

export function placeOf(
  { id, directory }: { readonly id: string; readonly directory: string },
  options: PostgresOptions,
): Place {
  const layout = volumeLayout(directory, id, options)
  return {
    id,
    layout,
    tablespaces: join(directory, 'tablespaces'),
    user: serverUser('postgres'),
    server: { run: layout.run, name: 'server' },
    programs: options.programs ?? {},
  }
}

/** Of us: through the private socket, known by the user that this process has (peer). */
export interface LocalConnection extends DatabaseConnection {
  /** Users own schemas and databases: what they made there must never be called by us. */
  readonly searchPath: string | null
}

export function localConnection(place: Place, superuser: string, port: number): LocalConnection {
  return {
    searchPath: 'pg_catalog',
    host: socketDirectory(place.layout),
    port,
    user: superuser,
    password: null,
    tls: 'off',
    ca: null,
  }
}

/** Of the slot on production: lower case, digits and underscores. */
export function slotName(id: string): string {
  return `openmaas_${id.toLowerCase()}`
}

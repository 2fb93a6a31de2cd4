/**
 * The settings that standbys and clones run with. They stand beside the sockets, off the volume,
 * and production's own files are never read: what they say (addresses, archiving, whom to follow,
 * libraries with background workers) must not be true of a copy.
 */
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { readPrivateFile } from '@openmaas/kernel/private-file'
import { socketDirectory } from '@openmaas/source-kit/layout'
import type { ControlData } from './control-data.ts'
import { writeOwned } from './connection.ts'
import type { Place } from './place.ts'
import { findState } from './state.ts'

export type ServerSettings = Readonly<Record<string, string>>

/** Those of pg_control, under the names that postgresql.conf has for them. */
export function standbyMinima({ minima }: ControlData): ServerSettings {
  return {
    max_connections: String(minima.max_connections),
    max_worker_processes: String(minima.max_worker_processes),
    max_wal_senders: String(minima.max_wal_senders),
    max_prepared_transactions: String(minima.max_prepared_xacts),
    max_locks_per_transaction: String(minima.max_locks_per_xact),
  }
}

/** Where PostgreSQL can sync a whole file system at the start of a recovery. */
const SYNCFS_MAJOR = 14

/** Of every server of ours. */
export function commonSettings(place: Place): ServerSettings {
  return {
    hba_file: hbaPath(place),
    ident_file: identPath(place),
    unix_socket_directories: socketDirectory(place.layout),
    unix_socket_permissions: '0700',
    external_pid_file: '',
    // log/ holds hard links to segments of pg_wal: one that is used again would change under it.
    wal_recycle: 'off',
    // Zeros would be written to the volume, and kept, before the log itself is.
    wal_init_zero: 'off',
    // Nothing of production is touched: no archive, no publisher, no synchronous wait.
    archive_mode: 'off',
    archive_command: '',
    synchronous_standby_names: '',
    max_logical_replication_workers: '0',
    shared_preload_libraries: '',
    logging_collector: 'off',
    log_destination: 'stderr',
    log_line_prefix: '%m [%p] ',
    log_timezone: 'UTC',
    log_checkpoints: 'off',
    lc_messages: 'C',
    cluster_name: place.id,
    // A volume has a file system of its own: one call, where fsync of a thousand files of an empty
    // database takes as many turns of the engine.
    ...((findState(place.layout)?.major ?? 0) >= SYNCFS_MAJOR && {
      recovery_init_sync_method: 'syncfs',
    }),
  }
}

/**
 * @param remote  how users come in over TCP: nobody while the server is being prepared
 */
export interface ServerFiles {
  readonly settings: ServerSettings
  readonly remote: 'reject' | 'scram-sha-256'
  /** Whom we are. */
  readonly superuser: string
  /** Roles with more rights than an instance gives: nobody comes in as them. */
  readonly refused?: readonly string[]
  /** In production's place: its own lines about who comes in, and none of ours. */
  readonly own?: { readonly access: readonly string[]; readonly maps: readonly string[] }
}

/**
 * Writes them, each whole. A server that runs reads them at SIGHUP.
 *
 * @returns the names of the settings that are other than before
 */
export function writeServerFiles(place: Place, files: ServerFiles): Set<string> {
  const { settings, superuser } = files
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quote(value)}`)
  const before = readLines(configPath(place))
  const changed = [
    ...before.filter((line) => !lines.includes(line)),
    ...lines.filter((line) => !before.includes(line)),
  ].map((line) => line.split(' = ')[0]!)
  writeOwned(configPath(place), `${lines.join('\n')}\n`, place.user)
  writeOwned(hbaPath(place), `${accessLines(files).join('\n')}\n`, place.user)
  const maps = [`openmaas ${hbaName(ownName())} ${hbaName(superuser)}`, ...(files.own?.maps ?? [])]
  writeOwned(identPath(place), `${maps.join('\n')}\n`, place.user)
  return new Set(changed)
}

/** @returns whether that is other than before. Of a server that lets users in already. */
export function rewriteRefused(
  place: Place,
  who: { readonly superuser: string; readonly refused: readonly string[] },
): boolean {
  const before = readPrivateFile(hbaPath(place))
  const settings = {}
  const content = `${accessLines({ settings, remote: 'scram-sha-256', ...who }).join('\n')}\n`
  if (before === content) return false
  writeOwned(hbaPath(place), content, place.user)
  return true
}

/**
 * Other servers run as the same user of the system: who that is opens nothing. We come in by the
 * user that the agent has, everybody else by a password, and nobody as a superuser.
 */
function accessLines({ remote, superuser, refused = [], own }: ServerFiles): string[] {
  const roles = [...new Set([superuser, ...refused])].map(hbaName)
  const us = [
    `local all ${hbaName(superuser)} peer map=openmaas`,
    `local replication ${hbaName(superuser)} peer map=openmaas`,
  ]
  if (own !== undefined && remote !== 'reject') return [...us, ...own.access]
  return [
    ...us,
    ...roles.flatMap((role) => ['local', 'host'].map((type) => refuseLine(type, role))),
    'local all all scram-sha-256',
    `host all all 0.0.0.0/0 ${remote}`,
    `host all all ::/0 ${remote}`,
  ]
}

function refuseLine(type: string, role: string): string {
  return `${type} all ${role} ${type === 'host' ? 'all ' : ''}reject`
}

function ownName(): string {
  return userInfo().username
}

/** Quoted, no name is a keyword, a group or a pattern. */
function hbaName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

function readLines(path: string): string[] {
  return (readPrivateFile(path) ?? '').split('\n').filter((line) => line !== '')
}

export function configPath(place: Place): string {
  return join(place.layout.run, 'postgresql.conf')
}

function hbaPath(place: Place): string {
  return join(place.layout.run, 'pg_hba.conf')
}

function identPath(place: Place): string {
  return join(place.layout.run, 'pg_ident.conf')
}

/** postgresql.conf: a quote is doubled, and a backslash begins an escape. */
function quote(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`
}

/** For commands in settings, which a shell runs, with % as the escape of PostgreSQL. */
export function shellQuote(path: string): string {
  return `'${path.replaceAll("'", "'\\''").replaceAll('%', '%%')}'`
}

/** The command lines of the servers that the plug-in starts: standby, recovery and instance. */
import { createHash } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { VolumeLayout } from '@openmaas/source-kit/layout'
import type { Programs } from './programs.ts'

/** Our own logs, below log/: `binlog.000001`. */
export const BINLOG_BASE = 'binlog'

/** Option → value; null is an option without one. */
export type Options = Readonly<Record<string, string | null>>

/**
 * What production is set to and its data or its answers depend on. A name that a version does not
 * know is not among what production shows, so it is not asked of the standby either.
 */
export const CARRIED_SETTINGS = [
  'character_set_server',
  'collation_server',
  'default_storage_engine',
  'explicit_defaults_for_timestamp',
  'innodb_checksum_algorithm',
  'innodb_data_file_path',
  'innodb_log_file_size',
  'innodb_page_size',
  'innodb_redo_log_capacity',
  'innodb_undo_tablespaces',
  'lower_case_table_names',
  'sql_mode',
  'time_zone',
  'tx_isolation',
  'transaction_isolation',
] as const

/** Their server options, where these are called otherwise. Null: never given. */
const OPTION_NAMES: Readonly<Record<string, string>> = {
  time_zone: 'default-time-zone',
  tx_isolation: 'transaction-isolation',
}

/** What production was set to, for one that takes its place; of the time when it was copied. */
export const PRODUCTION_SETTINGS = [
  'character_set_server',
  'event_scheduler',
  'innodb_buffer_pool_size',
  'innodb_flush_log_at_trx_commit',
  'interactive_timeout',
  'local_infile',
  'max_allowed_packet',
  'max_connections',
  'sync_binlog',
  'wait_timeout',
] as const

const MARIADB_ONLY = new Set<string>(['innodb_undo_tablespaces', 'innodb_log_file_size'])

/** A packet holds a row; 1 GiB is the limit of the protocol, so that no row is ever refused. */
const PACKET_MAX = '1G'
/** The standby reads nothing but what it writes, and shares its host with many others. */
const STANDBY_BUFFER = '128M'

/** Of the id of a source or a virtual database: never production's, and the same each time. */
export function serverIdOf(id: string): number {
  // Above 2^31, since people number their servers from 1.
  return 0x8000_0000 + (createHash('sha256').update(id).digest().readUInt32BE(0) & 0x7fff_ffff)
}

export interface ServerIdentity {
  readonly layout: VolumeLayout
  readonly programs: Programs
  readonly id: string
  readonly carried: Readonly<Record<string, string>>
}

/** What all of them have. `--no-defaults`: the host's my.cnf is of another server. */
function commonOptions({ layout, programs, id, carried }: ServerIdentity): Options {
  const mariadb = programs.version.product === 'mariadb'
  return {
    ...carriedOptions(carried, mariadb),
    datadir: layout.data,
    socket: socketOf(layout),
    'pid-file': join(layout.run, 'server.pid'),
    'log-bin': join(layout.log, BINLOG_BASE),
    'log-bin-index': join(layout.log, `${BINLOG_BASE}.index`),
    'relay-log': 'relay-bin',
    'server-id': String(serverIdOf(id)),
    'binlog-format': 'ROW',
    'max-allowed-packet': PACKET_MAX,
    'innodb-buffer-pool-size': STANDBY_BUFFER,
    'skip-name-resolve': null,
    ...(mariadb
      ? {
          'log-slave-updates': null,
          'gtid-strict-mode': 'ON',
          'slave-max-allowed-packet': PACKET_MAX,
        }
      : {
          'gtid-mode': 'ON',
          'enforce-gtid-consistency': 'ON',
          'log-replica-updates': 'ON',
          'replica-max-allowed-packet': PACKET_MAX,
          mysqlx: 'OFF',
        }),
  }
}

/**
 * No SQL reaches a file outside the server's own, whatever rights production gave to whom: its
 * user of the operating system is also that of the standby and of the other instances. Libraries
 * come from the product's own directory, which is root's, as none is named here.
 *
 * They stand last: of an option that is given twice, or shortened, the last one counts.
 */
function confiningOptions({ layout, programs }: ServerIdentity): Options {
  const common = { 'local-infile': 'OFF' }
  return programs.version.product === 'mariadb'
    ? {
        ...common,
        // It has no value for "nowhere": an empty directory that the server cannot write to.
        'secure-file-priv': emptyDirectory(layout),
        'skip-symbolic-links': null, // Also DATA DIRECTORY of a table, of any engine.
      }
    : {
        ...common,
        'secure-file-priv': 'NULL',
        // SET PERSIST of whoever had the right to it.
        'persisted-globals-load': 'OFF',
      }
}

/** Beside the run directories, since these are the server's. */
export function emptyDirectory({ run }: Pick<VolumeLayout, 'run'>): string {
  return join(dirname(run), 'no-files')
}

function carriedOptions(carried: ServerIdentity['carried'], mariadb: boolean): Options {
  const options: Record<string, string> = {}
  for (const name of CARRIED_SETTINGS) {
    const value = limited(name, carried[name] ?? '')
    if (value === '') continue
    // MySQL manages its undo tablespaces in the dictionary, and has another size of redo log.
    if (!mariadb && MARIADB_ONLY.has(name)) continue
    if (name === 'tx_isolation' && carried['transaction_isolation'] !== undefined) continue
    options[OPTION_NAMES[name] ?? name.replaceAll('_', '-')] = value
  }
  return options
}

/** A redo log as large as production's would only make a clone recover longer. */
const REDO_MAX = 96 * 1024 * 1024

function limited(name: string, value: string): string {
  const redo = name === 'innodb_log_file_size' || name === 'innodb_redo_log_capacity'
  return redo && Number(value) > REDO_MAX ? String(REDO_MAX) : value
}

/** Follows production: nobody connects, nothing is lost in a crash, no log is removed but by us. */
export function standbyOptions(identity: ServerIdentity, synchronous: boolean): Options {
  const mariadb = identity.programs.version.product === 'mariadb'
  return {
    ...commonOptions(identity),
    'skip-networking': null,
    'event-scheduler': 'OFF',
    'sync-binlog': '1',
    'innodb-flush-log-at-trx-commit': '1',
    'binlog-expire-logs-seconds': '0',
    'performance-schema': 'OFF', // A third of its start, and 200 MB.
    'relay-log-recovery': 'ON',
    ...(mariadb
      ? {
          'read-only': 'ON',
          // Commits of one group share their flushes; the order of commits is kept. Optimistic, it
          // rolls back whatever met the same row (201 against 143 transactions a second of a load
          // with one hot row, 1250 against 1070 of one with none), and 10.11.19 was met hanging at
          // its end: a worker waited for a deadlock kill that never came.
          'slave-parallel-threads': '4',
          'slave-parallel-mode': 'conservative',
        }
      : { 'replica-preserve-commit-order': 'ON' }),
    ...(synchronous && synchronousOptions(mariadb)),
    ...confiningOptions(identity),
  }
}

/**
 * MySQL's relay log is on the disk before production is told. That of MariaDB is not: it would be
 * synced once for each event, and production came to six commits a second; for nothing, since
 * relay-log-recovery throws away whatever was not applied when the standby died, however well it
 * was kept, and fetches it anew.
 */
const synchronousOptions = (mariadb: boolean): Options =>
  mariadb
    ? { 'rpl-semi-sync-slave-enabled': 'ON' }
    : {
        'sync-relay-log': '1',
        'plugin-load-add': 'semisync_replica.so',
        'rpl-semi-sync-replica-enabled': 'ON',
      }

/** Recovers a clone in peace: no network, no replication; its clean end makes it durable. */
export function recoveryOptions(identity: ServerIdentity, settings: Options): Options {
  const mariadb = identity.programs.version.product === 'mariadb'
  return {
    ...commonOptions(identity),
    ...settings,
    'skip-networking': null,
    'event-scheduler': 'OFF',
    'sync-binlog': '0',
    'innodb-flush-log-at-trx-commit': '2',
    'binlog-expire-logs-seconds': '0',
    'performance-schema': 'OFF',
    'innodb-buffer-pool-dump-at-shutdown': 'OFF',
    'innodb-buffer-pool-load-at-startup': 'OFF',
    ...(mariadb ? { 'skip-slave-start': null } : { 'skip-replica-start': 'ON' }),
    ...confiningOptions(identity),
  }
}

export interface Opening {
  readonly port: number
  readonly listen: readonly string[]
  readonly settings: Options
  /** Goes on following production: read-only. */
  readonly follows: boolean
  /** Stands where production stood: nothing confines it. */
  readonly asProduction?: boolean
}

/** A server for its users. */
export function instanceOptions(identity: ServerIdentity, opening: Opening): Options {
  const mariadb = identity.programs.version.product === 'mariadb'
  const { follows, asProduction = false } = opening
  // Accounts may be of named hosts.
  const { 'skip-name-resolve': _, ...named } = commonOptions(identity)
  return {
    ...(asProduction ? named : commonOptions(identity)),
    // For readers of changes; nothing of ours needs it.
    'binlog-expire-logs-seconds': '86400',
    ...(asProduction && productionOptions(identity)),
    ...opening.settings,
    ...(follows && {
      'read-only': 'ON',
      'relay-log-recovery': 'ON',
      'event-scheduler': 'OFF',
    }),
    // Also of one that follows: whether it goes on or is paused is said after each start.
    ...(mariadb ? { 'skip-slave-start': null } : { 'skip-replica-start': 'ON' }),
    port: String(opening.port),
    'bind-address': opening.listen.join(','),
    ...(!asProduction && confiningOptions(identity)),
  }
}

function productionOptions({ carried }: ServerIdentity): Options {
  const known = PRODUCTION_SETTINGS.flatMap((name): [string, string][] => {
    const value = carried[name] ?? ''
    return value === '' ? [] : [[name.replaceAll('_', '-'), value]]
  })
  return Object.fromEntries(known)
}

export function socketOf(layout: Pick<VolumeLayout, 'run'>): string {
  return join(layout.run, 'mysql.sock')
}

/** The command itself; `--no-defaults` must be the first. */
export function serverCommand(programs: Programs, options: Options): string[] {
  const words = Object.entries(options).map(([name, value]) =>
    value === null ? `--${name}` : `--${name}=${value}`,
  )
  return [programs.server, '--no-defaults', ...words]
}

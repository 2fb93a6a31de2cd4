/**
 * Whether production can be protected: what must hold, and the SQL that makes it hold. Asks only.
 *
 * The least-privilege role: it may copy and stream (REPLICATION) and look at statistics
 * (pg_monitor); it reads no table.
 */
import { execFileSync } from 'node:child_process'
import type {
  DatabaseConnection,
  DatabaseParams,
  DatabaseResult,
} from '@openmaas/protocols/channel/database-orders'
import { type Queries, tryReplication, withConnection } from './connection.ts'
import type { PostgresOptions } from './place.ts'
import { describeProduction, type Production } from './production.ts'
import { listPrograms } from './programs.ts'

type Check = DatabaseResult<'database.check'>['checks'][number]

/** For the role's name in remedies; quoted as an identifier is. */
function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}

/** The SQL that makes a role which may protect a cluster, and nothing more. */
export function roleSql(user: string, password: string | null = null): string {
  const secret = password === null ? '' : ` PASSWORD '${password.replaceAll("'", "''")}'`
  return [
    `CREATE ROLE ${identifier(user)} LOGIN REPLICATION${secret};`,
    `GRANT pg_monitor TO ${identifier(user)};`,
  ].join('\n')
}

export async function check(
  { connection }: DatabaseParams<'database.check'>,
  options: PostgresOptions,
): Promise<DatabaseResult<'database.check'>> {
  return await withConnection(connection, async (queries) => {
    const production = await describeProduction(queries)
    const settings = await readSettings(queries)
    const role = await roleCheck(queries, connection.user)
    const checks = [
      programsCheck(production, options),
      role,
      ...walChecks(settings),
      await sendersCheck(queries, settings),
      await slotsCheck(queries, settings),
      slotLimitCheck(settings),
      checksumsCheck(settings),
      await replicationEntryCheck(connection, role),
      encryptionCheck(connection),
      sameHostCheck(connection),
      await localesCheck(queries),
      await unloggedCheck(queries),
    ]
    const { version, sizeBytes, systemIdentifier } = production
    return { version, sizeBytes, identity: systemIdentifier, checks }
  })
}

const NAMES = [
  'wal_level',
  'max_wal_senders',
  'max_replication_slots',
  'max_slot_wal_keep_size',
  'data_checksums',
  'fsync',
  'full_page_writes',
] as const

type Settings = Readonly<Record<(typeof NAMES)[number], string>>

async function readSettings(queries: Queries): Promise<Settings> {
  const rows = await queries.rows('select name, setting from pg_settings where name = any($1)', [
    NAMES,
  ])
  return Object.fromEntries(rows.map((row) => [row['name'], row['setting']])) as Settings
}

const fine = (name: string, message: string): Check => ({ name, ok: true, message, remedy: '' })

function programsCheck({ major }: Production, options: PostgresOptions): Check {
  const folder = listPrograms(options.programs ?? {}).get(major)
  if (folder !== undefined) return fine('programs', `PostgreSQL ${major} is at ${folder}`)
  const message = `this host has no programs of PostgreSQL ${major}, which the standby needs`
  const remedy =
    `install the package postgresql-${major} here, ` + `or set OPENMAAS_POSTGRES_BIN_${major}`
  return { name: 'programs', ok: false, message, remedy }
}

async function roleCheck(queries: Queries, user: string): Promise<Check> {
  const [row] = await queries.rows(`
    select rolreplication or rolsuper as replication,
           pg_has_role('pg_monitor', 'USAGE') as monitor
      from pg_roles where rolname = current_user`)
  const lacks = [
    row?.['replication'] === true ? '' : `ALTER ROLE ${identifier(user)} REPLICATION;`,
    row?.['monitor'] === true ? '' : `GRANT pg_monitor TO ${identifier(user)};`,
  ].filter(Boolean)
  if (lacks.length === 0) return fine('role', `${user} may copy, stream and look at statistics`)
  const message = `${user} may not do all that protection needs`
  return { name: 'role', ok: false, message, remedy: lacks.join('\n') }
}

function walChecks(settings: Settings): Check[] {
  const { wal_level: level } = settings
  const enough = level === 'replica' || level === 'logical'
  const remedy = "ALTER SYSTEM SET wal_level = 'replica'; -- then restart the server"
  const checks = [
    enough
      ? fine('wal_level', `wal_level is ${level}`)
      : {
          name: 'wal_level',
          ok: false,
          message: `wal_level is ${level}: no copy can follow`,
          remedy,
        },
  ]
  for (const name of ['fsync', 'full_page_writes'] as const) {
    if (settings[name] === 'on') continue
    const message = `${name} is off: production itself does not survive a power failure`
    const mend = `ALTER SYSTEM SET ${name} = on; SELECT pg_reload_conf();`
    checks.push({ name, ok: false, message, remedy: mend })
  }
  return checks
}

/** One for the standby, and two for a seed: its copy and its log. */
const SENDERS_NEEDED = 3

async function sendersCheck(queries: Queries, settings: Settings): Promise<Check> {
  const max = Number(settings.max_wal_senders)
  const used = Number(await queries.value('select count(*) from pg_stat_replication'))
  if (max - used >= SENDERS_NEEDED) {
    return fine('max_wal_senders', `${max - used} of ${max} WAL senders are free`)
  }
  const more = used + SENDERS_NEEDED + 4
  const remedy = `ALTER SYSTEM SET max_wal_senders = ${more}; -- then restart the server`
  const message = `${max - used} of ${max} WAL senders are free, and ${SENDERS_NEEDED} are needed`
  return { name: 'max_wal_senders', ok: false, message, remedy }
}

async function slotsCheck(queries: Queries, settings: Settings): Promise<Check> {
  const max = Number(settings.max_replication_slots)
  const used = Number(await queries.value('select count(*) from pg_replication_slots'))
  if (max > used) return fine('max_replication_slots', `${max - used} of ${max} slots are free`)
  const remedy = `ALTER SYSTEM SET max_replication_slots = ${used + 4}; -- then restart the server`
  const message = `all ${max} replication slots are in use`
  return { name: 'max_replication_slots', ok: false, message, remedy }
}

/** A warning: protection works without, as long as an agent runs that watches the slot. */
function slotLimitCheck(settings: Settings): Check {
  const size = Number(settings.max_slot_wal_keep_size)
  const name = 'max_slot_wal_keep_size'
  if (size >= 0) return fine(name, `a slot keeps at most ${size} MB on production's disk`)
  const message =
    'a slot may fill the disk of production while no agent runs that could give it up (warning)'
  const remedy = "ALTER SYSTEM SET max_slot_wal_keep_size = '16GB'; SELECT pg_reload_conf();"
  return { name, ok: true, message, remedy }
}

function checksumsCheck(settings: Settings): Check {
  const name = 'data_checksums'
  if (settings.data_checksums === 'on') return fine(name, 'pages carry checksums')
  const message = 'pages carry no checksums: damage on disk of production goes unseen (warning)'
  const remedy = 'stop the server and run: pg_checksums --enable -D <data directory>'
  return { name, ok: true, message, remedy }
}

/** Of SQLSTATE: who we are, how we prove it, and which line lets whom in. */
const NOT_LET_IN = new Set(['28000', '28P01'])
/** Inside PostgreSQL's own words, the address by which it knows this host. */
const FROM_HOST = /from host "([^"]+)"/

/**
 * pg_hba.conf has lines of their own for replication: only trying tells. A role that may not
 * replicate is refused before those lines count, so they are looked at once it may.
 */
async function replicationEntryCheck(connection: DatabaseConnection, role: Check): Promise<Check> {
  const name = 'pg_hba'
  const trouble = await tryReplication(connection)
  if (trouble === null) return fine(name, 'a replication connection is let in')
  const { sqlstate, message: said } = trouble
  const message = `no replication connection: ${said}`
  if (role.remedy.includes(' REPLICATION;')) {
    const later = 'not known before the role may replicate: run this SQL, then check again'
    return { name, ok: false, message: later, remedy: role.remedy }
  }
  if (!NOT_LET_IN.has(sqlstate)) {
    return { name, ok: false, message, remedy: 'the log of production says more of the reason' }
  }
  const user = identifier(connection.user)
  const address = FROM_HOST.exec(said)?.[1] ?? '<address of this host>'
  const kind = connection.tls === 'off' ? 'host' : 'hostssl'
  const bits = address.includes(':') ? 128 : 32
  const line = connection.host.startsWith('/')
    ? `local replication ${user} scram-sha-256`
    : `${kind} replication ${user} ${address}/${bits} scram-sha-256`
  const remedy = `# add to pg_hba.conf, then: SELECT pg_reload_conf();\n${line}`
  return { name, ok: false, message, remedy }
}

function isLocal({ host }: DatabaseConnection): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || host.startsWith('127.')
}

/** A tablespace that is made later ends the following: its path is production's alone. */
function sameHostCheck(connection: DatabaseConnection): Check {
  const name = 'same_host'
  if (!isLocal(connection)) return fine(name, 'production runs on another host')
  const message =
    'production runs on the host of its standby: what breaks the host takes both (warning)'
  return { name, ok: true, message, remedy: 'stage on another host: --on <host>' }
}

function encryptionCheck(connection: DatabaseConnection): Check {
  const { tls } = connection
  const local = isLocal(connection)
  if (tls === 'verify' || local)
    return fine('encryption', local ? 'the connection is local' : 'TLS')
  const message =
    tls === 'require'
      ? 'the connection is encrypted, but the server’s certificate is not verified (warning)'
      : 'the connection is not encrypted: the log with all data goes in the clear (warning)'
  return { name: 'encryption', ok: true, message, remedy: 'set tls to "verify", with the CA' }
}

/** A database whose locale this host lacks can be copied, but not connected to. */
async function localesCheck(queries: Queries): Promise<Check> {
  const rows = await queries.rows(
    'select distinct datcollate as name from pg_database union select datctype from pg_database',
  )
  const present = new Set(['c', 'posix', 'c.utf8', ...hostLocales()].map(plainLocale))
  const absent = rows
    .map((row) => String(row['name']))
    .filter((one) => !present.has(plainLocale(one)))
  if (absent.length === 0) return fine('locales', 'this host has the locales of every database')
  const message =
    `this host lacks the locale ${absent.join(', ')}: ` + 'such a database cannot be opened here'
  const remedy = `on this host: add it to /etc/locale.gen and run locale-gen`
  return { name: 'locales', ok: false, message, remedy }
}

function plainLocale(name: string): string {
  return name.toLowerCase().replaceAll('-', '')
}

function hostLocales(): string[] {
  try {
    return execFileSync('locale', ['-a'], { encoding: 'utf8', timeout: 10_000 }).split('\n')
  } catch {
    return [] // A host without the program has the built-in ones only.
  }
}

/** Unlogged tables are not in the log: a copy has them empty. Of the database we are in. */
async function unloggedCheck(queries: Queries): Promise<Check> {
  const sql = "select count(*) from pg_class where relpersistence = 'u' and relkind = 'r'"
  const count = Number(await queries.value(sql))
  if (count === 0) return fine('unlogged', 'no unlogged table was seen')
  const message = `${count} unlogged tables are empty on every copy (warning)`
  return { name: 'unlogged', ok: true, message, remedy: 'ALTER TABLE … SET LOGGED;' }
}

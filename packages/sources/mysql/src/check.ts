/** Whether production can be protected, and what to run on it when it cannot. */
import { hostname } from 'node:os'
import type { DatabaseParams, DatabaseResult } from '@openmaas/protocols/channel/database-orders'
import { isMaasError } from '@openmaas/kernel/errors'
import { openProduction } from './production.ts'
import { findPrograms } from './programs.ts'
import { numberOf } from './session.ts'
import type { Session } from './session.ts'
import { dataSize, listTables } from './tables.ts'
import { productTitle } from './version.ts'
import type { Product, ServerVersion } from './version.ts'
import { dialectOf } from './volume.ts'
import type { PluginOptions } from './volume.ts'

type Params = DatabaseParams<'database.check'>
type Result = DatabaseResult<'database.check'>
type Check = Result['checks'][number]

/** The least that suffices. */
const PRIVILEGES: Readonly<Record<Product, readonly string[]>> = {
  mariadb: ['RELOAD', 'PROCESS', 'LOCK TABLES', 'BINLOG MONITOR', 'REPLICATION SLAVE'],
  mysql: ['BACKUP_ADMIN', 'PROCESS', 'REPLICATION CLIENT', 'REPLICATION SLAVE'],
}
/** A staging host that is away for an evening must find its log again. */
const KEEP_SECONDS_MIN = 24 * 3600
/** Tables that are named in a warning. */
const NAMED_MAX = 10

export async function check(params: Params, options: PluginOptions): Promise<Result> {
  const production = await openProduction(params.connection)
  await using session = production.session
  const { version } = production
  const dialect = dialectOf(version.product)
  const variables = await readVariables(session)
  const privileges = await privilegeCheck(session, params, version.product)
  return {
    version: `${productTitle(version.product)} ${version.number}`,
    sizeBytes: privileges.ok ? await dataSize(session) : 0,
    identity: await dialect.identity(session),
    checks: [
      await programCheck(version, options),
      privileges,
      passwordCheck(params),
      ...logChecks(version.product, variables),
      ...(version.product === 'mysql' ? [await cloneCheck(session)] : []),
      networkCheck(variables),
      await engineCheck(session),
    ],
  }
}

type Variables = ReadonlyMap<string, string>

async function readVariables(session: Session): Promise<Variables> {
  const rows = await session.rows('SHOW GLOBAL VARIABLES')
  return new Map(rows.map((row) => [row['Variable_name'] ?? '', row['Value'] ?? '']))
}

async function programCheck(version: ServerVersion, options: PluginOptions): Promise<Check> {
  const name = 'programs'
  const title = `${productTitle(version.product)} ${version.series}`
  try {
    const { server } = await findPrograms(version, options.programDirectories)
    return { name, ok: true, message: `${title} is on this host: ${server}`, remedy: '' }
  } catch (error) {
    const known =
      isMaasError(error, 'DATABASE_VERSION_UNSUPPORTED') || isMaasError(error, 'MISSING_PROGRAM')
    if (!known) throw error
    return { name, ok: false, message: error.message, remedy: `install ${title} on ${hostname()}` }
  }
}

async function privilegeCheck(session: Session, params: Params, product: Product): Promise<Check> {
  const granted = (await session.rows('SHOW GRANTS'))
    .map((row) => Object.values(row)[0] ?? '')
    .filter((text) => / ON \*\.\* TO /.test(text))
    .join('\n')
    .toUpperCase()
  const all = /GRANT ALL PRIVILEGES ON \*\.\*/.test(granted)
  // MariaDB 10.5 and later show their own names of rights that MySQL calls otherwise.
  const missing = PRIVILEGES[product].filter((right) => !all && !granted.includes(right))
  const account = `'${params.connection.user}'@'%'`
  const user = (await session.value('SELECT CURRENT_USER()')) ?? account
  const [name = '', host = '%'] = user.split(/@(?=[^@]*$)/)
  return {
    name: 'privileges',
    ok: missing.length === 0,
    message:
      missing.length === 0 ? 'the user has what it needs' : `the user lacks ${missing.join(', ')}`,
    remedy:
      missing.length === 0 ? '' : `GRANT ${missing.join(', ')} ON *.* TO '${name}'@'${host}';`,
  }
}

function passwordCheck({ connection }: Params): Check {
  const ok = connection.password !== null
  return {
    name: 'password',
    ok,
    message: ok ? 'the user has a password' : 'replication needs a user with a password',
    remedy: ok ? '' : createUser(connection.user),
  }
}

function createUser(user: string): string {
  return `CREATE USER '${user}'@'%' IDENTIFIED BY '...';`
}

function logChecks(product: Product, variables: Variables): Check[] {
  const value = (name: string): string => variables.get(name) ?? ''
  const setting = (name: string, wanted: readonly string[], remedy: string): Check => {
    // A version that has dropped the setting does as if it were right.
    const ok = !variables.has(name) || wanted.includes(value(name).toUpperCase())
    const wish = ok ? '' : `, and must be ${wanted[0]}`
    const message = `${name} is ${value(name) || 'unknown'}${wish}`
    return { name, ok, message, remedy: ok ? '' : remedy }
  }
  const id = Number(value('server_id'))
  const replica = product === 'mariadb' ? 'log_slave_updates' : 'log_replica_updates'
  return [
    setting('log_bin', ['ON', '1'], `[mysqld]\nlog_bin = binlog\n${replica} = ON`),
    setting(
      'binlog_format',
      ['ROW', 'MIXED'],
      "SET GLOBAL binlog_format = 'ROW'; -- and in my.cnf",
    ),
    {
      name: 'server_id',
      ok: id > 0,
      message: `server_id is ${value('server_id')}`,
      remedy: id > 0 ? '' : '[mysqld]\nserver_id = 1',
    },
    ...(product === 'mysql'
      ? [gtidCheck(value('gtid_mode'))]
      : [strictCheck(value('gtid_strict_mode'))]),
    retentionCheck(value('binlog_expire_logs_seconds')),
  ]
}

function gtidCheck(mode: string): Check {
  const ok = mode === 'ON'
  const steps = ['OFF_PERMISSIVE', 'ON_PERMISSIVE', 'ON'].map(
    (step) => `SET PERSIST gtid_mode = ${step};`,
  )
  return {
    name: 'gtid_mode',
    ok,
    message: `gtid_mode is ${mode}${ok ? '' : ', and must be ON'}`,
    remedy: ok ? '' : ['SET PERSIST enforce_gtid_consistency = ON;', ...steps].join('\n'),
  }
}

/** No failure: the standby is strict, and stops when production's order is broken. */
function strictCheck(mode: string): Check {
  const ok = mode === 'ON'
  return {
    name: 'gtid_strict_mode',
    ok: true,
    message: `gtid_strict_mode is ${mode}${ok ? '' : '; ON keeps transaction ids in order'}`,
    remedy: ok ? '' : 'SET GLOBAL gtid_strict_mode = ON; -- and in my.cnf',
  }
}

function retentionCheck(text: string): Check {
  const seconds = text === '' ? 0 : numberOf(text)
  // Zero: never removed.
  const ok = seconds === 0 || seconds >= KEEP_SECONDS_MIN
  return {
    name: 'binlog retention',
    ok,
    message: seconds === 0 ? 'binlogs are never removed' : `binlogs are kept for ${seconds} s`,
    remedy: ok
      ? ''
      : `SET GLOBAL binlog_expire_logs_seconds = ${KEEP_SECONDS_MIN}; -- and in my.cnf`,
  }
}

async function cloneCheck(session: Session): Promise<Check> {
  const sql = "SELECT plugin_status FROM information_schema.plugins WHERE plugin_name = 'clone'"
  const ok = (await session.value(sql)) === 'ACTIVE'
  return {
    name: 'clone plugin',
    ok,
    message: ok ? 'the clone plugin is active' : 'the clone plugin is not installed',
    remedy: ok ? '' : "INSTALL PLUGIN clone SONAME 'mysql_clone.so';",
  }
}

function networkCheck(variables: Variables): Check {
  const ok = !['ON', '1'].includes(variables.get('skip_networking') ?? 'OFF')
  return {
    name: 'network',
    ok,
    message: ok ? `listens on port ${variables.get('port')}` : 'skip_networking is on',
    remedy: ok ? '' : '[mysqld]\nskip_networking = 0',
  }
}

/** A warning: other engines are copied, and not crash-safe. */
async function engineCheck(session: Session): Promise<Check> {
  const tables = await listTables(session, false)
  const names = tables
    .slice(0, NAMED_MAX)
    .map((table) => `${table.schema}.${table.name} (${table.engine})`)
  const more = tables.length > NAMED_MAX ? ` and ${tables.length - NAMED_MAX} more` : ''
  const alter = tables
    .slice(0, NAMED_MAX)
    .map((table) => `ALTER TABLE \`${table.schema}\`.\`${table.name}\` ENGINE = InnoDB;`)
  return {
    name: 'storage engines',
    ok: true,
    message:
      tables.length === 0
        ? 'all tables are InnoDB'
        : `not InnoDB, so not safe in a crash: ${names.join(', ')}${more}`,
    remedy: alter.join('\n'),
  }
}

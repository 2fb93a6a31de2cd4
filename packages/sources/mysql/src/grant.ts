/**
 * The account of a virtual database's user, and what becomes of production's accounts there.
 *
 * The server runs as an operating-system user that also owns the standby and other instances. So
 * its user has all rights on data and none that leave it: no FILE, SUPER, SHUTDOWN, CREATE
 * TABLESPACE, CREATE USER, REPLICATION … or … ADMIN, and nothing in `mysql`, whose tables hold
 * accounts, libraries to load and, while it follows, the password for production.
 */
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import { LOCAL_ADMIN } from './private-server.ts'
import type { Session } from './session.ts'
import { listDatabases } from './tables.ts'

/** On each database, those to come too. */
const DATA_RIGHTS =
  'SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES, INDEX, ALTER, LOCK TABLES, ' +
  'CREATE TEMPORARY TABLES, EXECUTE, CREATE VIEW, SHOW VIEW, CREATE ROUTINE, ALTER ROUTINE, ' +
  'EVENT, TRIGGER'

/** Of the servers themselves. */
const RESERVED = new Set([LOCAL_ADMIN, 'mysql.sys', 'mysql.session', 'mysql.infoschema'])
RESERVED.add('mariadb.sys')

export interface Owner {
  readonly user: string
  readonly password: string
  /** It goes on following production. */
  readonly follows: boolean
}

/** @throws MaasError REQUEST_INVALID */
export function checkOwner(user: string): void {
  if (!RESERVED.has(user.trim().toLowerCase())) return
  throw new MaasError('REQUEST_INVALID', `the user name "${user}" is the server's own`, { user })
}

/**
 * Makes the user, or gives it this password and these rights wherever it may come from. Whoever
 * else production knows is locked out: some of them may do anything, and by CREATE USER, a role or
 * a write to `mysql` become others. Their names stay, since views and routines run as them.
 */
export async function grantOwner(session: Session, owner: Owner): Promise<void> {
  const { user, password } = owner
  checkOwner(user)
  await session.run('SET SESSION sql_log_bin = 0')
  const mariadb = (await session.value('SELECT VERSION()'))?.includes('MariaDB') === true
  await lockOthers(session, user)
  const old = await session.rows('SELECT Host FROM mysql.user WHERE User = ?', [user])
  const accountAt = (host: string): string => `${session.quote(user)}@${session.quote(host)}`
  // With all that production granted it, roles too.
  for (const row of old) await runOn(session, `DROP USER ${accountAt(row['Host'] ?? '%')}`)
  // "localhost" beside "%": an anonymous user of that host would be taken for ours.
  for (const host of ['%', 'localhost']) {
    const account = accountAt(host)
    await session.run(`CREATE USER ${account} IDENTIFIED BY ${session.quote(password)}`)
    for (const statement of await grantsOf(session, owner, mariadb)) {
      await session.run(`${statement.sql} TO ${account}${statement.tail}`)
    }
  }
}

interface Grant {
  readonly sql: string
  readonly tail: '' | ' WITH GRANT OPTION'
}

async function grantsOf(session: Session, owner: Owner, mariadb: boolean): Promise<Grant[]> {
  const grants: Grant[] = []
  const add = (sql: string, tail: Grant['tail'] = ''): number => grants.push({ sql, tail })
  // Who sees all statements sees the one that names production's password.
  const watching = owner.follows ? '' : ', PROCESS'
  add(`GRANT RELOAD, SHOW DATABASES${watching} ON *.*`)
  add(`GRANT ${DATA_RIGHTS} ON \`%\`.*`)
  // Of several names that match, the one without wildcards counts alone: that right is harmless
  // without SELECT, and takes the place of those above.
  add('GRANT SHOW VIEW ON `mysql`.*')
  if (mariadb) {
    // Bodies of routines, which a dump reads.
    add('GRANT SELECT ON `mysql`.`proc`')
  } else {
    const known = await session.rows('SHOW PRIVILEGES')
    const names = new Set(known.map((row) => row['Privilege']?.toUpperCase()))
    if (names.has('SHOW_ROUTINE')) add('GRANT SHOW_ROUTINE ON *.*')
  }
  // Rights are passed on in databases by name only: a pattern could be made to mean `mysql`.
  for (const name of await listDatabases(session)) {
    add(`GRANT ${DATA_RIGHTS} ON ${pattern(name)}.*`, ' WITH GRANT OPTION')
  }
  return grants
}

/** A name of a database in GRANT is a pattern: in it, this is the name itself. */
function pattern(name: string): string {
  return `\`${name.replaceAll('`', '``').replace(/[\\_%]/g, (character) => `\\${character}`)}\``
}

async function lockOthers(session: Session, user: string): Promise<void> {
  const rows = await session.rows('SELECT User AS u, Host AS h FROM mysql.user')
  for (const { u, h } of rows) {
    const name = u ?? ''
    // MariaDB: a role has no host, and nobody logs in as one.
    if (name === user || RESERVED.has(name) || (h ?? '') === '') continue
    await runOn(session, `ALTER USER ${session.quote(name)}@${session.quote(h!)} ACCOUNT LOCK`)
  }
}

/** ER_CANNOT_USER: MariaDB ignores accounts of named hosts, as it looks no name up. */
const IGNORED = 1396

async function runOn(session: Session, sql: string): Promise<void> {
  try {
    await session.run(sql)
  } catch (error) {
    if (!isMaasError(error, 'DATABASE_REFUSED') || error.details['number'] !== IGNORED) throw error
  }
}

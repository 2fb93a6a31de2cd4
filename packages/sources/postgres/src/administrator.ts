/**
 * The user of an instance. It may do with the data what it likes, and nothing to the host: a
 * superuser of PostgreSQL runs programs and writes files as the user of all servers here.
 *
 * So it is a member of the roles that own what is in the cluster, owns the databases, and reads
 * and writes what the superuser owns. No way leads from it to a role that leaves the database.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { Queries } from './connection.ts'

/** From 16 on, who may create roles may not make members of roles that were not given to it. */
const ROLES_APART = 160_000

/** Whoever is a member of one of these may do what a superuser may to the host. */
const POWERFUL = `(p.rolsuper
  or p.rolname in ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
  or (p.rolcreaterole and p.oid > 16383
      and current_setting('server_version_num')::int < ${ROLES_APART}))`

/** Of a role r: by itself or through others. */
const IS_POWERFUL = `exists (select 1 from pg_roles p
  where ${POWERFUL} and pg_has_role(r.oid, p.oid, 'member'))`

const GIVEN = ['pg_read_all_data', 'pg_write_all_data', 'pg_monitor']

/** Owners of anything in any database; the bootstrap superuser is never among them. */
const OWNERS = `select r.rolname as name from pg_roles r
   where r.rolname <> $1 and not ${IS_POWERFUL}
     and not pg_has_role(r.oid, (select oid from pg_roles where rolname = $1), 'member')
     and (r.rolname = any ($2) or r.oid in (
       select refobjid from pg_shdepend where deptype = 'o' and refclassid = 'pg_authid'::regclass))
   order by 1`

/** Memberships that production has given it, and an instance does not. */
const TOO_MUCH = `select r.rolname as name,
         (select rolname from pg_roles where oid = m.grantor) as giver
    from pg_auth_members m join pg_roles r on r.oid = m.roleid
   where m.member = (select oid from pg_roles where rolname = $1) and ${IS_POWERFUL}`

const DATABASES = `select datname as name from pg_database
   where not datistemplate
     and not pg_has_role((select oid from pg_roles where rolname = $1), datdba, 'usage')`

/**
 * The password goes as a literal that the server quotes, and is stored as SCRAM.
 *
 * @throws MaasError CONFIG_INVALID for a name that cannot be a user's
 */
export async function makeAdministrator(
  queries: Queries,
  user: string,
  password: string,
): Promise<void> {
  const [found] = await queries.rows(
    `select r.oid = 10 as bootstrap from pg_roles r where r.rolname = $1`,
    [user],
  )
  if (found?.['bootstrap'] === true || user.startsWith('pg_')) {
    const message = `"${user}" is a role of the server itself: choose another name`
    throw new MaasError('CONFIG_INVALID', message, { user })
  }
  const version = Number(await queries.value("select current_setting('server_version_num')"))
  const apart = version >= ROLES_APART
  const run = async (format: string, ...names: string[]): Promise<void> => {
    const marks = names.map((_, index) => `$${index + 2}::text`).join(', ')
    const sql = await queries.value(`select format($1::text, ${marks})`, [format, ...names])
    await queries.rows(String(sql))
  }
  await queries.rows("set password_encryption = 'scram-sha-256'")
  const rights =
    `nosuperuser createdb ${apart ? 'createrole' : 'nocreaterole'} inherit login ` +
    'noreplication nobypassrls'
  const verb = found === undefined ? 'create' : 'alter'
  await run(`${verb} role %I ${rights} password %L valid until 'infinity'`, user, password)
  for (const { name, giver } of await queries.rows(TOO_MUCH, [user])) {
    if (apart) await run('revoke %I from %I granted by %I cascade', text(name), user, text(giver))
    else await run('revoke %I from %I', text(name), user)
  }
  for (const { name } of await queries.rows(OWNERS, [user, GIVEN])) {
    const how = apart ? ' with inherit true, set true' : ''
    await run(`grant %I to %I${how}`, text(name), user)
  }
  for (const { name } of await queries.rows(DATABASES, [user])) {
    await run('alter database %I owner to %I', text(name), user)
  }
}

/** Roles that reach out of the database: nobody may come in as them. */
export async function listPowerful(queries: Queries): Promise<string[]> {
  const rows = await queries.rows(
    `select r.rolname as name from pg_roles r where r.oid > 16383 and ${IS_POWERFUL} order by 1`,
  )
  return rows.map(({ name }) => text(name))
}

function text(value: unknown): string {
  return String(value)
}

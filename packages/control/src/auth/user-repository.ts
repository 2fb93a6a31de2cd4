/** People in the catalog. Names are kept in lower case: `Anna` and `anna` are one person. */
import { z } from 'zod'
import type { Kysely, Selectable, Updateable } from 'kysely'
import { ROLES } from '@openmaas/api/permissions'
import type { LabelSelector, Principal, Role } from '@openmaas/api/permissions'
import type { User } from '@openmaas/api/resources/user'
import { MaasError } from '@openmaas/kernel/errors'
import type { CatalogTables } from '../catalog/schema.ts'
import { secondFactor } from './second-factor.ts'
import type { SecondFactor } from './second-factor.ts'
import type { ServerKey } from './server-key.ts'

export type UserRow = Selectable<CatalogTables['user']>
type Db = Kysely<CatalogTables>

/** A role that a newer version knows is dropped, not an error: it gives nothing here. */
const rolesText = z
  .array(z.string())
  .transform((all) => all.filter((one): one is Role => ROLES.some((role) => role === one)))
const scopeText = z.record(z.string(), z.union([z.string(), z.array(z.string())])).nullable()

export function parseRoles(text: string): Role[] {
  return rolesText.parse(JSON.parse(text))
}

/** What cannot be read shows nothing, rather than everything: it throws. */
export function parseScope(text: string | null): LabelSelector | null {
  return text === null ? null : scopeText.parse(JSON.parse(text))
}

/** What a session of this person authenticates as. */
export function principalOf(user: UserRow, sessionHash: string): Principal {
  const mustChange = user.mustChangePassword === 1
  return {
    actor: `user:${user.id}`,
    userId: user.id,
    // Nothing but changing it, until it is changed.
    roles: mustChange ? [] : parseRoles(user.rolesJson),
    scope: parseScope(user.scopeJson),
    sessionHash,
    ...(mustChange ? { mustChangePassword: true as const } : {}),
  }
}

export function foldName(name: string): string {
  return name.normalize('NFC').toLowerCase()
}

export function findUser(db: Db, id: string): Promise<UserRow | undefined> {
  return db.selectFrom('user').selectAll().where('id', '=', id).executeTakeFirst()
}

/** @throws MaasError USER_NOT_FOUND */
export async function loadUser(db: Db, id: string): Promise<UserRow> {
  const row = await findUser(db, id)
  if (row === undefined) throw new MaasError('USER_NOT_FOUND', 'no such user', { userId: id })
  return row
}

export function findUserByName(db: Db, name: string): Promise<UserRow | undefined> {
  return db.selectFrom('user').selectAll().where('name', '=', foldName(name)).executeTakeFirst()
}

export function findUserBySubject(
  db: Db,
  issuer: string,
  subject: string,
): Promise<UserRow | undefined> {
  return db
    .selectFrom('user')
    .selectAll()
    .where('oidcIssuer', '=', issuer)
    .where('oidcSubject', '=', subject)
    .executeTakeFirst()
}

export type NewUser = Pick<UserRow, 'id' | 'name' | 'createdAt'> & {
  readonly displayName?: string | undefined
  readonly email?: string | null | undefined
  readonly roles: readonly Role[]
  readonly scope: LabelSelector | null
  readonly passwordHash: string | null
  readonly mustChangePassword: boolean
  readonly oidc?: { readonly issuer: string; readonly subject: string }
}

/** @throws MaasError USER_EXISTS */
export async function insertUser(trx: Db, user: NewUser): Promise<UserRow> {
  const name = foldName(user.name)
  if ((await findUserByName(trx, name)) !== undefined) {
    throw new MaasError('USER_EXISTS', 'a user has that name already', { name })
  }
  const row: UserRow = {
    id: user.id,
    name,
    displayName: user.displayName ?? user.name,
    email: user.email ?? null,
    passwordHash: user.passwordHash,
    totpSecret: null,
    rolesJson: JSON.stringify(user.roles),
    scopeJson: user.scope === null ? null : JSON.stringify(user.scope),
    state: 'active',
    mustChangePassword: user.mustChangePassword ? 1 : 0,
    oidcIssuer: user.oidc?.issuer ?? null,
    oidcSubject: user.oidc?.subject ?? null,
    failedLogins: 0,
    lockedUntil: null,
    createdAt: user.createdAt,
    lastLoginAt: null,
    version: 1,
  }
  await trx.insertInto('user').values(row).execute()
  return row
}

/** Counts the version up. */
export async function updateUser(
  trx: Db,
  id: string,
  change: Omit<Updateable<CatalogTables['user']>, 'version' | 'id'>,
): Promise<UserRow> {
  await trx
    .updateTable('user')
    .set((eb) => ({ ...change, version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .execute()
  return loadUser(trx, id)
}

/**
 * There is always somebody with a password who may do everything: also when the identity provider
 * is gone.
 *
 * @throws MaasError USER_LAST_ADMIN
 */
export async function checkAdminRemains(trx: Db): Promise<void> {
  const rows = await trx
    .selectFrom('user')
    .select('rolesJson')
    .where('state', '=', 'active')
    .where('passwordHash', 'is not', null)
    .where('scopeJson', 'is', null)
    .execute()
  if (rows.some((row) => parseRoles(row.rolesJson).includes('admin'))) return
  throw new MaasError('USER_LAST_ADMIN', 'no local administrator would be left')
}

export function openSecondFactor(row: UserRow, key: ServerKey): SecondFactor | null {
  if (row.totpSecret === null) return null
  return secondFactor.parse(JSON.parse(key.open('totp', row.id, row.totpSecret)))
}

export function sealSecondFactor(id: string, factor: SecondFactor, key: ServerKey): string {
  return key.seal('totp', id, JSON.stringify(factor))
}

const text = (at: number | null) => (at === null ? null : new Date(at).toISOString())

/** As the API shows a person. */
export function showUser(row: UserRow, key: ServerKey): User {
  return {
    id: row.id,
    name: row.name,
    displayName: row.displayName,
    email: row.email,
    roles: parseRoles(row.rolesJson),
    scope: parseScope(row.scopeJson) as User['scope'],
    state: row.state,
    mustChangePassword: row.mustChangePassword === 1,
    secondFactor: openSecondFactor(row, key)?.confirmed ?? false,
    external: row.oidcSubject !== null,
    lockedUntil: text(row.lockedUntil),
    createdAt: new Date(row.createdAt).toISOString(),
    lastLoginAt: text(row.lastLoginAt),
    version: row.version,
  }
}

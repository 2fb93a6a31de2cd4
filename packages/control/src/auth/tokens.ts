/**
 * API tokens: `msk_` and 32 random bytes, shown once, kept as SHA-256. What a token may is cut
 * down, at every request, to what its user has at that moment.
 */
import type { Kysely, Selectable } from 'kysely'
import { makeControlId } from '@openmaas/api/ids'
import { intersectSelectors, rolesWithin } from '@openmaas/api/permissions'
import type { LabelSelector, Principal, Role } from '@openmaas/api/permissions'
import type { Token } from '@openmaas/api/resources/token'
import { MaasError } from '@openmaas/kernel/errors'
import type { CatalogTables } from '../catalog/schema.ts'
import type { AuthContext } from './auth-context.ts'
import { hashSecret } from './sessions.ts'
import { findUser, parseRoles, parseScope } from './user-repository.ts'
import type { UserRow } from './user-repository.ts'

export type TokenRow = Selectable<CatalogTables['token']>
type Db = Kysely<CatalogTables>

export const TOKEN_PREFIX = 'msk_'
const TOKEN_SIZE = 32
/** Nobody remembers what a token is for that is older. */
const TOKEN_LIFE_MAX_MS = 366 * 86_400_000
/** Of one person; more are forgotten ones. */
const TOKEN_COUNT_MAX = 100
const TOUCH_AFTER_MS = 60_000

export interface NewToken {
  readonly user: UserRow
  /** Who makes it: a token never gets more than that one has either. */
  readonly by: Principal
  readonly name: string
  readonly roles?: readonly Role[] | undefined
  readonly scope?: LabelSelector | null | undefined
  readonly expiresAt: number
}

/** @throws MaasError TOKEN_EXCEEDS_USER, REQUEST_INVALID */
export async function insertToken(
  trx: Db,
  context: AuthContext,
  token: NewToken,
): Promise<{ row: TokenRow; secret: string }> {
  const { clock, random } = context
  const now = clock.wallMs()
  const roles = token.roles ?? token.by.roles
  checkLife(token.expiresAt, now)
  const within = rolesWithin(token.by.roles)
  const allowed = rolesWithin(parseRoles(token.user.rolesJson)).filter((role) =>
    within.includes(role),
  )
  if (roles.length === 0 || !roles.every((role) => allowed.includes(role))) {
    const details = { roles, allowed }
    throw new MaasError('TOKEN_EXCEEDS_USER', 'a token would have more than its user', details)
  }
  await checkCount(trx, token.user.id, now)
  const scope = intersectSelectors(token.by.scope, token.scope ?? null)
  if (matchesNothing(scope)) {
    throw new MaasError('TOKEN_EXCEEDS_USER', 'the scope lies outside of that of its user')
  }
  const secret = TOKEN_PREFIX + random.bytes(TOKEN_SIZE).toString('base64url')
  const row: TokenRow = {
    id: makeControlId('token', clock, random),
    name: token.name,
    hash: hashSecret(secret),
    userId: token.user.id,
    rolesJson: JSON.stringify(roles),
    scopeJson: scope === null ? null : JSON.stringify(scope),
    createdAt: now,
    expiresAt: token.expiresAt,
    lastUsedAt: null,
    revokedAt: null,
  }
  await trx.insertInto('token').values(row).execute()
  return { row, secret }
}

function checkLife(expiresAt: number, now: number): void {
  if (expiresAt > now && expiresAt <= now + TOKEN_LIFE_MAX_MS) return
  const message = 'a token expires in the future, within a year'
  throw new MaasError('REQUEST_INVALID', message, { pointer: '/expiresAt' })
}

async function checkCount(trx: Db, userId: string, now: number): Promise<void> {
  const { count } = await trx
    .selectFrom('token')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('userId', '=', userId)
    .where('revokedAt', 'is', null)
    .where('expiresAt', '>', now)
    .executeTakeFirstOrThrow()
  if (Number(count) < TOKEN_COUNT_MAX) return
  const details = { count: Number(count), countMax: TOKEN_COUNT_MAX }
  throw new MaasError('REQUEST_INVALID', 'revoke a token before making another', details)
}

/** @returns the principal of a live token, and that it was used is noted */
export async function findTokenPrincipal(
  context: AuthContext,
  secret: string,
): Promise<Principal | undefined> {
  const { catalog, clock } = context
  if (!secret.startsWith(TOKEN_PREFIX)) return undefined
  const row = await catalog.db
    .selectFrom('token')
    .selectAll()
    .where('hash', '=', hashSecret(secret))
    .executeTakeFirst()
  const now = clock.wallMs()
  if (row === undefined || row.revokedAt !== null || now >= row.expiresAt) return undefined
  const user = await findUser(catalog.db, row.userId)
  if (user === undefined || user.state !== 'active') return undefined
  if (now >= (row.lastUsedAt ?? 0) + TOUCH_AFTER_MS) {
    const touched = { lastUsedAt: now }
    await catalog.db.updateTable('token').set(touched).where('id', '=', row.id).execute()
  }
  const has = rolesWithin(parseRoles(user.rolesJson))
  const scope = intersectSelectors(parseScope(user.scopeJson), parseScope(row.scopeJson))
  // Its user's scope was moved away from under it.
  if (matchesNothing(scope)) return undefined
  return {
    actor: `token:${row.id}`,
    userId: user.id,
    tokenId: row.id,
    roles: parseRoles(row.rolesJson).filter((role) => has.includes(role)),
    scope,
  }
}

function matchesNothing(scope: LabelSelector | null): boolean {
  return Object.values(scope ?? {}).some(
    (values) => typeof values !== 'string' && values.length === 0,
  )
}

/**
 * @param ownerId only if it is theirs
 * @throws MaasError TOKEN_NOT_FOUND
 */
export async function revokeToken(
  trx: Db,
  id: string,
  now: number,
  ownerId?: string,
): Promise<TokenRow> {
  const row = await trx.selectFrom('token').selectAll().where('id', '=', id).executeTakeFirst()
  if (row === undefined || (ownerId !== undefined && row.userId !== ownerId)) {
    throw new MaasError('TOKEN_NOT_FOUND', 'no such token', { tokenId: id })
  }
  if (row.revokedAt !== null) return row
  await trx.updateTable('token').set({ revokedAt: now }).where('id', '=', id).execute()
  return { ...row, revokedAt: now }
}

const text = (at: number | null) => (at === null ? null : new Date(at).toISOString())

export function showToken(row: TokenRow): Token {
  return {
    id: row.id,
    name: row.name,
    userId: row.userId,
    roles: parseRoles(row.rolesJson),
    scope: parseScope(row.scopeJson) as Token['scope'],
    createdAt: new Date(row.createdAt).toISOString(),
    expiresAt: new Date(row.expiresAt).toISOString(),
    lastUsedAt: text(row.lastUsedAt),
    revokedAt: text(row.revokedAt),
  }
}

/**
 * Browser sessions. The cookie is 32 random bytes, of which the catalog keeps the SHA-256; the
 * CSRF value is derived from the cookie, so that a reloaded page gets the same one again.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Kysely, Selectable } from 'kysely'
import type { CatalogTables } from '../catalog/schema.ts'
import type { AuthContext } from './auth-context.ts'

export type SessionRow = Selectable<CatalogTables['session']>
type Db = Kysely<CatalogTables>

const COOKIE_SIZE = 32
/** However busy: after a working day one logs in again. */
export const SESSION_LIFE_MS = 12 * 3_600_000
/** Browsers of one person; the one unused the longest ends. */
const SESSION_COUNT_MAX = 20
/** Not every request writes to the catalog. */
const TOUCH_AFTER_MS = 60_000

export interface OpenedSession {
  /** Value of the cookie. */
  readonly secret: string
  readonly csrfToken: string
  readonly hash: string
  readonly expiresAt: number
}

export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** With the prefix, browsers refuse one that is set without Secure or for another path. */
export function cookieName(secure: boolean): string {
  return secure ? '__Host-openmaas' : 'openmaas'
}

/** @param secret empty: the browser forgets it */
export function cookieText(secret: string, secure: boolean): string {
  const attributes = `Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`
  const life = secret === '' ? '; Max-Age=0' : ''
  return `${cookieName(secure)}=${secret}; ${attributes}${life}`
}

export function csrfOf(context: AuthContext, secret: string): string {
  return context.serverKey.derive('csrf', secret)
}

/** A new one at every login: whoever planted a cookie before gains nothing. */
export async function openSession(
  trx: Db,
  context: AuthContext,
  session: {
    readonly userId: string
    readonly address: string
    readonly replaces?: string | undefined
  },
): Promise<OpenedSession> {
  const secret = context.random.bytes(COOKIE_SIZE).toString('base64url')
  const csrfToken = csrfOf(context, secret)
  const now = context.clock.wallMs()
  if (session.replaces !== undefined) await deleteSession(trx, hashSecret(session.replaces))
  await makeRoom(trx, session.userId)
  const row: SessionRow = {
    hash: hashSecret(secret),
    userId: session.userId,
    csrfHash: hashSecret(csrfToken),
    address: session.address,
    complete: 1,
    createdAt: now,
    lastSeenAt: now,
    expiresAt: now + SESSION_LIFE_MS,
  }
  await trx.insertInto('session').values(row).execute()
  return { secret, csrfToken, hash: row.hash, expiresAt: row.expiresAt }
}

async function makeRoom(trx: Db, userId: string): Promise<void> {
  const rows = await trx
    .selectFrom('session')
    .select('hash')
    .where('userId', '=', userId)
    .orderBy('lastSeenAt', 'desc')
    .execute()
  for (const { hash } of rows.slice(SESSION_COUNT_MAX - 1)) await deleteSession(trx, hash)
}

/** @returns the live session of that cookie, touched */
export async function findSession(
  context: AuthContext,
  secret: string,
): Promise<SessionRow | undefined> {
  const { catalog, clock, settings } = context
  const hash = hashSecret(secret)
  const row = await catalog.db
    .selectFrom('session')
    .selectAll()
    .where('hash', '=', hash)
    .executeTakeFirst()
  if (row === undefined) return undefined
  const now = clock.wallMs()
  const { sessionIdleMinutes } = await settings.load()
  const idleUntil = row.lastSeenAt + sessionIdleMinutes * 60_000
  if (now >= row.expiresAt || now >= idleUntil) {
    await deleteSession(catalog.db, hash)
    return undefined
  }
  if (now >= row.lastSeenAt + TOUCH_AFTER_MS) {
    const touched = { lastSeenAt: now }
    await catalog.db.updateTable('session').set(touched).where('hash', '=', hash).execute()
  }
  return row
}

/** A request that changes something shows what only a page of ours can know. */
export function checkCsrf(row: SessionRow, shown: string | undefined): boolean {
  const hash = Buffer.from(hashSecret(shown ?? ''), 'hex')
  return timingSafeEqual(hash, Buffer.from(row.csrfHash, 'hex'))
}

export async function deleteSession(db: Db, hash: string): Promise<void> {
  await db.deleteFrom('session').where('hash', '=', hash).execute()
}

/** @param except the one that stays */
export async function deleteSessionsOf(db: Db, userId: string, except?: string): Promise<void> {
  let query = db.deleteFrom('session').where('userId', '=', userId)
  if (except !== undefined) query = query.where('hash', '!=', except)
  await query.execute()
}

/** Those that nobody comes back to. */
export async function sweepSessions(context: AuthContext): Promise<void> {
  const now = context.clock.wallMs()
  await context.catalog.db.deleteFrom('session').where('expiresAt', '<=', now).execute()
}

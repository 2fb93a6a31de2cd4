/** Who is logged in, as the API shows it, and what only a person in a browser may do. */
import { may, PERMISSIONS } from '@openmaas/api/permissions'
import type { Principal } from '@openmaas/api/permissions'
import type { ResponseOf } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import type { AuthContext } from '../auth-context.ts'
import { readCookie } from '../authenticate.ts'
import { csrfOf } from '../sessions.ts'
import { loadUser, showUser } from '../user-repository.ts'
import type { UserRow } from '../user-repository.ts'

type Me = ResponseOf<'getMe'>
type Headers = Readonly<Record<string, string | readonly string[] | undefined>>

export function cookieOf(headers: Headers, secure: boolean): string | undefined {
  const { cookie } = headers
  return readCookie(typeof cookie === 'string' ? { cookie } : {}, secure)
}

/** @param secret of the session, when there is one */
export async function showMe(
  context: AuthContext,
  principal: Principal,
  secret: string | undefined,
): Promise<Me> {
  const { db } = context.catalog
  const { userId, tokenId, sessionHash } = principal
  const user = userId === undefined ? null : await loadUser(db, userId)
  const session =
    sessionHash !== undefined
      ? await db
          .selectFrom('session')
          .select('expiresAt')
          .where('hash', '=', sessionHash)
          .executeTakeFirst()
      : await db
          .selectFrom('token')
          .select('expiresAt')
          .where('id', '=', tokenId ?? '')
          .executeTakeFirst()
  return {
    actor: principal.actor,
    user: user === null ? null : showUser(user, context.serverKey),
    roles: [...principal.roles],
    permissions: PERMISSIONS.filter((permission) => may(principal, permission)),
    scope: principal.scope as Me['scope'],
    csrfToken: sessionHash === undefined || secret === undefined ? null : csrfOf(context, secret),
    mustChangePassword: principal.mustChangePassword ?? false,
    expiresAt: session === undefined ? null : new Date(session.expiresAt).toISOString(),
  }
}

/**
 * A token that leaked must not become a password, a second factor or another session.
 *
 * @throws MaasError PERMISSION_DENIED
 */
export function requireSession(principal: Principal): { userId: string; sessionHash: string } {
  const { userId, sessionHash } = principal
  if (userId !== undefined && sessionHash !== undefined) return { userId, sessionHash }
  throw new MaasError('PERMISSION_DENIED', 'this is for people who logged in, not for tokens')
}

/** @throws MaasError PERMISSION_DENIED: the server's own work has no person behind it */
export async function loadOwnUser(context: AuthContext, principal: Principal): Promise<UserRow> {
  if (principal.userId !== undefined) return loadUser(context.catalog.db, principal.userId)
  throw new MaasError('PERMISSION_DENIED', 'there is no person behind this')
}

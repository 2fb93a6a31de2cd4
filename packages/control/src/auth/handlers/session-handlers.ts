/** Logging in and out, own name, password and sessions. */
import { MaasError } from '@openmaas/kernel/errors'
import { auditChange } from '../../audit/audited.ts'
import { objectNotFound } from '../../http/handler.ts'
import type { Handlers } from '../../http/handler.ts'
import type { AuthContext } from '../auth-context.ts'
import type { PasswordLogin } from '../login.ts'
import { checkNewPassword } from '../password.ts'
import { cookieText, deleteSession, deleteSessionsOf } from '../sessions.ts'
import { loadUser, principalOf, updateUser } from '../user-repository.ts'
import { cookieOf, loadOwnUser, requireSession, showMe } from './own-session.ts'

/** Names of sessions in the API: enough of the hash to be unique, too little to be of use. */
const SESSION_ID_LENGTH = 32

export function sessionHandlers(context: AuthContext, logins: PasswordLogin): Handlers {
  const { catalog, clock, settings, secure } = context
  return {
    getLoginMethods: async () => {
      const { oidc } = await settings.load()
      const shown = oidc.map(({ name }) => {
        return { name, startUrl: `/api/v1/login/oidc/${encodeURIComponent(name)}` }
      })
      return { body: { password: true, oidc: shown } }
    },
    login: async ({ body, address, requestId, headers }) => {
      const replaces = cookieOf(headers, secure)
      const done = await logins.login({ ...body, replaces }, { address, requestId })
      const { secret } = done.session
      return {
        body: await showMe(context, principalOf(done.user, done.session.hash), secret),
        headers: { 'set-cookie': cookieText(secret, secure) },
      }
    },
    logout: async (request) => {
      const { sessionHash } = requireSession(request.principal)
      await catalog.transaction(async (trx) => {
        await deleteSession(trx, sessionHash)
        const object = request.principal.userId!
        await auditChange(trx, clock, request, { action: 'logout', object })
      })
      return { body: null, headers: { 'set-cookie': cookieText('', secure) } }
    },
    getMe: async ({ principal, headers }) => ({
      body: await showMe(context, principal, cookieOf(headers, secure)),
    }),
    changeMe: async (request) => {
      const { userId } = requireSession(request.principal)
      const { displayName, email } = request.body
      const change = {
        ...(displayName === undefined ? {} : { displayName }),
        ...(email === undefined ? {} : { email }),
      }
      await catalog.transaction(async (trx) => {
        const before = await loadUser(trx, userId)
        const after = await updateUser(trx, userId, change)
        await auditChange(trx, clock, request, {
          action: 'changeMe',
          object: userId,
          before: { displayName: before.displayName, email: before.email },
          after: { displayName: after.displayName, email: after.email },
        })
      })
      const secret = cookieOf(request.headers, secure)
      return { body: await showMe(context, request.principal, secret) }
    },
    ...passwordHandlers(context, logins),
    ...listHandlers(context),
  }
}

function listHandlers(context: AuthContext): Handlers {
  const { catalog, clock } = context
  return {
    listMySessions: async ({ principal }) => {
      const { id: userId } = await loadOwnUser(context, principal)
      const rows = await catalog.db
        .selectFrom('session')
        .selectAll()
        .where('userId', '=', userId)
        .where('expiresAt', '>', clock.wallMs())
        .orderBy('createdAt', 'desc')
        .execute()
      const items = rows.map((row) => ({
        id: row.hash.slice(0, SESSION_ID_LENGTH),
        address: row.address,
        current: row.hash === principal.sessionHash,
        createdAt: new Date(row.createdAt).toISOString(),
        lastSeenAt: new Date(row.lastSeenAt).toISOString(),
        expiresAt: new Date(row.expiresAt).toISOString(),
      }))
      return { body: { items } }
    },
    endMySession: async (request) => {
      const { userId } = requireSession(request.principal)
      const { sessionId } = request.params
      await catalog.transaction(async (trx) => {
        const rows = await trx
          .selectFrom('session')
          .select('hash')
          .where('userId', '=', userId)
          .execute()
        const row = rows.find(({ hash }) => hash.slice(0, SESSION_ID_LENGTH) === sessionId)
        if (row === undefined) throw objectNotFound('session', sessionId)
        await deleteSession(trx, row.hash)
        await auditChange(trx, clock, request, { action: 'endMySession', object: userId })
      })
      return { body: null }
    },
  }
}

function passwordHandlers(context: AuthContext, logins: PasswordLogin): Handlers {
  const { catalog, clock, hasher } = context
  return {
    changePassword: async (request) => {
      const { userId, sessionHash } = requireSession(request.principal)
      const { address, requestId, body } = request
      const user = await loadUser(catalog.db, userId)
      await logins.confirm(user, body.current, { address, requestId })
      checkNewPassword(body.next, user.name)
      if (body.next === body.current) {
        const details = { reason: 'same', pointer: '/next' }
        throw new MaasError('PASSWORD_UNFIT', 'the new password is the old one', details)
      }
      const passwordHash = await hasher.hash(body.next)
      await catalog.transaction(async (trx) => {
        const now = await loadUser(trx, userId)
        // Somebody reset it while this one was stretched: the reset stands.
        if (now.passwordHash !== user.passwordHash) {
          throw new MaasError('LOGIN_FAILED', 'the password was changed meanwhile')
        }
        await updateUser(trx, userId, { passwordHash, mustChangePassword: 0 })
        await deleteSessionsOf(trx, userId, sessionHash)
        await auditChange(trx, clock, request, { action: 'changePassword', object: userId })
      })
      return { body: null }
    },
  }
}

/** People, managed by an administrator; locked by a security officer. */
import { makeControlId } from '@openmaas/api/ids'
import { auditChange } from '../../audit/audited.ts'
import { loadPage } from '../../catalog/page.ts'
import { requestInvalid, requireVersion } from '../../http/handler.ts'
import type { HandlerRequest, Handlers } from '../../http/handler.ts'
import type { AuthContext } from '../auth-context.ts'
import { checkNewPassword, makePassword } from '../password.ts'
import { deleteSessionsOf } from '../sessions.ts'
import {
  checkAdminRemains,
  foldName,
  insertUser,
  loadUser,
  showUser,
  updateUser,
} from '../user-repository.ts'
import type { UserRow } from '../user-repository.ts'

export function userHandlers(context: AuthContext): Handlers {
  return { ...readingHandlers(context), ...changingHandlers(context), ...lockHandlers(context) }
}

function readingHandlers(context: AuthContext): Handlers {
  const { catalog, serverKey } = context
  return {
    listUsers: async ({ query }) => {
      const { sort, limit, cursor } = query
      const { 'filter[name]': name, 'filter[role]': role, 'filter[state]': state } = query
      let users = catalog.db.selectFrom('user').selectAll()
      if (name !== undefined) users = users.where('name', '=', foldName(name))
      if (state !== undefined) users = users.where('state', '=', state)
      // A JSON list of fixed words: the quotes make it exact.
      if (role !== undefined) users = users.where('rolesJson', 'like', `%"${role}"%`)
      const descending = sort.startsWith('-')
      const column = sort.replace(/^-/, '') as 'name' | 'createdAt' | 'lastLoginAt'
      const nullable = column === 'lastLoginAt'
      const request = { table: 'user', sort: column, descending, nullable, limit, cursor } as const
      const { rows, next } = await loadPage(users, request)
      return { body: { items: rows.map((row) => showUser(row, serverKey)), next } }
    },
    getUser: async ({ params }) => {
      const row = await loadUser(catalog.db, params.userId)
      return { body: showUser(row, serverKey), etag: row.version }
    },
  }
}

function changingHandlers(context: AuthContext): Handlers {
  const { catalog, clock, random, hasher, serverKey } = context
  return {
    createUser: async (request) => {
      const { body } = request
      if (body.password !== undefined) checkNewPassword(body.password, body.name)
      const password = body.password ?? makePassword(random)
      const passwordHash = await hasher.hash(password)
      const row = await catalog.transaction(async (trx) => {
        const { password: _, ...given } = body
        const made = await insertUser(trx, {
          ...given,
          id: makeControlId('user', clock, random),
          passwordHash,
          // Whoever made it knows it.
          mustChangePassword: true,
          createdAt: clock.wallMs(),
        })
        const after = showUser(made, serverKey)
        await auditChange(trx, clock, request, { action: 'createUser', object: made.id, after })
        return made
      })
      const user = showUser(row, serverKey)
      const shown = body.password === undefined ? { user, password } : { user }
      return { body: shown, etag: row.version, location: `/api/v1/users/${row.id}` }
    },
    changeUser: async (request) => {
      const { displayName, email, roles, scope, state } = request.body
      const change = {
        ...(displayName === undefined ? {} : { displayName }),
        ...(email === undefined ? {} : { email }),
        ...(roles === undefined ? {} : { rolesJson: JSON.stringify(roles) }),
        ...(scope === undefined ? {} : { scopeJson: scope && JSON.stringify(scope) }),
        ...(state === undefined ? {} : { state }),
      }
      const row = await applyTo(context, 'changeUser', request, change)
      return { body: showUser(row, serverKey), etag: row.version }
    },
    deleteUser: async (request) => {
      const { userId } = request.params
      if (request.dryRun) {
        const { id, name } = await loadUser(catalog.db, userId)
        return { status: 200, body: { plan: [{ action: 'delete', object: id, name }] } }
      }
      await catalog.transaction(async (trx) => {
        const before = showUser(await loadUser(trx, userId), serverKey)
        await deleteSessionsOf(trx, userId)
        await trx.deleteFrom('token').where('userId', '=', userId).execute()
        await trx.deleteFrom('user').where('id', '=', userId).execute()
        await checkAdminRemains(trx)
        await auditChange(trx, clock, request, { action: 'deleteUser', object: userId, before })
      })
      return { status: 204, body: null }
    },
  }
}

function lockHandlers(context: AuthContext): Handlers {
  const { catalog, clock, random, hasher, serverKey } = context
  return {
    resetPassword: async (request) => {
      const { userId } = request.params
      const password = makePassword(random)
      const passwordHash = await hasher.hash(password)
      await catalog.transaction(async (trx) => {
        const user = await loadUser(trx, userId)
        if (user.oidcSubject !== null) {
          throw requestInvalid('/params/userId', 'this person has a password elsewhere')
        }
        const change = { passwordHash, mustChangePassword: 1, failedLogins: 0, lockedUntil: null }
        await updateUser(trx, userId, change)
        await deleteSessionsOf(trx, userId)
        await auditChange(trx, clock, request, { action: 'resetPassword', object: userId })
      })
      return { body: { password } }
    },
    lockUser: async (request) => {
      const row = await applyTo(context, 'lockUser', request, { state: 'disabled' })
      return { body: showUser(row, serverKey), etag: row.version }
    },
    unlockUser: async (request) => {
      const change = { state: 'active', failedLogins: 0, lockedUntil: null } as const
      const row = await applyTo(context, 'unlockUser', request, change)
      return { body: showUser(row, serverKey), etag: row.version }
    },
  }
}

type Applied = HandlerRequest<'changeUser'> | HandlerRequest<'lockUser'>

async function applyTo(
  context: AuthContext,
  action: string,
  request: Pick<Applied, 'params' | 'principal' | 'address' | 'requestId' | 'ifMatch'>,
  change: Parameters<typeof updateUser>[2],
): Promise<UserRow> {
  const { catalog, clock, serverKey } = context
  const { userId } = request.params
  return catalog.transaction(async (trx) => {
    const before = await loadUser(trx, userId)
    requireVersion(before, request)
    const after = await updateUser(trx, userId, change)
    await checkAdminRemains(trx)
    // What somebody may is looked up with each request; sessions of a locked one end for good.
    if (after.state !== 'active') await deleteSessionsOf(trx, userId)
    await auditChange(trx, clock, request, {
      action,
      object: userId,
      before: showUser(before, serverKey),
      after: showUser(after, serverKey),
    })
    return after
  })
}

/** API tokens: one's own, and everybody's. */
import { auditChange } from '../../audit/audited.ts'
import { loadPage } from '../../catalog/page.ts'
import type { HandlerRequest, Handlers } from '../../http/handler.ts'
import type { AuthContext } from '../auth-context.ts'
import { insertToken, revokeToken, showToken } from '../tokens.ts'
import { loadUser } from '../user-repository.ts'
import { loadOwnUser } from './own-session.ts'

type Sort = 'name' | 'createdAt' | 'expiresAt' | 'lastUsedAt'

export function tokenHandlers(context: AuthContext): Handlers {
  const { catalog, clock } = context
  return {
    listMyTokens: async ({ query, principal }) => {
      const { id } = await loadOwnUser(context, principal)
      return { body: await listTokens(context, query, id) }
    },
    listTokens: async ({ query }) => ({
      body: await listTokens(context, query, query['filter[userId]']),
    }),
    createMyToken: async (request) => {
      const { body, principal } = request
      const { id } = await loadOwnUser(context, principal)
      const { row, secret } = await catalog.transaction(async (trx) => {
        const user = await loadUser(trx, id)
        const { name, roles, scope } = body
        const expiresAt = Date.parse(body.expiresAt)
        const fresh = { user, by: principal, name, roles, scope, expiresAt }
        const made = await insertToken(trx, context, fresh)
        const after = showToken(made.row)
        const change = { action: 'createMyToken', object: made.row.id, after }
        await auditChange(trx, clock, request, change)
        return made
      })
      return { body: { token: showToken(row), secret } }
    },
    revokeMyToken: async (request) => {
      const { id } = await loadOwnUser(context, request.principal)
      await revoke(context, request, id)
      return { body: null }
    },
    revokeToken: async (request) => {
      await revoke(context, request)
      return { body: null }
    },
  }
}

async function listTokens(
  context: AuthContext,
  query: { readonly limit: number; readonly cursor?: string | undefined; readonly sort: string },
  userId: string | undefined,
) {
  const { sort, limit, cursor } = query
  let tokens = context.catalog.db.selectFrom('token').selectAll()
  if (userId !== undefined) tokens = tokens.where('userId', '=', userId)
  const column = sort.replace(/^-/, '') as Sort
  const nullable = column === 'lastUsedAt'
  const descending = sort.startsWith('-')
  const request = { table: 'token', sort: column, descending, nullable, limit, cursor } as const
  const { rows, next } = await loadPage(tokens, request)
  return { items: rows.map((row) => showToken(row)), next }
}

async function revoke(
  context: AuthContext,
  request: HandlerRequest<'revokeToken'> | HandlerRequest<'revokeMyToken'>,
  ownerId?: string,
): Promise<void> {
  const { catalog, clock } = context
  const { tokenId } = request.params
  await catalog.transaction(async (trx) => {
    const row = await revokeToken(trx, tokenId, clock.wallMs(), ownerId)
    const before = showToken({ ...row, revokedAt: null })
    await auditChange(trx, clock, request, { action: 'revokeToken', object: tokenId, before })
  })
}

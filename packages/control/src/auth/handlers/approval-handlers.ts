/** Requests for consent, and the consent. */
import { may, ownerOf, seesOwnOnly } from '@openmaas/api/permissions'
import { routeNames, routeOf } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import { loadPage } from '../../catalog/page.ts'
import { requestInvalid } from '../../http/handler.ts'
import type { HandlerRequest, Handlers } from '../../http/handler.ts'
import type { AuthContext } from '../auth-context.ts'
import {
  approvalNotFound,
  decideApproval,
  expireApprovals,
  insertApproval,
  loadApproval,
  showApproval,
} from '../consent.ts'

export function approvalHandlers(context: AuthContext): Handlers {
  const { catalog, clock } = context
  return {
    listApprovals: async ({ query, principal }) => {
      await expireApprovals(context)
      const { sort, limit, cursor, 'filter[state]': state } = query
      let approvals = catalog.db.selectFrom('approval').selectAll()
      if (state !== undefined) approvals = approvals.where('state', '=', state)
      if (seesOwnOnly(principal, 'approval.read')) {
        approvals = approvals.where('requestedBy', '=', ownerOf(principal))
      }
      const descending = sort.startsWith('-')
      const request = { table: 'approval', sort: 'requestedAt', descending, limit, cursor } as const
      const { rows, next } = await loadPage(approvals, request)
      return { body: { items: rows.map((row) => showApproval(row, clock.wallMs())), next } }
    },
    getApproval: async ({ params, principal }) => {
      const row = await loadApproval(catalog.db, params.approvalId)
      const isOwn = row.requestedBy === ownerOf(principal)
      if (!isOwn && seesOwnOnly(principal, 'approval.read')) throw approvalNotFound(row.id)
      return { body: showApproval(row, clock.wallMs()) }
    },
    requestApproval: async (request) => {
      const { body, principal, address, requestId } = request
      const name = routeNames.find((one) => one === body.action)
      const permission = name === undefined ? undefined : routeOf(name).permission
      if (permission === undefined || permission === 'public' || permission === 'self') {
        throw requestInvalid('/action', 'the name of a route that needs a permission is expected')
      }
      if (!may(principal, permission)) {
        const details = { permission }
        throw new MaasError('PERMISSION_DENIED', `this needs the permission ${permission}`, details)
      }
      const asked = { ...body, principal }
      const row = await catalog.transaction((trx) =>
        insertApproval(trx, context, asked, { address, requestId }),
      )
      return { body: showApproval(row, clock.wallMs()) }
    },
    approve: (request) => decide(context, request, true),
    refuse: (request) => decide(context, request, false),
  }
}

async function decide(
  context: AuthContext,
  request: HandlerRequest<'approve'> | HandlerRequest<'refuse'>,
  approved: boolean,
) {
  const { params, principal, address, requestId, body } = request
  const row = await context.catalog.transaction((trx) =>
    decideApproval(trx, context, {
      id: params.approvalId,
      approved,
      principal,
      caller: { address, requestId },
      comment: body.note,
    }),
  )
  return { body: showApproval(row, context.clock.wallMs()) }
}

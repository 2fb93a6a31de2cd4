/** Verbs of people, their tokens, and consent to the dangerous verbs. */
import { MaasError } from '@openmaas/kernel/errors'
import { parseDuration } from '../../format/time.ts'
import { showList, listOf, loadObject, showOf } from '../lists.ts'
import { findId } from '../names.ts'
import { onServer } from '../server.ts'
import type { Row, Server, ServerRun } from '../server.ts'
import { formatOf, labelsOf, showRow } from '../show.ts'

export const listUsers = onServer(listOf('user'))
export const showUser = onServer(showOf('user'))

function userFields(server: Server): Row {
  const { input } = server
  const displayName = input.text('display-name')
  const email = input.text('email')
  return {
    ...(displayName !== undefined && { displayName }),
    ...(email !== undefined && { email }),
    ...(input.has('role') && { roles: input.list('role') }),
    ...(input.has('scope') && { scope: labelsOf(input, 'scope') }),
  }
}

/** A secret that the server shows once: alone on stdout, what to do with it on stderr. */
function showSecret(server: Server, answer: Row, secret: unknown): void {
  const { site, input } = server
  if (formatOf(input, site) !== 'table') {
    showRow(answer, { site, input })
    return
  }
  if (typeof secret !== 'string') return
  site.out.line(secret)
  site.out.note(site.text('secret.once'))
}

export const addUser = onServer(async (server, input) => {
  const body = { name: input.positionals[0], ...userFields(server) }
  const { body: created } = await server.request('createUser', { body })
  showSecret(server, created, created['password'])
})

export const changeUser = onServer(async (server, input, site) => {
  const { etag, id } = await loadObject(server, 'user', input.positionals[0]!)
  const state = input.has('disable') ? 'disabled' : input.has('enable') ? 'active' : undefined
  const body = { ...userFields(server), ...(state !== undefined && { state }) }
  const params = { userId: id }
  const { body: user } = await server.request('changeUser', { params, body, ifMatch: etag })
  showRow(user, { site, input })
})

export const removeUser = onServer(async (server, input, site) => {
  const userId = await findId(server, 'user', input.positionals[0]!)
  const dryRun = input.has('dry-run')
  if (!dryRun && !input.has('yes')) {
    throw new MaasError('USAGE', 'this needs a yes: look at it with --dry-run, then give --yes', {
      option: 'yes',
    })
  }
  const { body } = await server.request('deleteUser', { params: { userId }, dryRun })
  if (dryRun) showRow(body, { site, input })
})

const turn =
  (route: 'lockUser' | 'unlockUser'): ServerRun =>
  async (server, input, site) => {
    const userId = await findId(server, 'user', input.positionals[0]!)
    const { body } = await server.request(route, { params: { userId } })
    showRow(body, { site, input })
  }
export const lockUser = onServer(turn('lockUser'))
export const unlockUser = onServer(turn('unlockUser'))

export const resetPassword = onServer(async (server, input) => {
  const userId = await findId(server, 'user', input.positionals[0]!)
  const { body } = await server.request('resetPassword', { params: { userId } })
  showSecret(server, body, body['password'])
})

export const whoami = onServer(async (server, input, site) => {
  const { body } = await server.request('getMe')
  showRow(body, { site, input, idField: 'actor' })
})

// ── tokens ─────────────────────────────────────────────────────────────────

export const listTokens = onServer(async (server, input, site) => {
  if (!input.has('all')) return showList(server, 'token')
  const { rows } = await server.list('listTokens', {}, { limit: 1000 })
  showRow({ items: rows }, { site, input })
})

/** How long a token lasts unless --ttl says otherwise. */
const TOKEN_TTL = '90d'

/** When a token made now with this lifetime ends. */
export function tokenEnd(server: Pick<Server, 'site'>, ttl = TOKEN_TTL): string {
  const durationMs = parseDuration(ttl)
  if (durationMs !== undefined) {
    return new Date(server.site.clock.wallMs() + durationMs).toISOString()
  }
  throw new MaasError('USAGE', `--ttl wants a time such as 90d, not "${ttl}"`, { option: 'ttl' })
}

export const addToken = onServer(async (server, input) => {
  const body = {
    name: input.positionals[0],
    expiresAt: tokenEnd(server, input.text('ttl')),
    ...(input.has('role') && { roles: input.list('role') }),
    ...(input.has('scope') && { scope: labelsOf(input, 'scope') }),
  }
  const { body: created } = await server.request('createMyToken', { body })
  showSecret(server, created, created['secret'])
})

export const revokeToken = onServer(async (server, input) => {
  const [tokenId] = input.positionals
  const route = input.has('all') ? 'revokeToken' : 'revokeMyToken'
  await server.request(route, { params: { tokenId } })
})

// ── approvals ──────────────────────────────────────────────────────────────

export const listApprovals = onServer(listOf('approval'))
export const showApproval = onServer(showOf('approval'))

const decide =
  (route: 'approve' | 'refuse'): ServerRun =>
  async (server, input, site) => {
    const note = input.text('note')
    const params = { approvalId: input.positionals[0] }
    const body = { ...(note !== undefined && { note }) }
    const { body: approval } = await server.request(route, { params, body })
    showRow(approval, { site, input })
  }
export const approve = onServer(decide('approve'))
export const refuse = onServer(decide('refuse'))

export const requestApproval = onServer(async (server, input, site) => {
  const [action, object] = input.positionals
  const reason = input.text('reason')
  if (reason === undefined) {
    throw new MaasError('USAGE', 'this needs a reason: --reason TEXT', { option: 'reason' })
  }
  const body = { action, object, reason, params: labelsOf(input, 'param') }
  const { body: approval } = await server.request('requestApproval', { body })
  showRow(approval, { site, input })
})

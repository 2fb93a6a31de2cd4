/** Join tokens: the leave to become a host, or to take one over. */
import { type Principal, matchesLabels, ownerOf } from '@openmaas/api/permissions'
import { auditChange } from '../audit/audited.ts'
import { labelsWhere } from '../auth/labels-where.ts'
import { labelsOf, timeOf, timeOrNull } from '../http/columns.ts'
import { requireInScope } from '../http/gate.ts'
import type { Db, HandlerContext } from '../http/handler-context.ts'
import {
  type HandlerRequest,
  type Handlers,
  objectNotFound,
  requestInvalid,
} from '../http/handler.ts'
import { readPage } from '../http/list-query.ts'
import type { CertificateAuthority } from './ca.ts'
import type { Enrolment } from './enrolment.ts'
import { type JoinTokenRow, findHost } from './host-repository.ts'

export interface JoinTokenContext extends Pick<HandlerContext, 'catalog' | 'clock'> {
  readonly ca: CertificateAuthority
  readonly enrolment: Enrolment
  /** Of the channel, as hosts reach it: `https://server:8731`. */
  readonly channelUrl: () => string
}

export function makeJoinTokenHandlers(context: JoinTokenContext) {
  return {
    listJoinTokens: (request) => listJoinTokens(context, request),
    createJoinToken: (request) => createJoinToken(context, request),
    revokeJoinToken: (request) => revokeJoinToken(context, request),
  } satisfies Handlers
}

async function listJoinTokens(
  { catalog }: JoinTokenContext,
  { query, principal }: HandlerRequest<'listJoinTokens'>,
) {
  const { db, dialect } = catalog
  const rows = db
    .selectFrom('joinToken')
    .selectAll()
    .where(labelsWhere('joinToken.labelsJson', principal.scope, dialect))
  const page = await readPage(rows, query, { table: 'joinToken' })
  return { body: { items: page.rows.map((row) => showJoinToken(row)), next: page.next } }
}

async function createJoinToken(
  context: JoinTokenContext,
  request: HandlerRequest<'createJoinToken'>,
) {
  const { catalog, clock, enrolment, ca } = context
  const { body, principal } = request
  const { kind, labels, hostId } = body
  requireInScope(principal, labels)
  const createdBy = ownerOf(principal)
  const lifetimeMs = body.lifetimeSeconds * 1000
  const { row, secret } = await catalog.transaction(async (trx) => {
    if (hostId !== undefined) await requireHost(trx, principal, hostId)
    const wanted = { kind, labels, createdBy, lifetimeMs, ...(hostId !== undefined && { hostId }) }
    const made = await enrolment.makeToken(trx, wanted)
    const after = showJoinToken(made.row)
    const action = 'createJoinToken'
    await auditChange(trx, clock, request, { action, object: after.id, labels, after })
    return made
  })
  const server = context.channelUrl()
  const { fingerprint } = ca
  const command = `openmaas ${kind} join ${server} --token ${secret} --fingerprint ${fingerprint}`
  const joinToken = showJoinToken(row)
  return { status: 201, body: { joinToken, secret, fingerprint, server, command } }
}

/** One that may be taken over: seen by the caller, and not removed. */
async function requireHost(trx: Db, principal: Principal, hostId: string): Promise<void> {
  const host = await findHost(trx, hostId)
  const visible = host && matchesLabels(principal.scope, labelsOf(host.labelsJson))
  if (visible === true && host?.state !== 'removed') return
  throw requestInvalid('/hostId', `there is no host ${hostId}`)
}

async function revokeJoinToken(
  { catalog, clock }: JoinTokenContext,
  request: HandlerRequest<'revokeJoinToken'>,
) {
  const { joinTokenId } = request.params
  await catalog.transaction(async (trx) => {
    const row = await trx
      .selectFrom('joinToken')
      .selectAll()
      .where('id', '=', joinTokenId)
      .executeTakeFirst()
    const visible = row && matchesLabels(request.principal.scope, labelsOf(row.labelsJson))
    if (row === undefined || visible !== true || row.usedAt !== null) {
      throw objectNotFound('join-token', joinTokenId)
    }
    await trx.deleteFrom('joinToken').where('id', '=', joinTokenId).execute()
    const before = showJoinToken(row)
    const labels = before.labels
    const action = 'revokeJoinToken'
    await auditChange(trx, clock, request, { action, object: joinTokenId, labels, before })
  })
  return { status: 204, body: null }
}

function showJoinToken(row: JoinTokenRow) {
  const { id, kind, createdBy, hostId } = row
  return {
    id,
    kind,
    createdBy,
    hostId,
    labels: labelsOf(row.labelsJson),
    createdAt: timeOf(row.createdAt),
    expiresAt: timeOf(row.expiresAt),
    usedAt: timeOrNull(row.usedAt),
  }
}

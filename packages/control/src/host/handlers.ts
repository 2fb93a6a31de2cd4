/** The API's verbs about hosts that need the channel: joining, leaving, draining, looking. */
import type { Selectable } from 'kysely'
import { matchesLabels, ownerOf } from '@openmaas/api/permissions'
import type { Principal } from '@openmaas/api/permissions'
import type { Entry } from '@openmaas/api/resources/host'
import type { OrderGiver, Result } from '@openmaas/protocols/channel/orders'
import { requireConsent } from '../auth/consent.ts'
import { labelsWhere } from '../auth/labels-where.ts'
import { auditChange } from '../audit/audited.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import { requireInScope } from '../http/gate.ts'
import { objectNotFound, requestInvalid } from '../http/handler.ts'
import type { HandlerRequest, Handlers } from '../http/handler.ts'
import { labelsOf, timeOf, timeOrNull } from '../http/handlers/columns.ts'
import type { Db, HandlerContext } from '../http/handlers/handler-context.ts'
import { showHost } from '../http/handlers/hosts.ts'
import { readPage } from '../http/handlers/list-query.ts'
import type { CertificateAuthority } from './ca.ts'
import type { Enrolment } from './enrolment.ts'
import { findHost, loadHost } from './host-repository.ts'
import type { JoinTokenRow } from './host-repository.ts'
import type { HostRegistry } from './host-registry.ts'

/** A person waits for it. */
const LOOK_TIMEOUT_MS = 30_000
/** RFC 3339 has years of four digits; a file may claim any. */
const TIME_MIN_MS = Date.parse('0000-01-01T00:00:00Z')
const TIME_MAX_MS = Date.UTC(10_000, 0) - 1

export interface HostChannelContext extends Omit<HandlerContext, 'jobs'> {
  readonly ca: CertificateAuthority
  readonly enrolment: Enrolment
  readonly registry: HostRegistry
  readonly orders: OrderGiver
  /** Of the channel, as hosts reach it: `https://server:8731`. */
  readonly channelUrl: () => string
}

export function makeHostChannelHandlers(context: HostChannelContext) {
  return {
    drainHost: (request) => drain(context, request, true, request.body.reason),
    resumeHost: (request) => drain(context, request, false),
    removeHost: (request) => removeHost(context, request),
    discoverHost: (request) => discoverHost(context, request),
    listHostFiles: (request) => listHostFiles(context, request),
    listJoinTokens: (request) => listJoinTokens(context, request),
    createJoinToken: (request) => createJoinToken(context, request),
    revokeJoinToken: (request) => revokeJoinToken(context, request),
  } satisfies Handlers
}

function drain(
  { catalog, clock, registry }: HostChannelContext,
  request: HandlerRequest<'drainHost'> | HandlerRequest<'resumeHost'>,
  drained: boolean,
  reason?: string,
) {
  return catalog.transaction(async (trx) => {
    const before = showHost(await loadHost(trx, request.params.hostId))
    const after = showHost(await registry.drain(trx, before.id, drained))
    const action = drained ? 'drainHost' : 'resumeHost'
    await auditChange(trx, clock, request, {
      action,
      object: after.id,
      labels: after.labels,
      before,
      after,
      ...(reason !== undefined && { reason }),
    })
    return { body: after, etag: after.version }
  })
}

async function removeHost(context: HostChannelContext, request: HandlerRequest<'removeHost'>) {
  const { catalog, clock, registry } = context
  const { params, body, principal, dryRun, address, requestId } = request
  const host = await loadHost(catalog.db, params.hostId)
  if (dryRun) return planRemoval(context, host)
  const consent = await requireConsent(context, {
    principal,
    action: 'removeHost',
    object: host.id,
    params: {},
    name: host.name,
    danger: body,
    caller: { address, requestId },
  })
  await catalog.transaction(async (trx) => {
    await consent.use(trx)
    const before = showHost(await loadHost(trx, host.id))
    const after = showHost(await registry.remove(trx, host.id))
    await auditChange(trx, clock, request, {
      action: 'removeHost',
      object: host.id,
      labels: after.labels,
      before,
      after,
      reason: consent.reason,
    })
  })
  registry.cutOff(host.id)
  return { status: 204, body: null }
}

async function planRemoval(
  { catalog }: HostChannelContext,
  host: Selectable<CatalogTables['host']>,
) {
  const sources = await catalog.db
    .selectFrom('source')
    .select(['id', 'name'])
    .where('hostId', '=', host.id)
    .limit(100)
    .execute()
  const revoke = 'revoke its certificates and close its connections; its points stay'
  const plan = [{ action: revoke, object: host.id, name: host.name }]
  const stop = sources.map(({ id, name }) => ({
    action: 'is no longer captured',
    object: id,
    name,
  }))
  const warnings =
    sources.length === 0 ? [] : ['Remove or pause its sources, or they will be reported as missed.']
  return { status: 200, body: { plan: [...plan, ...stop], warnings } }
}

async function discoverHost(context: HostChannelContext, request: HandlerRequest<'discoverHost'>) {
  const { params, requestId, signal } = request
  const options = { key: `discover:${requestId}`, timeoutMs: LOOK_TIMEOUT_MS, signal }
  const { items } = await context.orders.order(params.hostId, 'host.discover', {}, options)
  const sources = await context.catalog.db
    .selectFrom('source')
    .select(['id', 'path'])
    .where('hostId', '=', params.hostId)
    .execute()
  const known = new Map(sources.map(({ id, path }) => [path, id]))
  return {
    body: { items: items.map((row) => ({ ...row, sourceId: known.get(row.path) ?? null })) },
  }
}

async function listHostFiles(
  context: HostChannelContext,
  request: HandlerRequest<'listHostFiles'>,
) {
  const { params, query, requestId, signal } = request
  const { path, limit } = query
  const options = { key: `list:${requestId}`, timeoutMs: LOOK_TIMEOUT_MS, signal }
  const answer = await context.orders.order(params.hostId, 'host.list', { path, limit }, options)
  return { body: { items: answer.entries.map((row) => showEntry(row)), more: answer.more } }
}

function showEntry(row: Result<'host.list'>['entries'][number]): Entry {
  const { name, kind, size: sizeBytes, mtimeMs, mode, owner, target } = row
  const moment = Math.max(TIME_MIN_MS, Math.min(TIME_MAX_MS, mtimeMs))
  const shown = { name, kind, sizeBytes, modifiedAt: timeOf(moment), mode, owner }
  return { ...shown, ...(target !== undefined && { target }) }
}

async function listJoinTokens(
  { catalog }: HostChannelContext,
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
  context: HostChannelContext,
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
  { catalog, clock }: HostChannelContext,
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

/** Hosts, through their channel: draining, removing, looking at what they have. */
import type { Selectable } from 'kysely'
import type { Entry } from '@openmaas/api/resources/host'
import type { OrderGiver, Result } from '@openmaas/protocols/channel/orders'
import { consentTo } from '../auth/consent.ts'
import { auditChange } from '../audit/audited.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import type { HandlerRequest, Handlers } from '../http/handler.ts'
import { timeOf } from '../http/columns.ts'
import type { HandlerContext } from '../http/handler-context.ts'
import { showHost } from './handlers.ts'
import { loadHost } from './host-repository.ts'
import type { HostRegistry } from './host-registry.ts'

/** A person waits for it. */
const LOOK_TIMEOUT_MS = 30_000
/** RFC 3339 has years of four digits; a file may claim any. */
const TIME_MIN_MS = Date.parse('0000-01-01T00:00:00Z')
const TIME_MAX_MS = Date.UTC(10_000, 0) - 1

export interface HostChannelContext extends Omit<HandlerContext, 'jobs'> {
  readonly registry: HostRegistry
  readonly orders: OrderGiver
}

export function makeHostChannelHandlers(context: HostChannelContext) {
  return {
    drainHost: (request) => drain(context, request, true, request.body.reason),
    resumeHost: (request) => drain(context, request, false),
    removeHost: (request) => removeHost(context, request),
    discoverHost: (request) => discoverHost(context, request),
    listHostFiles: (request) => listHostFiles(context, request),
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
  const { params, dryRun } = request
  const host = await loadHost(catalog.db, params.hostId)
  if (dryRun) return planRemoval(context, host)
  const consent = await consentTo(context, request, {
    action: 'removeHost',
    id: host.id,
    name: host.name,
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

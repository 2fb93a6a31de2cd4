/** Hosts: reading and labelling them. What needs their channel: channel-handlers.ts. */
import { z } from 'zod'
import { type Host, hostEngine } from '@openmaas/api/resources/host'
import { type HostRow, changeHost, loadHost } from './host-repository.ts'
import { requireInScope } from '../http/gate.ts'
import { type HandlerRequest, type Handlers, requireVersion } from '../http/handler.ts'
import { auditChange } from '../audit/audited.ts'
import { labelsOf, objectOf, timeOf, timeOrNull } from '../http/columns.ts'
import type { HandlerContext } from '../http/handler-context.ts'
import { readPage, whereVisible } from '../http/list-query.ts'
import { requireNameFree } from '../http/names.ts'

type HostContext = Pick<HandlerContext, 'catalog' | 'clock'>

export function makeHostHandlers(context: HostContext) {
  return {
    listHosts: (request) => listHosts(context, request),
    getHost: async ({ params }) => {
      const row = await loadHost(context.catalog.db, params.hostId)
      return { body: showHost(row), etag: row.version }
    },
    changeHost: (request) => changeLabels(context, request),
  } satisfies Handlers
}

const hostEngines = z.array(hostEngine)

export function showHost(row: HostRow): Host {
  const { id, name, kind, state, softwareVersion, dataAddress, clockSkewMs, version } = row
  const { engines = [], ...about } = objectOf(row.aboutJson)
  return {
    id,
    name,
    kind,
    state,
    softwareVersion,
    dataAddress,
    clockSkewMs,
    version,
    labels: labelsOf(row.labelsJson),
    drained: row.drained === 1,
    about,
    engines: hostEngines.parse(engines),
    certificateNotAfter: timeOrNull(row.certificateNotAfter),
    lastSeenAt: timeOrNull(row.lastSeenAt),
    createdAt: timeOf(row.createdAt),
  }
}

async function listHosts(context: HostContext, request: HandlerRequest<'listHosts'>) {
  const { query } = request
  const { db } = context.catalog
  let rows = whereVisible(db.selectFrom('host').selectAll(), 'host', context.catalog, request)
  const name = query['filter[name]']
  const kind = query['filter[kind]']
  const state = query['filter[state]']
  const drained = query['filter[drained]']
  if (name !== undefined) rows = rows.where('name', '=', name)
  if (kind !== undefined) rows = rows.where('kind', '=', kind)
  if (drained !== undefined) rows = rows.where('drained', '=', drained === 'true' ? 1 : 0)
  // Those that were removed are history; they are shown to whoever asks for them.
  rows =
    state === undefined ? rows.where('state', '<>', 'removed') : rows.where('state', '=', state)
  const page = await readPage(rows, query, { table: 'host', nullable: ['lastSeenAt'] })
  return { body: { items: page.rows.map((row) => showHost(row)), next: page.next } }
}

function changeLabels(context: HostContext, request: HandlerRequest<'changeHost'>) {
  const { params, body, principal } = request
  const { catalog, clock } = context
  if (body.labels !== undefined) requireInScope(principal, body.labels)
  return catalog.transaction(async (trx) => {
    const host = await loadHost(trx, params.hostId)
    requireVersion(host, request)
    if (body.name !== undefined && body.name !== host.name) {
      await requireNameFree(trx, 'host', body.name)
    }
    const set = {
      ...(body.name !== undefined && { name: body.name }),
      ...(body.labels !== undefined && { labelsJson: JSON.stringify(body.labels) }),
    }
    const next = await changeHost(trx, { host, set, event: 'host.changed' }, clock)
    const [before, after] = [showHost(host), showHost(next)]
    const labels = after.labels
    await auditChange(trx, clock, request, {
      action: 'changeHost',
      object: host.id,
      labels,
      before,
      after,
    })
    return { body: after, etag: next.version }
  })
}

/** Sources: making, changing, pausing, removing them, and protecting them now. */
import { makeControlId } from '@openmaas/api/ids'
import { type Principal, matchesLabels, ownerOf } from '@openmaas/api/permissions'
import { isDatabaseKind } from '@openmaas/api/resources/source'
import { MaasError } from '@openmaas/kernel/errors'
import type { OrderGiver } from '@openmaas/protocols/channel/orders'
import { consentTo } from '../auth/consent.ts'
import { checkChangedConnection } from '../database/changed-connection.ts'
import { requireEngine } from '../database/engines.ts'
import {
  changeSourceDatabase,
  insertSourceDatabase,
  loadSourceDatabase,
  placeText,
  type SealingContext,
  standbyHostOf,
} from '../database/source-database.ts'
import { requireOwnPolicy, requireUngrouped } from '../group/handlers.ts'
import { labelsOf } from '../http/columns.ts'
import { requireInScope } from '../http/gate.ts'
import { requireNameFree } from '../http/names.ts'
import { type HandlerContext, type Trx, recordChange } from '../http/handler-context.ts'
import {
  type HandlerRequest,
  type Handlers,
  acceptedJob,
  planned,
  requestInvalid,
  requireVersion,
} from '../http/handler.ts'
import { growVolumeRequest } from '../job/kinds/grow-volume.ts'
import { protectRequest } from '../job/kinds/protect.ts'
import { protectDatabaseRequest } from '../job/kinds/protect-database.ts'
import { requestUnprotect } from '../database/unprotect.ts'
import { loadPolicies } from '../policy/resolve.ts'
import { type SourceRow, loadSource, showSource } from './list.ts'

export interface SourceContext extends HandlerContext, SealingContext {
  readonly orders: OrderGiver
  /** The opening half of the vault, for production itself. */
  readonly openSecret: (secretId: string) => Promise<string>
}

export function makeSourceHandlers(context: SourceContext) {
  return {
    createSource: (request) => createSource(context, request),
    changeSource: (request) => changeSource(context, request),
    deleteSource: (request) => deleteSource(context, request),
    pauseSource: (request) => setPaused(context, request, true),
    resumeSource: (request) => setPaused(context, request, false),
    protectSource: (request) => protectSource(context, request),
  } satisfies Handlers
}

async function createSource(context: SourceContext, request: HandlerRequest<'createSource'>) {
  const { catalog, clock, random } = context
  const { body, principal } = request
  requireInScope(principal, body.labels)
  const { database } = body
  const row: SourceRow = {
    id: makeControlId('source', clock, random),
    name: body.name,
    hostId: body.hostId,
    kind: body.kind,
    path: database === undefined ? (body.path ?? '') : placeText(database.connection),
    optionsJson: JSON.stringify(body.options),
    labelsJson: JSON.stringify(body.labels),
    policyId: body.policyId,
    poolId: body.poolId,
    paused: 0,
    lastSuccessAt: null,
    lastPointId: null,
    createdAt: clock.wallMs(),
    version: 1,
  }
  const shown = await catalog.transaction(async (trx) => {
    await checkReferences(trx, row)
    await requireNameFree(trx, 'source', row.name)
    await trx.insertInto('source').values(row).execute()
    if (database !== undefined) {
      await checkStagingHost(trx, principal, database.stagingHostId)
      await requireEngine(trx, database.stagingHostId ?? row.hostId, row.kind)
      await insertSourceDatabase(trx, context, { sourceId: row.id, protection: database })
    }
    const after = await showSource(trx, row)
    await recordChange(trx, context, request, {
      action: 'createSource',
      topic: 'sources',
      type: 'source.created',
      after,
      id: row.id,
      name: row.name,
      labels: body.labels,
    })
    return after
  })
  return { status: 201, body: shown, etag: 1, location: `/api/v1/sources/${row.id}` }
}

/** The gate looked host and pool up; they may have gone since. Policies have no scope. */
async function checkReferences(trx: Trx, row: SourceRow): Promise<void> {
  const host = await trx
    .selectFrom('host')
    .select(['kind', 'state'])
    .where('id', '=', row.hostId)
    .executeTakeFirst()
  if (host === undefined || host.state === 'removed') {
    throw requestInvalid('/hostId', `there is no host ${row.hostId}`)
  }
  if (host.kind !== 'agent') throw requestInvalid('/hostId', 'sources are captured by agents')
  if (row.policyId === null) return
  const policy = await trx
    .selectFrom('policy')
    .select('id')
    .where('id', '=', row.policyId)
    .executeTakeFirst()
  if (policy === undefined) throw requestInvalid('/policyId', `there is no policy ${row.policyId}`)
}

/** Where the standby runs: the gate looks at the host of the source only. */
async function checkStagingHost(
  trx: Trx,
  principal: Principal,
  hostId: string | null | undefined,
): Promise<void> {
  if (hostId === null || hostId === undefined) return
  const host = await trx
    .selectFrom('host')
    .select(['kind', 'state', 'labelsJson'])
    .where('id', '=', hostId)
    .executeTakeFirst()
  const isThere = host !== undefined && host.state !== 'removed' && host.kind === 'agent'
  if (isThere && matchesLabels(principal.scope, labelsOf(host.labelsJson))) return
  throw requestInvalid('/database/stagingHostId', `there is no host ${hostId} with an agent`)
}

async function changeSource(context: SourceContext, request: HandlerRequest<'changeSource'>) {
  const { params, body, principal } = request
  if (body.labels !== undefined) requireInScope(principal, body.labels)
  const { labels, options, database: wished, ...plain } = body
  const { check = true, ...database } = wished ?? {}
  if (check && database.connection !== undefined) {
    await checkChangedConnection(context, request, database)
  }
  const fields = Object.entries(plain).filter(([, value]) => value !== undefined)
  const changes: Partial<SourceRow> = {
    ...(Object.fromEntries(fields) as Partial<SourceRow>),
    ...(labels !== undefined && { labelsJson: JSON.stringify(labels) }),
    ...(options !== undefined && { optionsJson: JSON.stringify(options) }),
  }
  return update(context, request, params.sourceId, {
    action: 'changeSource',
    changes,
    ...(wished !== undefined && {
      within: async (trx) => {
        await checkStagingHost(trx, principal, database.stagingHostId)
        const change = { sourceId: params.sourceId, change: database }
        const { path, growTo } = await changeSourceDatabase(trx, context, change)
        if (growTo !== null) await requestGrowth(trx, context, request, growTo)
        return { path }
      },
    }),
  })
}

/** A person's wish, in the transaction that notes it: `grow-volume` does the work. */
async function requestGrowth(
  trx: Trx,
  { jobs }: SourceContext,
  { params, principal }: HandlerRequest<'changeSource'>,
  sizeBytes: number,
): Promise<void> {
  const source = await loadSource(trx, params.sourceId)
  const row = await loadSourceDatabase(trx, source.id)
  const hostId = standbyHostOf(row, source)
  const wish = { mediumId: row.mediumId!, hostId, sizeBytes, automatic: false }
  await jobs.enqueue(trx, growVolumeRequest(source, { ...wish, actor: ownerOf(principal) }))
}

function setPaused(
  context: HandlerContext,
  request: HandlerRequest<'pauseSource'> | HandlerRequest<'resumeSource'>,
  paused: boolean,
) {
  const action = paused ? 'pauseSource' : 'resumeSource'
  const changes = { paused: paused ? 1 : 0 }
  return update(context, request, request.params.sourceId, { action, changes })
}

/**
 * Who could not make a source on a host may not point one at other data there either: what is
 * captured could be browsed from then on. Making one is checked at the gate.
 */
async function checkMove(trx: Trx, principal: Principal, row: SourceRow, next: SourceRow) {
  if (row.path === next.path && row.kind === next.kind && row.hostId === next.hostId) return
  const host = await trx
    .selectFrom('host')
    .select('labelsJson')
    .where('id', '=', next.hostId)
    .executeTakeFirstOrThrow()
  if (matchesLabels(principal.scope, labelsOf(host.labelsJson))) return
  throw requestInvalid('/path', 'the host of this source lies outside of your scope')
}

async function update(
  context: HandlerContext,
  request: {
    readonly ifMatch: number | null
    readonly principal: Principal
    readonly address: string
    readonly requestId: string
  },
  id: string,
  change: {
    readonly action: string
    readonly changes: Partial<SourceRow>
    /** More to change in the transaction; what it says of the row counts too. */
    readonly within?: (trx: Trx) => Promise<Partial<SourceRow>>
  },
) {
  const { action, changes } = change
  return context.catalog.transaction(async (trx) => {
    const row = await loadSource(trx, id)
    requireVersion(row, request)
    const before = await showSource(trx, row)
    const more = (await change.within?.(trx)) ?? {}
    const next: SourceRow = { ...row, ...changes, ...more, version: row.version + 1 }
    if (next.policyId !== row.policyId) await requireOwnPolicy(trx, id)
    await checkReferences(trx, next)
    await checkMove(trx, request.principal, row, next)
    if (next.name !== row.name) await requireNameFree(trx, 'source', next.name)
    await trx.updateTable('source').set(next).where('id', '=', id).execute()
    const after = await showSource(trx, next)
    await recordChange(trx, context, request, {
      action,
      topic: 'sources',
      type: 'source.changed',
      before: before,
      after,
      id,
      name: next.name,
      labels: labelsOf(next.labelsJson),
    })
    return { body: after, etag: next.version }
  })
}

async function deleteSource(context: HandlerContext, request: HandlerRequest<'deleteSource'>) {
  const { catalog } = context
  const { params, dryRun } = request
  const row = await loadSource(catalog.db, params.sourceId)
  if (dryRun) {
    const warning =
      'Its points can be mounted then, but no virtual database is made of them any more.'
    const warnings = isDatabaseKind(row.kind) ? [warning] : []
    return planned('stop protecting; its recovery points stay', row, warnings)
  }
  const consent = await consentTo(context, request, {
    action: 'deleteSource',
    id: row.id,
    name: row.name,
  })
  await catalog.transaction(async (trx) => {
    await consent.use(trx)
    const current = await loadSource(trx, row.id)
    const active = await trx
      .selectFrom('job')
      .select('id')
      .where('sourceId', '=', row.id)
      .where('endedAt', 'is', null)
      .executeTakeFirst()
    if (active !== undefined) {
      throw new MaasError('OBJECT_IN_USE', 'a job works on the source', { jobId: active.id })
    }
    await requireUngrouped(trx, row.id, 'take it out first')
    await trx.deleteFrom('schedule').where('sourceId', '=', row.id).execute()
    const wish = { actor: ownerOf(request.principal), force: request.body.force ?? false }
    await requestUnprotect(trx, context, current, wish)
    await trx.deleteFrom('source').where('id', '=', row.id).execute()
    await recordChange(trx, context, request, {
      action: 'deleteSource',
      topic: 'sources',
      type: 'source.deleted',
      id: row.id,
      name: row.name,
      labels: labelsOf(current.labelsJson),
      before: current,
      reason: consent.reason,
    })
  })
  return { status: 204, body: null }
}

async function protectSource(context: HandlerContext, request: HandlerRequest<'protectSource'>) {
  const { params, body, principal } = request
  const jobId = await context.catalog.transaction(async (trx) => {
    const row = await loadSource(trx, params.sourceId)
    const labels = labelsOf(row.labelsJson)
    const policy = (await loadPolicies(trx)).resolve({ policyId: row.policyId, labels })
    const make = isDatabaseKind(row.kind) ? protectDatabaseRequest : protectRequest
    const wanted = make(row, {
      actor: ownerOf(principal),
      priority: policy?.spec.priority ?? 0,
      policyId: policy?.id ?? null,
      lockUntil: body.lockUntil === undefined ? null : Date.parse(body.lockUntil),
      labels: body.labels,
    })
    const id = await context.jobs.enqueue(trx, wanted)
    await recordChange(trx, context, request, {
      action: 'protectSource',
      topic: 'sources',
      type: 'source.protecting',
      id: row.id,
      name: row.name,
      labels,
      after: { jobId: id },
    })
    return id
  })
  return acceptedJob(jobId)
}

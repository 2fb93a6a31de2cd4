/**
 * Virtual databases as a service: what a request to make, branch, change or drop one becomes. The
 * row is made here, in the transaction of the job that does the work. Verbs: verbs.ts.
 */
import type { Insertable } from 'kysely'
import { makeControlId } from '@openmaas/api/ids'
import { hasLimitedPlug, ownerOf, type Principal } from '@openmaas/api/permissions'
import { isDatabaseKind } from '@openmaas/api/resources/source'
import type { RecoveryTarget } from '@openmaas/api/resources/virtual-database'
import type { BodyOf } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import { saveSecret } from '../auth/secret-repository.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import type { SealingContext } from '../database/source-database.ts'
import { findWay, type Moment } from '../database/moment.ts'
import { listDatabasePoints } from '../database/points.ts'
import { loadHost } from '../host/host-repository.ts'
import { labelsOf, timeOrNull } from '../http/columns.ts'
import { requireInScope } from '../http/gate.ts'
import { type HandlerContext, recordChange, type Trx } from '../http/handler-context.ts'
import { requireName } from '../http/names.ts'
import {
  acceptedJob,
  type HandlerRequest,
  type Handlers,
  requestInvalid,
  requireVersion,
} from '../http/handler.ts'
import { choosePool } from '../job/kinds/choose-pool.ts'
import { virtualDatabaseRequest } from '../job/kinds/virtual-database-params.ts'
import { loadPoint, requireAvailable } from '../points/list.ts'
import { loadSource, type SourceRow } from '../sources/list.ts'
import { checkLifetime, checkQuota, requireOffer } from './offer.ts'
import { requestPoint } from './point-first.ts'
import { requireReplaceable } from './requirements.ts'
import { loadVirtualDatabase, showVirtualDatabase, type VirtualDatabaseRow } from './rows.ts'
import { nextRefresh, refreshProblem } from './schedule.ts'

export type VirtualDatabaseContext = HandlerContext & SealingContext

type Body = BodyOf<'createVirtualDatabase'>
type Wish = Pick<
  Body,
  'name' | 'port' | 'listen' | 'user' | 'settings' | 'lifetimeSeconds' | 'quotaBytes' | 'purpose'
> & { readonly labels: Record<string, string>; readonly hostId: string }

/** 144 bits, in letters that no shell and no connection string minds. */
const PASSWORD_BYTES = 18

export function makeVirtualDatabaseHandlers(context: VirtualDatabaseContext) {
  return {
    createVirtualDatabase: (request) => create(context, request),
    changeVirtualDatabase: (request) => change(context, request),
    extendVirtualDatabase: (request) => extend(context, request),
  } satisfies Handlers
}

/** @throws MaasError REQUEST_INVALID: a moment that has not been yet */
export function momentOf(
  body: Pick<Body, 'pointId' | 'at' | 'transaction' | 'position'>,
  now: number,
): Moment {
  const { pointId, at, transaction, position } = body
  if (pointId !== undefined) return { kind: 'point', pointId }
  if (transaction !== undefined) return { kind: 'transaction', id: transaction }
  if (position !== undefined) return { kind: 'position', position }
  if (at === undefined) return { kind: 'newest' }
  const atMs = Date.parse(at)
  if (atMs > now) throw requestInvalid('/at', 'the moment has not been yet')
  return { kind: 'time', atMs }
}

export function targetFor(moment: Moment): RecoveryTarget {
  if (moment.kind === 'time') return { kind: 'time', at: new Date(moment.atMs).toISOString() }
  if (moment.kind === 'transaction' || moment.kind === 'position') return moment
  return { kind: 'point' }
}

async function create(
  context: VirtualDatabaseContext,
  request: HandlerRequest<'createVirtualDatabase'>,
) {
  const { body, principal, dryRun } = request
  const { catalog, clock } = context
  checkLifetime(principal, body.lifetimeSeconds)
  const problem = body.autoRefresh === null ? null : refreshProblem(body.autoRefresh)
  if (problem !== null) throw requestInvalid('/autoRefresh', problem)
  const moment = momentOf(body, clock.wallMs())
  checkFollowing(body, moment)
  const source = await sourceOf(context, body)
  const { quotaBytes } = body
  await checkQuota(catalog.db, principal, { sourceId: source.id, quotaBytes })
  const labels = { ...labelsOf(source.labelsJson), ...body.labels }
  requireInScope(principal, labels)
  if (dryRun) return planFor(context, { source, moment, name: body.name })
  const consent = await requireOffer(context, { ...request, body }, source.id)
  return catalog.transaction(async (trx) => {
    await consent.use(trx)
    const wish = { ...body, labels }
    const more = { liveSync: body.liveSync ? 1 : 0 }
    const row = await insertRow(trx, context, { principal, source, wish, moment, more })
    const { autoRefresh } = body
    if (autoRefresh !== null) {
      const nextRefreshAt = nextRefresh(autoRefresh, clock.wallMs())
      const set = { autoRefreshJson: JSON.stringify(autoRefresh), nextRefreshAt }
      await trx.updateTable('virtualDatabase').set(set).where('id', '=', row.id).execute()
    }
    const actor = ownerOf(principal)
    const of = { source, moment, actor, forId: row.id, always: body.liveSync }
    const dependsOn = await requestPoint(trx, context, of)
    const params = { of: { moment } }
    const wanted = virtualDatabaseRequest('make-virtual-database', row, {
      actor,
      params,
      dependsOn,
    })
    const jobId = await context.jobs.enqueue(trx, wanted)
    await recordChange(trx, context, request, {
      action: 'createVirtualDatabase',
      topic: 'virtual-databases',
      type: 'virtual-database.creating',
      id: row.id,
      name: row.name,
      labels,
      after: showVirtualDatabase(row),
    })
    return acceptedJob(jobId, { virtualDatabaseId: row.id })
  })
}

/** @throws MaasError REQUEST_INVALID: it shows the moment that production is at */
function checkFollowing({ liveSync, autoRefresh }: Body, moment: Moment): void {
  if (!liveSync) return
  if (moment.kind !== 'newest') {
    throw requestInvalid('/liveSync', 'what follows production has no moment of its own')
  }
  if (autoRefresh !== null) throw requestInvalid('/autoRefresh', 'it follows production anyway')
}

export async function sourceOf(
  { catalog }: HandlerContext,
  body: Pick<Body, 'pointId' | 'sourceId'>,
): Promise<SourceRow> {
  let { sourceId } = body
  if (body.pointId !== undefined) {
    const point = await loadPoint(catalog.db, body.pointId)
    requireAvailable(point)
    sourceId = point.sourceId
  }
  const source = await loadSource(catalog.db, sourceId!)
  if (isDatabaseKind(source.kind)) return source
  throw new MaasError('SOURCE_NOT_DATABASE', 'the source is no database', { sourceId: source.id })
}

/** Makes the row; also for a branch. */
export async function insertRow(
  trx: Trx,
  context: VirtualDatabaseContext,
  of: {
    readonly principal: Principal
    readonly source: SourceRow
    readonly wish: Wish
    readonly moment: Moment
    readonly more?: Partial<Insertable<CatalogTables['virtualDatabase']>>
  },
): Promise<VirtualDatabaseRow> {
  const { clock, random } = context
  const { principal, source, wish, moment } = of
  await requireHost(trx, wish.hostId)
  await requireFreeName(trx, wish.name)
  await requireFreePort(trx, wish)
  const id = makeControlId('virtualDatabase', clock, random)
  const plain = Buffer.from(random.bytes(PASSWORD_BYTES)).toString('base64url')
  const secretId = await saveSecret(trx, context, { name: `password of ${id}`, plain })
  const now = clock.wallMs()
  const { lifetimeSeconds } = wish
  const place = await choosePool(trx, source)
  const row: Insertable<CatalogTables['virtualDatabase']> = {
    ...place,
    id,
    secretId,
    name: wish.name,
    engine: source.kind,
    engineVersion: '',
    sourceId: source.id,
    parentId: null,
    pointId: moment.kind === 'point' ? moment.pointId : null,
    bookmarkId: null,
    targetJson: JSON.stringify(targetFor(moment)),
    hostId: wish.hostId,
    mediumId: null,
    state: 'creating',
    dataAt: null,
    position: null,
    address: null,
    port: wish.port,
    userName: wish.user,
    databasesJson: '[]',
    listenJson: JSON.stringify(wish.listen),
    settingsJson: JSON.stringify(wish.settings),
    leaseUntil: lifetimeSeconds === null ? null : now + lifetimeSeconds * 1000,
    quotaBytes: wish.quotaBytes,
    writtenBytes: null,
    autoRefreshJson: null,
    nextRefreshAt: null,
    lastRefreshAt: null,
    liveSync: 0,
    kept: 0,
    directory: null,
    purpose: wish.purpose,
    labelsJson: JSON.stringify(wish.labels),
    createdBy: ownerOf(principal),
    createdAt: now,
    readyAt: null,
    endedAt: null,
    problemJson: null,
    version: 1,
    ...of.more,
  }
  await trx.insertInto('virtualDatabase').values(row).execute()
  return loadVirtualDatabase(trx, id)
}

async function requireHost(trx: Trx, hostId: string): Promise<void> {
  const host = await loadHost(trx, hostId)
  if (host.state === 'removed') throw requestInvalid('/hostId', 'the host was removed')
  if (host.kind !== 'agent') throw requestInvalid('/hostId', 'databases run on hosts with an agent')
  if (host.drained === 0) return
  throw new MaasError('HOST_DRAINED', `${host.name} takes no new work`, { hostId })
}

async function requireFreeName(trx: Trx, name: string): Promise<void> {
  requireName(name)
  const query = trx.selectFrom('virtualDatabase').select('id').where('name', '=', name)
  const row = await query.where('endedAt', 'is', null).executeTakeFirst()
  if (row === undefined) return
  throw new MaasError('NAME_TAKEN', `${name} is taken by another one`, { pointer: '/name', name })
}

const EVERYWHERE: ReadonlySet<string> = new Set(['*', '0.0.0.0', '::'])

/** Of other virtual databases: they keep theirs also while they are stopped. */
async function requireFreePort(trx: Trx, { hostId, port, listen }: Wish): Promise<void> {
  if (port === null) return
  const rows = await trx
    .selectFrom('virtualDatabase')
    .select(['id', 'name', 'listenJson'])
    .where('hostId', '=', hostId)
    .where('port', '=', port)
    .where('endedAt', 'is', null)
    .execute()
  const isShared = (others: readonly string[]): boolean =>
    [...listen, ...others].some((address) => EVERYWHERE.has(address)) ||
    others.some((address) => listen.includes(address))
  const holder = rows.find(({ listenJson }) => isShared(JSON.parse(listenJson) as string[]))
  if (holder === undefined) return
  const details = { pointer: '/port', port, virtualDatabaseId: holder.id }
  throw new MaasError('PORT_TAKEN', `port ${port} is that of ${holder.name}`, details)
}

/** The newest ones of a source say how long the next may take. */
const MEASURED_COUNT = 5

export async function planFor(
  { catalog }: HandlerContext,
  of: {
    readonly source: SourceRow
    readonly moment: Moment
    readonly name: string
    readonly warnings?: string[]
  },
) {
  const { source, moment, name, warnings = [] } = of
  requireName(name)
  const points = await listDatabasePoints(catalog.db, source.id)
  const { candidates, needsPoint } = findWay(points, moment)
  const base = candidates[0]?.base
  const before = await catalog.db
    .selectFrom('virtualDatabase')
    .select(['createdAt', 'readyAt'])
    .where('sourceId', '=', source.id)
    .where('readyAt', 'is not', null)
    .orderBy('createdAt', 'desc')
    .limit(MEASURED_COUNT)
    .execute()
  const times = before.map(({ createdAt, readyAt }) => Math.max(0, readyAt! - createdAt))
  const steps = [
    ...(needsPoint ? [{ action: 'take a recovery point first', object: source.id }] : []),
    { action: 'clone a recovery point', object: base?.id ?? source.id },
    { action: 'recover and start an instance', object: source.id, name },
  ]
  const dataAt = moment.kind === 'time' ? moment.atMs : (base?.mark.atMs ?? null)
  return {
    status: 200,
    body: {
      plan: steps,
      warnings,
      pointId: needsPoint ? null : (base?.id ?? null),
      dataAt: timeOrNull(dataAt),
      takesPointFirst: needsPoint,
      sizeBytes: base?.sizeBytes ?? 0,
      expectedMs: times.length === 0 ? null : Math.max(...times),
      usesBytes: 0,
    },
  }
}

async function change(
  context: VirtualDatabaseContext,
  request: HandlerRequest<'changeVirtualDatabase'>,
) {
  const { params, body, principal } = request
  const { name, labels, purpose, autoRefresh, kept } = body
  if (labels !== undefined) requireInScope(principal, labels)
  if (kept === true && hasLimitedPlug(principal)) {
    throw requestInvalid('/kept', 'your role keeps virtual databases for their lifetime')
  }
  const problem =
    autoRefresh === undefined || autoRefresh === null ? null : refreshProblem(autoRefresh)
  if (problem !== null) throw requestInvalid('/autoRefresh', problem)
  return context.catalog.transaction(async (trx) => {
    const row = await loadVirtualDatabase(trx, params.virtualDatabaseId)
    requireVersion(row, request)
    if (autoRefresh !== undefined && autoRefresh !== null) requireReplaceable(row)
    if (name !== undefined && name !== row.name) await requireFreeName(trx, name)
    const next: VirtualDatabaseRow = {
      ...row,
      ...(name !== undefined && { name }),
      ...(labels !== undefined && { labelsJson: JSON.stringify(labels) }),
      ...(purpose !== undefined && { purpose }),
      ...(kept !== undefined && { kept: kept ? 1 : 0 }),
      ...(autoRefresh !== undefined && {
        autoRefreshJson: autoRefresh === null ? null : JSON.stringify(autoRefresh),
        nextRefreshAt: nextRefresh(autoRefresh, context.clock.wallMs()),
      }),
      version: row.version + 1,
    }
    return save(trx, context, request, { action: 'changeVirtualDatabase', row, next })
  })
}

async function extend(
  context: VirtualDatabaseContext,
  request: HandlerRequest<'extendVirtualDatabase'>,
) {
  const { params, body, principal } = request
  const { lifetimeSeconds, quotaBytes } = body
  if (lifetimeSeconds !== undefined) checkLifetime(principal, lifetimeSeconds)
  return context.catalog.transaction(async (trx) => {
    const row = await loadVirtualDatabase(trx, params.virtualDatabaseId)
    if (row.endedAt !== null || row.state === 'dropping') {
      const details = { virtualDatabaseId: row.id, state: row.state }
      throw new MaasError('VIRTUAL_DATABASE_BUSY', 'it is on its way out', details)
    }
    if (lifetimeSeconds !== undefined && lifetimeSeconds !== null) requireReplaceable(row)
    const { sourceId } = row
    if (quotaBytes !== undefined) await checkQuota(trx, principal, { sourceId, quotaBytes })
    if (quotaBytes !== undefined && quotaBytes !== null && quotaBytes < (row.writtenBytes ?? 0)) {
      const written = formatBytes(row.writtenBytes ?? 0)
      throw requestInvalid('/quotaBytes', `it has written ${written} already`)
    }
    if (quotaBytes !== undefined && quotaBytes !== row.quotaBytes) {
      const wanted = { actor: ownerOf(principal), params: { quotaBytes } }
      await context.jobs.enqueue(trx, virtualDatabaseRequest('widen-virtual-database', row, wanted))
    }
    const now = context.clock.wallMs()
    const leaseUntil =
      lifetimeSeconds === undefined
        ? row.leaseUntil
        : lifetimeSeconds === null
          ? null
          : now + lifetimeSeconds * 1000
    const next = { ...row, leaseUntil, version: row.version + 1 }
    return save(trx, context, request, { action: 'extendVirtualDatabase', row, next })
  })
}

async function save(
  trx: Trx,
  context: HandlerContext,
  request: Parameters<typeof recordChange>[2],
  of: {
    readonly action: string
    readonly row: VirtualDatabaseRow
    readonly next: VirtualDatabaseRow
  },
) {
  const { action, row, next } = of
  await trx.updateTable('virtualDatabase').set(next).where('id', '=', row.id).execute()
  const after = showVirtualDatabase(next)
  await recordChange(trx, context, request, {
    action,
    topic: 'virtual-databases',
    type: 'virtual-database.changed',
    id: row.id,
    name: next.name,
    labels: labelsOf(next.labelsJson),
    before: showVirtualDatabase(row),
    after,
  })
  return { status: 200, body: after, etag: next.version }
}

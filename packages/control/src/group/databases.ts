/** A virtual database of each member of a group, all at one moment, in one request. */
import { hasLimitedPlug, matchesLabels, ownerOf, type Principal } from '@openmaas/api/permissions'
import { objectNameFrom } from '@openmaas/api/object-name'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { findWay } from '../database/moment.ts'
import { listDatabasePoints } from '../database/points.ts'
import { findSourceDatabase } from '../database/source-database.ts'
import { labelsOf, timeOf } from '../http/columns.ts'
import { requireInScope } from '../http/gate.ts'
import { type Db, recordChange } from '../http/handler-context.ts'
import { requireName } from '../http/names.ts'
import {
  acceptedJob,
  type HandlerRequest,
  type Handlers,
  objectNotFound,
  requestInvalid,
} from '../http/handler.ts'
import { makeGroupDatabasesRequest } from '../job/kinds/make-group-databases.ts'
import type { SourceRow } from '../sources/list.ts'
import { insertRow, type VirtualDatabaseContext } from '../virtual-database/handlers.ts'
import { checkLifetime, checkQuota } from '../virtual-database/offer.ts'
import { showVirtualDatabase } from '../virtual-database/rows.ts'
import { floorMoment } from './moment.ts'
import { listMembers, loadGroup, offeredPoints } from './rows.ts'

type Request = HandlerRequest<'createGroupDatabases'>

export function makeGroupDatabaseHandlers(context: VirtualDatabaseContext) {
  return {
    createGroupDatabases: (request) => create(context, request),
  } satisfies Handlers
}

async function create(context: VirtualDatabaseContext, request: Request) {
  const { params, body, principal, dryRun } = request
  const { catalog, clock } = context
  checkLifetime(principal, body.lifetimeSeconds)
  const group = await loadGroup(catalog.db, params.groupId)
  const sources = await membersOf(catalog.db, request)
  for (const { id: sourceId } of sources) {
    await checkQuota(catalog.db, principal, { sourceId, quotaBytes: body.quotaBytes })
  }
  await requireHosts(catalog.db, request)
  const atMs = await momentOf(catalog.db, request, clock.wallMs())
  const moment = { kind: 'time', atMs } as const
  const takesPointFirst = await requireReach(catalog.db, sources, atMs)
  requireName(request.body.name)
  if (dryRun) return plan(request, { sources, atMs, takesPointFirst })
  await requireOffers(catalog.db, principal, sources)
  return catalog.transaction(async (trx) => {
    const made: { sourceId: string; virtualDatabaseId: string; name: string }[] = []
    for (const source of sources) {
      const wish = wishFor(request, source)
      requireInScope(principal, wish.labels)
      const row = await insertRow(trx, context, { principal, source, wish, moment })
      made.push({ sourceId: source.id, virtualDatabaseId: row.id, name: row.name })
      await recordChange(trx, context, request, {
        action: 'createGroupDatabases',
        topic: 'virtual-databases',
        type: 'virtual-database.creating',
        id: row.id,
        name: row.name,
        labels: wish.labels,
        after: showVirtualDatabase(row),
      })
    }
    const virtualDatabaseIds = made.map(({ virtualDatabaseId }) => virtualDatabaseId)
    const labels = { ...labelsOf(group.labelsJson), ...body.labels }
    const of = { atMs, virtualDatabaseIds, labels, actor: ownerOf(principal) }
    const jobId = await context.jobs.enqueue(trx, makeGroupDatabasesRequest(group, of))
    return acceptedJob(jobId, { at: timeOf(atMs), virtualDatabases: made })
  })
}

/** Whoever makes a database of a member has to be able to see that member. */
async function membersOf(db: Db, { params, body, principal }: Request): Promise<SourceRow[]> {
  const sources = await listMembers(db, params.groupId)
  for (const { sourceId } of body.members) {
    if (sources.some(({ id }) => id === sourceId)) continue
    throw requestInvalid('/members', `${sourceId} is no member of the group`)
  }
  for (const { id, labelsJson } of sources) {
    if (!matchesLabels(principal.scope, labelsOf(labelsJson))) throw objectNotFound('source', id)
  }
  return sources
}

/** @throws MaasError REQUEST_INVALID, POINT_NOT_AVAILABLE */
async function momentOf(db: Db, { params, body }: Request, now: number): Promise<number> {
  const { at, groupPointId } = body
  if (at !== undefined) {
    if (Date.parse(at) > now) throw requestInvalid('/at', 'the moment has not been yet')
    return floorMoment(Date.parse(at))
  }
  let points = offeredPoints(db, params.groupId).orderBy('at', 'desc').limit(1)
  if (groupPointId !== undefined) points = points.where('id', '=', groupPointId)
  const point = await points.executeTakeFirst()
  if (point !== undefined) return point.at
  const message =
    groupPointId === undefined ? 'the group has no point yet' : 'the group point is not available'
  throw new MaasError('POINT_NOT_AVAILABLE', message, { ...params, groupPointId })
}

/**
 * Said now, not by a job that fails.
 *
 * @returns whether a point of a member has to be taken first
 * @throws MaasError DATABASE_TARGET_UNREACHABLE
 */
async function requireReach(db: Db, sources: readonly SourceRow[], atMs: number): Promise<boolean> {
  let takesPointFirst = false
  for (const { id: sourceId, name } of sources) {
    const points = await listDatabasePoints(db, sourceId)
    if (points.length === 0) {
      throw new MaasError('POINT_NOT_AVAILABLE', `${name} has no recovery point`, { sourceId })
    }
    try {
      const { needsPoint } = findWay(points, { kind: 'time', atMs })
      takesPointFirst ||= needsPoint
    } catch (error) {
      if (!isMaasError(error)) throw error
      const details = { ...error.details, sourceId }
      throw new MaasError(error.code, `${name}: ${error.message}`, details, { cause: error })
    }
  }
  return takesPointFirst
}

/**
 * Consent is asked for one database at a time: a group needs all of its members to be offered
 * without.
 *
 * @throws MaasError DATABASE_NOT_OFFERED
 */
async function requireOffers(
  db: Db,
  principal: Principal,
  sources: readonly SourceRow[],
): Promise<void> {
  if (!hasLimitedPlug(principal)) return
  for (const { id: sourceId, name } of sources) {
    const row = await findSourceDatabase(db, sourceId)
    if (row?.selfService === 'on') continue
    const message = `${name} is not offered for self-service without consent`
    throw new MaasError('DATABASE_NOT_OFFERED', message, { sourceId })
  }
}

/** The gate looks at the host of the request only. */
async function requireHosts(db: Db, { body, principal }: Request): Promise<void> {
  for (const { hostId } of body.members) {
    if (hostId === undefined) continue
    const query = db.selectFrom('host').select('labelsJson').where('id', '=', hostId)
    const host = await query.executeTakeFirst()
    if (host !== undefined && matchesLabels(principal.scope, labelsOf(host.labelsJson))) continue
    throw requestInvalid('/members', `there is no host ${hostId}`)
  }
}

function wishFor({ body }: Request, source: SourceRow) {
  const { listen, user, lifetimeSeconds, quotaBytes, purpose } = body
  const own = body.members.find(({ sourceId }) => sourceId === source.id)
  return {
    listen,
    user,
    lifetimeSeconds,
    quotaBytes,
    purpose,
    name: own?.name ?? objectNameFrom(`${body.name}-${source.name}`),
    hostId: own?.hostId ?? body.hostId,
    port: own?.port ?? null,
    settings: own?.settings ?? {},
    labels: { ...labelsOf(source.labelsJson), ...body.labels },
  }
}

function plan(
  request: Request,
  of: {
    readonly sources: readonly SourceRow[]
    readonly atMs: number
    readonly takesPointFirst: boolean
  },
) {
  const { sources, atMs, takesPointFirst } = of
  const steps = sources.map((source) => ({
    action: 'recover and start an instance',
    object: source.id,
    name: wishFor(request, source).name,
  }))
  return { status: 200, body: { plan: steps, warnings: [], at: timeOf(atMs), takesPointFirst } }
}

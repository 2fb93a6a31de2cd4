/**
 * Media as a service: what a request to plug, eject or extend becomes. The row is made here, in
 * the transaction of the job that does the work; the job's steps are job/kinds/plug.ts.
 */
import { makeControlId } from '@openmaas/api/ids'
import { hasLimitedPlug, ownerOf } from '@openmaas/api/permissions'
import type { Principal } from '@openmaas/api/permissions'
import type { BodyOf } from '@openmaas/api/routes/routes'
import { MaasError } from '@openmaas/kernel/errors'
import { type HandlerRequest, type Handlers, acceptedJob, requestInvalid } from '../http/handler.ts'
import { requireInScope } from '../http/gate.ts'
import { labelsOf } from '../http/columns.ts'
import { recordChange } from '../http/handler-context.ts'
import type { Db, HandlerContext, Trx } from '../http/handler-context.ts'
import { loadMedium, showMedium } from './list.ts'
import type { MediumRow } from './list.ts'
import { loadPoint, requireAvailable } from '../points/list.ts'
import type { PointRow } from '../points/list.ts'
import { loadHost } from '../host/host-repository.ts'
import { requireFreeMedium } from '../job/kinds/database-media.ts'
import { nodeOfPool } from '../job/kinds/choose-pool.ts'
import { ejectRequest, plugRequest } from '../job/kinds/medium-requests.ts'

export interface MediaContext extends HandlerContext {
  /** The host's agent and the node share a process: no network lies between them. */
  isEmbedded(hostId: string, nodeId: string): boolean
}

type Wish = Omit<BodyOf<'plugMedium'>, 'pointId' | 'sourceId' | 'at'>
type Plugging = HandlerRequest<'plugMedium'> | HandlerRequest<'mountPoint'>

/** Below it every medium gets a directory of its own, unless the request names a place. */
const MOUNT_ROOT = '/mnt/openmaas'
/** What a data consumer plugs goes by itself: a lease of more than a month is nobody's test. */
const LIMITED_LIFETIME_MAX_SECONDS = 31 * 86_400

export function makeMediumHandlers(context: MediaContext) {
  return {
    plugMedium: async (request) => {
      const { pointId, sourceId, at, ...wish } = request.body
      const point = await findPoint(context.catalog.db, { pointId, sourceId, at })
      return plug(context, { request, action: 'plugMedium', point, wish })
    },
    mountPoint: async (request) => {
      const point = await loadPoint(context.catalog.db, request.params.pointId)
      return plug(context, { request, action: 'mountPoint', point, wish: request.body })
    },
    ejectMedium: (request) => eject(context, request),
    extendMedium: (request) => extend(context, request),
  } satisfies Handlers
}

async function findPoint(
  db: Db,
  by: { pointId?: string | undefined; sourceId?: string | undefined; at?: string | undefined },
): Promise<PointRow> {
  if (by.pointId !== undefined) return loadPoint(db, by.pointId)
  let query = db
    .selectFrom('point')
    .selectAll()
    .where('sourceId', '=', by.sourceId!)
    .where('state', '=', 'available')
  if (by.at !== undefined) query = query.where('takenAt', '<=', Date.parse(by.at))
  const point = await query.orderBy('takenAt', 'desc').limit(1).executeTakeFirst()
  if (point !== undefined) return point
  throw requestInvalid('/at', 'the source has no point that old')
}

async function plug(
  context: MediaContext,
  asked: {
    readonly request: Plugging
    readonly action: 'plugMedium' | 'mountPoint'
    readonly point: PointRow
    readonly wish: Wish
  },
) {
  const { request, action, point, wish } = asked
  const { principal } = request
  checkLimits(principal, wish)
  requireNoDatabase(principal, point)
  const labels = { ...labelsOf(point.labelsJson), ...wish.labels }
  requireInScope(principal, labels)
  return context.catalog.transaction(async (trx) => {
    const row = await makeRow(trx, context, { point, wish, principal, labels })
    await trx.insertInto('medium').values(row).execute()
    const jobId = await context.jobs.enqueue(trx, plugRequest(row, ownerOf(principal)))
    await recordChange(trx, context, request, {
      action,
      topic: 'media',
      type: 'medium.plugging',
      id: row.id,
      name: row.name,
      labels,
      after: showMedium(row),
    })
    return acceptedJob(jobId, { mediumId: row.id })
  })
}

/** Agents mount as root: who may only plug clones does not choose over what. */
export function checkLimits(
  principal: Principal,
  wish: Pick<Wish, 'quotaBytes' | 'lifetimeSeconds' | 'mountPath'>,
): void {
  if (!hasLimitedPlug(principal)) return
  if (wish.mountPath !== null) {
    throw requestInvalid('/mountPath', 'your role does not choose where a medium is mounted')
  }
  if (wish.quotaBytes === null) throw requestInvalid('/quotaBytes', 'your role needs a quota')
  if (wish.lifetimeSeconds > LIMITED_LIFETIME_MAX_SECONDS) {
    throw requestInvalid('/lifetimeSeconds', 'your role keeps media for 31 days at most')
  }
}

/**
 * The files of a database hold production's passwords, and rows that nobody has offered.
 *
 * @throws MaasError DATABASE_NOT_OFFERED
 */
export function requireNoDatabase(
  principal: Principal,
  { databaseJson, sourceId }: Pick<PointRow, 'databaseJson' | 'sourceId'>,
): void {
  if (!hasLimitedPlug(principal) || databaseJson === null) return
  const message = 'your role has databases as virtual databases, not as disks'
  throw new MaasError('DATABASE_NOT_OFFERED', message, { sourceId })
}

async function makeRow(
  trx: Trx,
  context: MediaContext,
  from: {
    readonly point: PointRow
    readonly wish: Wish
    readonly principal: Principal
    readonly labels: Readonly<Record<string, string>>
  },
): Promise<MediumRow> {
  const { clock, random } = context
  const { point, wish, principal, labels } = from
  requireAvailable(point)
  const host = await loadHost(trx, wish.hostId)
  if (host.state === 'removed') throw requestInvalid('/hostId', 'the host was removed')
  if (host.kind !== 'agent') throw requestInvalid('/hostId', 'media are plugged into agents')
  if (host.drained === 1) {
    throw new MaasError('HOST_DRAINED', `${host.name} takes no new work`, { hostId: host.id })
  }
  const nodeId = await nodeOfPool(trx, point.poolId)
  const isEmbedded = context.isEmbedded(host.id, nodeId)
  if (wish.protocol === 'local' && !isEmbedded) {
    throw requestInvalid('/protocol', 'local is for the node’s own machine; use nbd')
  }
  const isLocal = isEmbedded && wish.protocol !== 'nbd'
  const id = makeControlId('medium', clock, random)
  const source = await trx
    .selectFrom('source')
    .select('name')
    .where('id', '=', point.sourceId)
    .executeTakeFirst()
  const createdAt = clock.wallMs()
  return {
    id,
    name: wish.name ?? `${source?.name ?? 'point'} ${new Date(point.takenAt).toISOString()}`,
    pointId: point.id,
    sourceId: point.sourceId,
    poolId: point.poolId,
    nodeId,
    hostId: host.id,
    protocol: isLocal ? 'local' : 'nbd',
    readOnly: wish.readOnly ? 1 : 0,
    mountPath: wish.mount ? (wish.mountPath ?? `${MOUNT_ROOT}/${id}`) : null,
    device: null,
    state: 'plugging',
    purpose: wish.purpose,
    leaseUntil: createdAt + wish.lifetimeSeconds * 1000,
    quotaBytes: wish.quotaBytes,
    bytesPerSecond: wish.bytesPerSecond,
    poolMediumId: null,
    labelsJson: JSON.stringify(labels),
    createdBy: ownerOf(principal),
    createdAt,
    endedAt: null,
    problemJson: null,
    version: 1,
  }
}

async function eject(context: MediaContext, request: HandlerRequest<'ejectMedium'>) {
  const { params, body, principal } = request
  return context.catalog.transaction(async (trx) => {
    const row = await loadMedium(trx, params.mediumId)
    if (row.state === 'ejected' || row.state === 'failed') {
      const details = { mediumId: row.id, state: row.state }
      throw new MaasError('MEDIUM_NOT_PLUGGED', 'the medium is not plugged in', details)
    }
    requireFreeMedium(row)
    // Somebody who changed their mind need not wait for the plug to end.
    await cancelPlug(trx, context, row.id)
    const wanted = ejectRequest(row, { actor: ownerOf(principal), force: body.force })
    const jobId = await context.jobs.enqueue(trx, wanted)
    await recordChange(trx, context, request, {
      action: 'ejectMedium',
      topic: 'media',
      type: 'medium.leaving',
      id: row.id,
      name: row.name,
      labels: labelsOf(row.labelsJson),
      after: { jobId },
    })
    return acceptedJob(jobId)
  })
}

async function cancelPlug(trx: Trx, context: MediaContext, mediumId: string): Promise<void> {
  await trx
    .updateTable('job')
    .set({ cancelRequestedAt: context.clock.wallMs() })
    .where('activeKey', '=', `plug:${mediumId}`)
    .where('endedAt', 'is', null)
    .where('cancelRequestedAt', 'is', null)
    .execute()
}

async function extend(context: MediaContext, request: HandlerRequest<'extendMedium'>) {
  const { params, body, principal } = request
  const { lifetimeSeconds } = body
  if (hasLimitedPlug(principal) && lifetimeSeconds > LIMITED_LIFETIME_MAX_SECONDS) {
    throw requestInvalid('/lifetimeSeconds', 'your role keeps media for 31 days at most')
  }
  return context.catalog.transaction(async (trx) => {
    const row = await loadMedium(trx, params.mediumId)
    if (row.endedAt !== null || row.state === 'ejecting') {
      const details = { mediumId: row.id, state: row.state }
      throw new MaasError('MEDIUM_NOT_PLUGGED', 'the medium is on its way out', details)
    }
    const leaseUntil = context.clock.wallMs() + lifetimeSeconds * 1000
    const changed = { ...row, leaseUntil, version: row.version + 1 }
    await trx
      .updateTable('medium')
      .set({ leaseUntil, version: changed.version })
      .where('id', '=', row.id)
      .execute()
    await recordChange(trx, context, request, {
      action: 'extendMedium',
      topic: 'media',
      type: 'medium.extended',
      id: row.id,
      name: row.name,
      labels: labelsOf(row.labelsJson),
      before: { leaseUntil: row.leaseUntil },
      after: { leaseUntil },
    })
    return { status: 200, body: showMedium(changed), etag: changed.version }
  })
}

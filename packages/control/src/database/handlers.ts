/** Databases as sources: looking before one is protected, what can be recovered, verifying. */
import type { z } from 'zod'
import { type databaseConnection, PLAIN_KINDS } from '@openmaas/api/resources/database'
import { ownerOf } from '@openmaas/api/permissions'
import { isDatabaseKind } from '@openmaas/api/resources/source'
import { MaasError } from '@openmaas/kernel/errors'
import type { OrderGiver } from '@openmaas/protocols/channel/orders'
import { labelsOf } from '../http/columns.ts'
import { type HandlerContext, recordChange } from '../http/handler-context.ts'
import { acceptedJob, type HandlerRequest, type Handlers } from '../http/handler.ts'
import { volumeBytesFor } from '../job/kinds/prepare-database.ts'
import { verifyDatabaseRequest } from '../job/kinds/verify-database.ts'
import { loadPoint, requireAvailable } from '../points/list.ts'
import { loadSource } from '../sources/list.ts'
import { requireEngine } from './engines.ts'
import { listDatabasePoints } from './points.ts'
import { recoverRangeOf } from './recover-range.ts'
import { loadSourceDatabase, statusOf } from './source-database.ts'

/** A person waits; production may be slow to answer, or behind a firewall that says nothing. */
const LOOK_TIMEOUT_MS = 60_000

export interface DatabaseContext extends HandlerContext {
  readonly orders: OrderGiver
}

export function makeDatabaseHandlers(context: DatabaseContext) {
  return {
    discoverDatabases: (request) => discover(context, request),
    checkDatabase: (request) => check(context, request),
    getRecoverRange: (request) => getRecoverRange(context, request),
    verifyDatabasePoint: (request) => verify(context, request),
  } satisfies Handlers
}

async function discover(
  { orders, catalog }: DatabaseContext,
  { body, requestId, signal }: HandlerRequest<'discoverDatabases'>,
) {
  const options = { key: `databases:${requestId}`, timeoutMs: LOOK_TIMEOUT_MS, signal }
  const { instances } = await orders.order(body.hostId, 'database.discover', {}, options)
  const sources = await catalog.db
    .selectFrom('source')
    .select(['id', 'kind', 'path'])
    .where('hostId', '=', body.hostId)
    .where('kind', 'not in', PLAIN_KINDS)
    .execute()
  const items = instances.map(({ engine: kind, version: engineVersion, ...rest }) => ({
    ...rest,
    kind,
    engineVersion,
    sourceId:
      sources.find((row) => row.kind === kind && row.path.endsWith(`:${rest.port ?? ''}`))?.id ??
      null,
  }))
  return { body: { items } }
}

async function check(
  { orders, catalog }: DatabaseContext,
  { body, requestId, signal }: HandlerRequest<'checkDatabase'>,
) {
  const { kind: engine, hostId } = body
  await requireEngine(catalog.db, hostId, engine)
  const connection: z.output<typeof databaseConnection> = body.connection
  const options = { key: `check:${requestId}`, timeoutMs: LOOK_TIMEOUT_MS, signal }
  const answer = await orders.order(hostId, 'database.check', { engine, connection }, options)
  const { version: engineVersion, sizeBytes, identity, checks } = answer
  const ok = checks.every((each) => each.ok)
  const volumeBytes = volumeBytesFor(sizeBytes)
  return { body: { ok, engineVersion, sizeBytes, identity, checks, volumeBytes } }
}

async function getRecoverRange(
  { catalog, clock }: DatabaseContext,
  { params }: HandlerRequest<'getRecoverRange'>,
) {
  const { sourceId } = params
  const row = await loadSourceDatabase(catalog.db, sourceId)
  const points = await listDatabasePoints(catalog.db, sourceId)
  const status = statusOf(row)
  // Log that was removed before a point had taken it leads nowhere until the next one.
  const isLive = status?.state === 'following' && (status.logCutAtMs ?? null) === null
  return { body: recoverRangeOf(sourceId, points, isLive ? clock.wallMs() : null) }
}

async function verify(context: DatabaseContext, request: HandlerRequest<'verifyDatabasePoint'>) {
  const { params, body, principal } = request
  const jobId = await context.catalog.transaction(async (trx) => {
    const point = await loadPoint(trx, params.pointId)
    requireAvailable(point)
    const source = await loadSource(trx, point.sourceId)
    if (!isDatabaseKind(source.kind)) {
      const details = { pointId: point.id }
      throw new MaasError('SOURCE_NOT_DATABASE', 'the point is of no database', details)
    }
    const { hostId, assertions } = body
    const actor = ownerOf(principal)
    const wanted = verifyDatabaseRequest(source, { actor, pointId: point.id, hostId, assertions })
    const id = await context.jobs.enqueue(trx, wanted)
    await recordChange(trx, context, request, {
      action: 'verifyDatabasePoint',
      topic: 'points',
      type: 'point.verifying',
      id: point.id,
      name: source.name,
      labels: labelsOf(point.labelsJson),
      after: { jobId: id },
    })
    return id
  })
  return acceptedJob(jobId)
}

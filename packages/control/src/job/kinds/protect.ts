/**
 * protect: a new recovery point of a source. What is decided (pool, parent, lock, tags) is
 * journalled before anything is read, so a resumed job asks for the very same capture; its id is
 * the request id, so asking twice makes one snapshot.
 */
import { z } from 'zod'
import { makeControlId } from '@openmaas/api/ids'
import { sourceOptions } from '@openmaas/api/resources/source'
import { MaasError } from '@openmaas/kernel/errors'
import type { Result } from '@openmaas/protocols/channel/orders'
import { appendEvent } from '../../catalog/events.ts'
import { makePointTags } from '../../catalog/point-tags.ts'
import type { PolicyTag } from '../../catalog/point-tags.ts'
import { recordSourceDay } from '../../monitor/anomaly/source-days.ts'
import { bandwidthAt, stricterLimit } from '../../policy/bandwidth.ts'
import { loadPolicies, parsePolicy } from '../../policy/resolve.ts'
import type { Policy } from '../../policy/resolve.ts'
import { DAY_MS } from '../../policy/zone.ts'
import { recordOutcome } from '../../schedule/outcome.ts'
import type { Kysely } from 'kysely'
import type { CatalogTables } from '../../catalog/schema.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext, Trx } from '../definition.ts'
import { jsonOf } from '../job-repository.ts'
import { choosePool } from './choose-pool.ts'
import { expireRequest } from './expire.ts'
import { settleRetention } from './retention-rows.ts'
import { DATA_TIMEOUT_MS, ORDER_TIMEOUT_MS } from './services.ts'
import type { KindServices } from './services.ts'
import type { JobRequest } from '../queue.ts'

const params = z.object({
  sourceId: z.string(),
  hostId: z.string(),
  poolId: z.string().nullable(),
  /** On top of what the policy locks. */
  lockUntil: z.number().nullable(),
  labels: z.record(z.string(), z.string()),
})
type ProtectParams = z.infer<typeof params>

interface Prepared {
  readonly poolId: string
  readonly nodeId: string
  readonly policyId: string | null
  readonly sourceName: string
  readonly kind: 'files' | 'disk'
  readonly path: string
  readonly rules: {
    readonly include: string[]
    readonly exclude: string[]
    readonly oneFileSystem: boolean
  }
  readonly channels: number
  readonly bytesPerSecond: number | null
  readonly parentSnapshotId: string | null
  readonly lockUntil: number | null
  readonly tags: Record<string, string>
  readonly labels: Record<string, string>
}
interface ProtectResults {
  readonly prepare: Prepared
  readonly capture: Result<'source.capture'>
}
type Context = StepContext<ProtectParams, ProtectResults>

/** What `engine.enqueue` takes to protect this source. */
export function protectRequest(
  source: {
    readonly id: string
    readonly hostId: string
    readonly poolId: string | null
    readonly labelsJson: string
  },
  more: {
    readonly actor: string
    readonly priority?: number
    readonly policyId?: string | null
    readonly lockUntil?: number | null
    readonly labels?: Readonly<Record<string, string>>
  },
): JobRequest {
  const { actor, priority = 0, policyId = null, lockUntil = null, labels = {} } = more
  return {
    kind: 'protect',
    params: {
      sourceId: source.id,
      hostId: source.hostId,
      poolId: source.poolId,
      lockUntil,
      labels,
    },
    actor,
    priority,
    activeKey: `protect:${source.id}`,
    sourceId: source.id,
    hostId: source.hostId,
    poolId: source.poolId,
    policyId,
    labels: JSON.parse(source.labelsJson) as Record<string, string>,
  }
}

async function prepare(context: Context): Promise<Prepared> {
  const { db } = context.catalog
  const { sourceId } = context.params
  const source = await loadSource(db, sourceId)
  const labels = JSON.parse(source.labelsJson) as Record<string, string>
  const options = sourceOptions.parse(JSON.parse(source.optionsJson))
  const policies = await loadPolicies(db)
  const policy = policies.resolve({ policyId: source.policyId, labels })
  const host = await db
    .selectFrom('host')
    .select(['name', 'drained'])
    .where('id', '=', source.hostId)
    .executeTakeFirst()
  if (host === undefined) throw notFound('host', source.hostId)
  if (host.drained === 1) {
    throw new MaasError('HOST_DRAINED', 'the host takes no new work', { hostId: source.hostId })
  }
  const place = await choosePool(db, source)
  const now = context.clock.wallMs()
  const lockDays = policy?.spec.lockDays ?? 0
  const lockUntil = Math.max(
    lockDays > 0 ? now + lockDays * DAY_MS : 0,
    context.params.lockUntil ?? 0,
  )
  const { include, exclude, oneFileSystem, channels } = options
  const limit = policy === null ? null : bandwidthAt(policy.spec, now)
  return {
    ...place,
    policyId: policy?.id ?? null,
    sourceName: source.name,
    kind: source.kind,
    path: source.path,
    rules: { include, exclude, oneFileSystem },
    channels,
    bytesPerSecond: stricterLimit(limit, options.bytesPerSecond),
    parentSnapshotId: await findParent(db, sourceId, place.poolId),
    lockUntil: lockUntil > 0 ? lockUntil : null,
    tags: makePointTags({
      sourceId,
      sourceName: source.name,
      sourcePath: source.path,
      sourceOptions: options,
      hostId: source.hostId,
      hostName: host.name,
      labels,
      pinnedPolicy: source.policyId !== null,
      policy: policy === null ? null : tagOf(policy),
    }),
    labels: { ...labels, ...context.params.labels },
  }
}

function tagOf({ id, name, selector, priority, spec }: Policy): PolicyTag {
  return { id, name, selector: selector as PolicyTag['selector'], priority, spec }
}

async function loadSource(db: Kysely<CatalogTables>, sourceId: string) {
  const row = await db
    .selectFrom('source')
    .selectAll()
    .where('id', '=', sourceId)
    .executeTakeFirst()
  if (row === undefined) throw notFound('source', sourceId)
  return row
}

function notFound(noun: string, id: string): MaasError {
  return new MaasError('OBJECT_NOT_FOUND', `there is no such ${noun}`, { id })
}

/** The newest point that can be built upon. */
async function findParent(
  db: Kysely<CatalogTables>,
  sourceId: string,
  poolId: string,
): Promise<string | null> {
  const row = await db
    .selectFrom('point')
    .select('snapshotId')
    .where('sourceId', '=', sourceId)
    .where('poolId', '=', poolId)
    .where('state', '=', 'available')
    .orderBy('takenAt', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.snapshotId ?? null
}

async function capture(
  services: KindServices,
  context: Context,
): Promise<Result<'source.capture'>> {
  const { sourceId, hostId } = context.params
  const prepared = context.results.prepare
  const { parentSnapshotId, poolId, nodeId, channels } = prepared
  const target = await services.targets.target({
    purpose: 'capture',
    hostId,
    nodeId,
    poolId,
    sourceId,
    snapshotIds: parentSnapshotId === null ? [] : [parentSnapshotId],
    channels,
  })
  const order = {
    sourceId,
    sourceName: prepared.sourceName,
    kind: prepared.kind,
    path: prepared.path,
    rules: prepared.rules,
    target,
    parentSnapshotId,
    requestId: context.job.id,
    tags: prepared.tags,
    lockUntil: prepared.lockUntil,
    bytesPerSecond: prepared.bytesPerSecond,
  }
  const result = await context.orders.order(hostId, 'source.capture', order, {
    key: context.key(),
    timeoutMs: DATA_TIMEOUT_MS,
    signal: context.signal,
    onProgress: context.progress,
  })
  context.waits(result.waits)
  for (const { path, code, message } of result.warnings.slice(0, 100)) {
    context.log('warning', code, `${path}: ${message}`)
  }
  return result
}

async function recordPoint(
  services: KindServices,
  trx: Trx,
  context: Context,
  result: Result<'source.capture'>,
): Promise<void> {
  const { clock, job } = context
  const { sourceId, hostId } = context.params
  const { poolId, nodeId, policyId, labels, lockUntil, kind } = context.results.prepare
  const { snapshotId, takenAt, sizeBytes, addedBytes, itemCount, warningCount } = result
  const id = makeControlId('point', clock, services.random)
  await trx
    .insertInto('point')
    .values({
      id,
      sourceId,
      hostId,
      poolId,
      snapshotId,
      kind: result.kind,
      consistency: kind === 'disk' ? 'crash' : 'files',
      takenAt,
      sizeBytes,
      addedBytes,
      itemCount,
      warningCount,
      state: 'available',
      reasonsJson: '["newest"]',
      lockUntil,
      verifiedAt: null,
      labelsJson: jsonOf(labels),
    })
    // A rebuild of the catalog may have found the snapshot before this job could say so.
    .onConflict((conflict) => conflict.columns(['poolId', 'snapshotId']).doNothing())
    .execute()
  const point = await trx
    .selectFrom('point')
    .select('id')
    .where('poolId', '=', poolId)
    .where('snapshotId', '=', snapshotId)
    .executeTakeFirstOrThrow()
  const now = clock.wallMs()
  await trx
    .updateTable('source')
    .set({ lastSuccessAt: takenAt, lastPointId: point.id })
    .where('id', '=', sourceId)
    .execute()
  await trx
    .updateTable('job')
    .set({ pointId: point.id, poolId, nodeId, policyId })
    .where('id', '=', job.id)
    .execute()
  await addSamples(trx, sourceId, {
    at: now,
    'point.added': addedBytes,
    'point.size': sizeBytes,
    'capture.duration': Math.max(0, now - takenAt),
  })
  const { readBytes } = result
  await recordSourceDay(trx, { sourceId, at: takenAt, addedBytes, readBytes, sizeBytes })
  const data = { sourceId, poolId, snapshotId, takenAt, sizeBytes, addedBytes, jobId: job.id }
  const event = { topic: 'points', type: 'point.created', subject: point.id, labels, data } as const
  await appendEvent(trx, event, clock)
  await expireOld(services, trx, { sourceId, policyId, labels, now })
}

async function addSamples(
  trx: Trx,
  subject: string,
  { at, ...values }: Record<string, number> & { readonly at: number },
): Promise<void> {
  await trx
    .insertInto('sample')
    .values(Object.entries(values).map(([name, value]) => ({ name, subject, at, value })))
    .onConflict((conflict) => conflict.columns(['name', 'subject', 'at']).doNothing())
    .execute()
}

async function expireOld(
  services: KindServices,
  trx: Trx,
  of: {
    readonly sourceId: string
    readonly policyId: string | null
    readonly labels: Readonly<Record<string, string>>
    readonly now: number
  },
): Promise<void> {
  const { sourceId, policyId, labels, now } = of
  const row =
    policyId === null
      ? undefined
      : await trx.selectFrom('policy').selectAll().where('id', '=', policyId).executeTakeFirst()
  const spec = row === undefined ? null : parsePolicy(row).spec
  const expired = await settleRetention(trx, { sourceId, spec, now })
  for (const poolId of new Set(expired.map((point) => point.poolId))) {
    await services.enqueue(trx, expireRequest({ sourceId, poolId, labels, actor: 'system' }))
  }
}

/** Takes back a snapshot that the job may have made although its answer was lost. */
async function removeSnapshot(
  context: Context,
  result: Result<'source.capture'> | null,
): Promise<void> {
  const { poolId, nodeId, parentSnapshotId } = context.results.prepare
  const ids = result === null ? [] : [result.snapshotId]
  const options = { timeoutMs: ORDER_TIMEOUT_MS }
  let after = parentSnapshotId
  for (let page = 0; result === null && page < STRAY_PAGES_MAX; page += 1) {
    const answer = await context.orders.order(
      nodeId,
      'pool.snapshots',
      { poolId, after, limit: STRAY_PAGE },
      { ...options, key: context.key(`look-${page}`) },
    )
    const own = answer.snapshots.filter((row) => row.tags[REQUEST_TAG] === context.job.id)
    ids.push(...own.map((row) => row.snapshotId))
    after = answer.snapshots.at(-1)?.snapshotId ?? null
    if (!answer.more || after === null) break
  }
  if (ids.length === 0) return
  const deletion = { poolId, snapshotIds: ids }
  await context.orders.order(nodeId, 'pool.delete', deletion, { ...options, key: context.key() })
}
/** Set by the node on what it stores: the request that it was made for. */
const REQUEST_TAG = 'openmaas.request'
/** Snapshots that came after the parent while this job ran. */
const STRAY_PAGE = 1000
const STRAY_PAGES_MAX = 20

export function makeProtect(services: KindServices): JobDefinition {
  return defineJob<ProtectParams, ProtectResults>({
    kind: 'protect',
    params,
    slots: ({ sourceId, hostId, poolId }) => [
      `source:${sourceId}`,
      `host:${hostId}`,
      // Of a first capture nobody knows yet where it goes: those share the slots of one pool.
      `pool:${poolId ?? 'any'}`,
    ],
    steps: [
      { name: 'prepare', run: prepare },
      {
        name: 'capture',
        run: (context) => capture(services, context),
        apply: (trx, context, result) => recordPoint(services, trx, context, result),
        undo: removeSnapshot,
      },
    ],
    attemptMax: 4,
    deadlineMs: DATA_TIMEOUT_MS,
    conclude: ({ prepare: { poolId }, capture: result }) => ({
      warning: result.warningCount > 0,
      result: { ...result, poolId, warnings: result.warnings.slice(0, 20) },
    }),
    ended: (trx, { params: { sourceId }, job, clock }, { state }) =>
      recordOutcome(trx, { sourceId, purpose: 'protect', jobId: job.id, state, clock }),
  })
}

/** What a capture leaves in the catalog: its point, its measurements, and what may go now. */
import { makeControlId } from '@openmaas/api/ids'
import type { PolicySpec } from '@openmaas/api/policy'
import type { Result } from '@openmaas/protocols/channel/orders'
import { appendEvent } from '../../catalog/events.ts'
import { recordSourceDay } from '../../monitor/anomaly/source-days.ts'
import { parsePolicy } from '../../policy/resolve.ts'
import type { StepContext, Trx } from '../definition.ts'
import { jsonOf } from '../job-repository.ts'
import { expireRequest } from './expire.ts'
import { verifyRequest } from './pool-care.ts'
import type { Prepared, ProtectParams } from './prepare-capture.ts'
import { settleRetention } from './retention-rows.ts'
import type { KindServices } from './services.ts'
import { verifyDatabaseRequest } from './verify-database.ts'

/** What the first step of either kind of protect has decided. */
type Decided = Pick<Prepared, 'poolId' | 'nodeId' | 'policyId' | 'labels' | 'lockUntil'> & {
  readonly kind?: Prepared['kind']
}
type Context = StepContext<ProtectParams, { readonly prepare: Decided }>

/** What a point of a database has beside. */
export interface DatabasePointFacts {
  readonly consistency: 'application' | 'crash'
  readonly databaseJson: string
}

/** @returns the id of the point */
export async function recordPoint(
  services: KindServices,
  trx: Trx,
  context: Context,
  result: Result<'source.capture'>,
  database?: DatabasePointFacts,
): Promise<string> {
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
      consistency: database?.consistency ?? (kind === 'disk' ? 'crash' : 'files'),
      databaseJson: database?.databaseJson ?? null,
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
      onDemand: context.params.onDemand ? 1 : 0,
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
  const of = { sourceId, policyId, labels, now, pointId: point.id }
  await followPolicy(services, trx, { ...of, isDatabase: database !== undefined })
  return point.id
}

type Recorded = Omit<Parameters<typeof verifyEach>[2], 'spec'> & { readonly now: number }

/** What its policy wants of a new point: what may go, and whether it is verified at once. */
async function followPolicy(services: KindServices, trx: Trx, of: Recorded): Promise<void> {
  const spec = await specOf(trx, of.policyId)
  await expireOld(services, trx, { ...of, spec })
  await verifyEach(services, trx, { ...of, spec })
}

async function specOf(trx: Trx, policyId: string | null): Promise<PolicySpec | null> {
  if (policyId === null) return null
  const query = trx.selectFrom('policy').selectAll().where('id', '=', policyId)
  const row = await query.executeTakeFirst()
  return row === undefined ? null : parsePolicy(row).spec
}

/**
 * Of a source whose points come faster than they are verified: the ones beyond stay unverified,
 * as they show, rather than fill the queue.
 */
const VERIFICATIONS_WAITING_MAX = 20

/** A policy that wants each point verified gets it as soon as there is one. */
async function verifyEach(
  services: KindServices,
  trx: Trx,
  of: {
    readonly sourceId: string
    readonly policyId: string | null
    readonly labels: Readonly<Record<string, string>>
    readonly spec: PolicySpec | null
    readonly pointId: string
    readonly isDatabase: boolean
  },
): Promise<void> {
  const { sourceId: id, policyId, pointId } = of
  const { verify = null } = of.spec ?? {}
  if (verify?.points !== 'each') return
  const { count } = await trx
    .selectFrom('job')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('sourceId', '=', id)
    .where('kind', 'in', ['verify', 'verify-database'])
    .where('endedAt', 'is', null)
    .executeTakeFirstOrThrow()
  if (Number(count) >= VERIFICATIONS_WAITING_MAX) return
  const source = { id, labelsJson: jsonOf(of.labels) }
  const actor = 'system'
  const request = of.isDatabase
    ? verifyDatabaseRequest(source, { actor, pointId })
    : verifyRequest(source, { actor, data: verify.data, pointIds: [pointId] })
  await services.enqueue(trx, { ...request, policyId })
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

/** Writes why each point is kept, and sends away what nothing keeps. */
export async function expireOld(
  services: KindServices,
  trx: Trx,
  of: {
    readonly sourceId: string
    readonly labels: Readonly<Record<string, string>>
    readonly now: number
    readonly spec: PolicySpec | null
  },
): Promise<void> {
  const { sourceId, labels, now, spec } = of
  const expired = await settleRetention(trx, { sourceId, spec, now })
  for (const poolId of new Set(expired.map((point) => point.poolId))) {
    await services.enqueue(trx, expireRequest({ sourceId, poolId, labels, actor: 'system' }))
  }
}

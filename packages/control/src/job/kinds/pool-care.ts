/** Kinds that keep a pool healthy: collect (gc), check, verify. */
import { z } from 'zod'
import type { Result } from '@openmaas/protocols/channel/orders'
import { appendEvent } from '../../catalog/events.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext, Trx } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import { recordVerification } from '../../points/verification.ts'
import { recordOutcome } from '../../schedule/outcome.ts'

/** Reading all of a large pool takes days, and collecting hours. */
const CARE_TIMEOUT_MS = 7 * 24 * 3_600_000
/** As the order has it. */
const SNAPSHOTS_MAX = 10_000

const ofPool = { poolId: z.string(), nodeId: z.string() }
interface PoolRef {
  readonly id: string
  readonly nodeId: string
  readonly labelsJson: string
}
const poolColumns = ({ id: poolId, nodeId, labelsJson }: PoolRef) => ({
  poolId,
  nodeId,
  labels: JSON.parse(labelsJson) as Record<string, string>,
})

// ── collect ────────────────────────────────────────────────────────────────

const collectParams = z.object({ ...ofPool, approve: z.boolean() })

export function collectRequest(pool: PoolRef, actor: string, approve = false): JobRequest {
  const { poolId, nodeId, labels } = poolColumns(pool)
  const params = { poolId, nodeId, approve }
  return { kind: 'collect', params, actor, activeKey: `collect:${poolId}`, poolId, nodeId, labels }
}

export function makeCollect(): JobDefinition {
  return defineJob<z.infer<typeof collectParams>, { readonly collect: Result<'pool.gc'> }>({
    kind: 'collect',
    params: collectParams,
    slots: ({ poolId }) => [`collect:${poolId}`],
    steps: [
      {
        name: 'collect',
        run: (context) => {
          const { nodeId, poolId, approve } = context.params
          return context.orders.order(nodeId, 'pool.gc', { poolId, approve }, optionsOf(context))
        },
      },
    ],
    attemptMax: 3,
    deadlineMs: CARE_TIMEOUT_MS,
    conclude: ({ collect: result }) => ({ result }),
  })
}

function optionsOf(context: StepContext<unknown, object>) {
  return {
    key: context.key(),
    timeoutMs: CARE_TIMEOUT_MS,
    signal: context.signal,
    onProgress: context.progress,
  }
}

// ── check ──────────────────────────────────────────────────────────────────

const checkParams = z.object({ ...ofPool, data: z.boolean() })

export function checkRequest(pool: PoolRef, actor: string, data = false): JobRequest {
  const { poolId, nodeId, labels } = poolColumns(pool)
  const params = { poolId, nodeId, data }
  return { kind: 'check', params, actor, activeKey: `check:${poolId}`, poolId, nodeId, labels }
}

type Checked = Result<'pool.check'>

export function makeCheck(): JobDefinition {
  return defineJob<z.infer<typeof checkParams>, { readonly check: Checked }>({
    kind: 'check',
    params: checkParams,
    slots: ({ poolId }) => [`pool:${poolId}`],
    steps: [
      {
        name: 'check',
        run: async (context) => {
          const { nodeId, poolId, data } = context.params
          const order = { poolId, data, snapshotIds: [] }
          return logged(context, await check(context, nodeId, order))
        },
        apply: async (trx, context, { problems }) => {
          if (problems.length > 0) await tellDamage(trx, context, context.params.poolId, problems)
        },
      },
    ],
    attemptMax: 3,
    deadlineMs: CARE_TIMEOUT_MS,
    conclude: ({ check: result }) => ({
      warning: result.problems.length > 0,
      result: shown(result),
    }),
  })
}

function check(
  context: StepContext<unknown, object>,
  nodeId: string,
  order: { readonly poolId: string; readonly data: boolean; readonly snapshotIds: string[] },
): Promise<Checked> {
  return context.orders.order(nodeId, 'pool.check', order, optionsOf(context))
}

function logged(context: StepContext<unknown, object>, result: Checked): Checked {
  for (const problem of result.problems.slice(0, 100)) {
    context.log('error', 'POOL_DEGRADED', problem)
  }
  return result
}

const shown = (result: Checked): object => ({ ...result, problems: result.problems.slice(0, 100) })

async function tellDamage(
  trx: Trx,
  context: StepContext<unknown, object>,
  poolId: string,
  problems: readonly string[],
): Promise<void> {
  const labels = JSON.parse(context.job.labelsJson) as Record<string, string>
  const data = { count: problems.length, first: problems[0], jobId: context.job.id }
  const event = { topic: 'pools', type: 'pool.damaged', subject: poolId, labels, data } as const
  await appendEvent(trx, event, context.clock)
}

// ── verify ─────────────────────────────────────────────────────────────────

const verifyParams = z.object({
  sourceId: z.string(),
  /** Null: its newest point. */
  pointIds: z.array(z.string()).max(SNAPSHOTS_MAX).nullable(),
  /** Every byte, not only the structure. */
  data: z.boolean(),
})
type VerifyParams = z.infer<typeof verifyParams>
interface VerifyResults {
  readonly select: {
    readonly poolId: string
    readonly nodeId: string
    readonly points: readonly { readonly id: string; readonly snapshotId: string }[]
  } | null
  readonly verify: Checked | null
}
type VerifyContext = StepContext<VerifyParams, VerifyResults>

export function verifyRequest(
  source: { readonly id: string; readonly labelsJson: string },
  options: { readonly actor: string; readonly data: boolean; readonly pointIds?: string[] },
): JobRequest {
  const { actor, data, pointIds = null } = options
  return {
    kind: 'verify',
    params: { sourceId: source.id, data, pointIds },
    actor,
    ...(pointIds === null ? { activeKey: `verify:${source.id}` } : {}),
    sourceId: source.id,
    labels: JSON.parse(source.labelsJson) as Record<string, string>,
  }
}

async function selectPoints(context: VerifyContext): Promise<VerifyResults['select']> {
  const { sourceId, pointIds } = context.params
  let query = context.catalog.db
    .selectFrom('point')
    .innerJoin('pool', 'pool.id', 'point.poolId')
    .select(['point.id', 'point.snapshotId', 'point.poolId', 'pool.nodeId'])
    .where('point.sourceId', '=', sourceId)
    .where('point.state', '=', 'available')
    .orderBy('point.takenAt', 'desc')
  query = pointIds === null ? query.limit(1) : query.where('point.id', 'in', pointIds)
  const rows = await query.execute()
  const first = rows[0]
  if (first === undefined) return null
  const { poolId, nodeId } = first
  const points = rows.filter((row) => row.poolId === poolId)
  return { poolId, nodeId, points: points.map(({ id, snapshotId }) => ({ id, snapshotId })) }
}

async function verify(context: VerifyContext): Promise<Checked | null> {
  const { select } = context.results
  if (select === null) return null
  const { nodeId, poolId, points } = select
  const snapshotIds = points.map((point) => point.snapshotId)
  const order = { poolId, data: context.params.data, snapshotIds }
  return logged(context, await check(context, nodeId, order))
}

async function recordVerified(
  trx: Trx,
  context: VerifyContext,
  result: Checked | null,
): Promise<void> {
  const { select } = context.results
  if (select === null || result === null) return
  const { problems } = result
  if (problems.length > 0) await tellDamage(trx, context, select.poolId, problems)
  // Which of several points a finding is about is in its words only.
  if (problems.length > 0 && select.points.length > 1) return
  const { sourceId, data } = context.params
  const name = data ? 'every byte' : 'structure'
  const tookMs = context.clock.wallMs() - (context.job.startedAt ?? context.clock.wallMs())
  const evidence = problems.length === 0 ? 'read back, and right' : problems.join('; ')
  const checks = [{ name, ok: problems.length === 0, evidence, tookMs }]
  for (const { id } of select.points) {
    const found = { by: data ? 'data' : 'structure', checks, sourceId } as const
    await recordVerification(trx, context, id, found)
  }
}

export function makeVerify(): JobDefinition {
  return defineJob<VerifyParams, VerifyResults>({
    kind: 'verify',
    params: verifyParams,
    slots: ({ sourceId }) => [`verify:${sourceId}`],
    steps: [
      { name: 'select', run: selectPoints },
      { name: 'verify', run: verify, apply: recordVerified },
    ],
    attemptMax: 3,
    deadlineMs: CARE_TIMEOUT_MS,
    conclude: ({ select, verify: result }) => ({
      warning: (result?.problems.length ?? 0) > 0,
      result: { points: select?.points.length ?? 0, ...(result === null ? {} : shown(result)) },
    }),
    ended: (trx, { params: { sourceId }, job, clock }, { state }) =>
      recordOutcome(trx, { sourceId, purpose: 'verify', jobId: job.id, state, clock }),
  })
}

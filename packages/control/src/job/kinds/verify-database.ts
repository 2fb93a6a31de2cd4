/**
 * verify-database: a point is proven to be a database: an instance on a clone of it, the engine's
 * own checks and the user's assertions, and everything gone again. The evidence is kept with the
 * point. What fails is a finding, not a failure of the job's steps: it ends as a warning. A point
 * that no instance starts on has failed as well.
 */
import { z } from 'zod'
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { Result } from '@openmaas/protocols/channel/orders'
import { assertionsOf, findSourceDatabase, standbyHostOf } from '../../database/source-database.ts'
import { recordVerification } from '../../points/verification.ts'
import { recordOutcome } from '../../schedule/outcome.ts'
import { defineJob } from '../definition.ts'
import type { JobDefinition, StepContext } from '../definition.ts'
import type { JobRequest } from '../queue.ts'
import {
  chooseMoment,
  type Chosen,
  clearChoice,
  type InstanceWish,
  recordMedia,
  type Recovered,
  recoverClone,
  settleMedia,
} from './clone-steps.ts'
import { mountPathOf } from './database-media.ts'
import type { KindServices } from './services.ts'

const params = z.object({
  sourceId: z.string(),
  /** Null: the newest. */
  pointId: z.string().nullable(),
  hostId: z.string().nullable(),
  assertions: z.array(z.object({ database: z.string(), sql: z.string() })),
})
type VerifyParams = z.infer<typeof params>
interface Results {
  readonly choose: Chosen & {
    readonly id: string
    readonly engine: string
    readonly pointId: string
  }
  readonly activate: Recovered
  readonly verify: Result<'database.verify'>
  readonly clear: null
}
type Context = StepContext<VerifyParams, Results>

/** pg_amcheck and CHECK TABLE read everything. */
const VERIFY_TIMEOUT_MS = 24 * 3_600_000
/** Checks of a result; a database with more tables has the failed ones first. */
const CHECKS_SHOWN_MAX = 500
/** As the order has it. */
const ASSERTIONS_MAX = 100
const VERIFY_USER = 'openmaas_verify'

export function verifyDatabaseRequest(
  source: { readonly id: string; readonly labelsJson: string },
  more: {
    readonly actor: string
    readonly pointId?: string | null
    readonly hostId?: string | null
    readonly assertions?: VerifyParams['assertions']
  },
): JobRequest {
  const { actor, pointId = null, hostId = null, assertions = [] } = more
  return {
    kind: 'verify-database',
    params: { sourceId: source.id, pointId, hostId, assertions },
    actor,
    activeKey: `verify:${source.id}:${pointId ?? ''}`,
    sourceId: source.id,
    pointId,
    hostId,
    labels: JSON.parse(source.labelsJson) as Record<string, string>,
  }
}

async function choose(services: KindServices, context: Context): Promise<Results['choose']> {
  const { sourceId, pointId, hostId: wanted } = context.params
  const { db } = context.catalog
  const source = await db
    .selectFrom('source')
    .selectAll()
    .where('id', '=', sourceId)
    .executeTakeFirst()
  if (source === undefined) {
    throw new MaasError('OBJECT_NOT_FOUND', 'there is no such source', { id: sourceId })
  }
  const database = await findSourceDatabase(db, sourceId)
  const standby = database === undefined ? source.hostId : standbyHostOf(database, source)
  // An id of a virtual database that nobody has a row of: it lives as long as this job.
  const id = context.job.id.replace(/^job_/, 'vdb_')
  const hostId = wanted ?? standby
  const moment =
    pointId === null ? ({ kind: 'newest' } as const) : ({ kind: 'point', pointId } as const)
  const owner = { id, sourceId, hostId, quotaBytes: null }
  const chosen = await chooseMoment(services, context, owner, moment)
  return { ...chosen, id, engine: source.kind, pointId: chosen.candidates[0]!.pointId! }
}

/** Known to nobody else, and gone with the clone. */
const wishFor = ({ job, results: { choose: chosen } }: Context): InstanceWish => ({
  id: chosen.id,
  engine: chosen.engine,
  port: null,
  listen: ['127.0.0.1'],
  user: VERIFY_USER,
  password: `${job.id}-${chosen.candidates[0]!.base.mediumId}`,
  settings: {},
})

async function verify(context: Context): Promise<Results['verify']> {
  const { candidate, instance } = context.results.activate
  const { id, engine, user, password } = wishFor(context)
  const directory = mountPathOf(candidate.base.mediumId)
  const { sourceId } = context.params
  const row = await findSourceDatabase(context.catalog.db, sourceId)
  const own = row === undefined ? [] : assertionsOf(row)
  const assertions = [...own, ...context.params.assertions].slice(0, ASSERTIONS_MAX)
  const answer = await context.orders.order(
    candidate.base.hostId,
    'database.verify',
    { id, engine, directory, port: instance.port, user, password, assertions },
    {
      key: context.key(),
      timeoutMs: VERIFY_TIMEOUT_MS,
      signal: context.signal,
      onProgress: context.progress,
    },
  )
  const checks = answer.checks.toSorted((a, b) => Number(a.ok) - Number(b.ok))
  for (const { name, ok, evidence } of checks.slice(0, 100)) {
    if (!ok) context.log('warning', 'DATABASE_CHECK_FAILED', `${name}: ${evidence}`)
  }
  return { ok: answer.ok, checks: checks.slice(0, CHECKS_SHOWN_MAX) }
}

/** What the engine says of the data. A host that is away, or has no port left, says nothing. */
const OF_POINT: ReadonlySet<string> = new Set([
  'DATABASE_START_FAILED',
  'DATABASE_PROGRAM_FAILED',
  'DATABASE_STATE_INVALID',
  'DATABASE_REFUSED',
])

const isOfPoint = (problem: ErrorMessage | null): problem is ErrorMessage =>
  problem !== null && OF_POINT.has(problem.code)

export function makeVerifyDatabase(services: KindServices): JobDefinition {
  return defineJob<VerifyParams, Results>({
    kind: 'verify-database',
    params,
    slots: ({ sourceId }) => [`verify:${sourceId}`],
    steps: [
      {
        name: 'choose',
        run: (context) => choose(services, context),
        apply: async (trx, context, chosen) => {
          const { labelsJson } = context.job
          await recordMedia(trx, context, chosen, { name: 'verify', labelsJson })
        },
        // The last to be undone: what could not be cleared has been tried by then.
        undo: async (context, chosen) => {
          if (chosen === null) return
          await context.commit((trx) => settleMedia(trx, context, chosen, null))
        },
      },
      {
        name: 'activate',
        run: (context) => recoverClone(services, context, context.results.choose, wishFor(context)),
        undo: (context) => clearChoice(context, context.results.choose, context.results.choose),
      },
      {
        name: 'verify',
        run: verify,
        apply: (trx, context, { checks }) => {
          const { pointId } = context.results.choose
          const { sourceId } = context.params
          return recordVerification(trx, context, pointId, { by: 'database', checks, sourceId })
        },
      },
      {
        name: 'clear',
        run: async (context) => {
          await clearChoice(context, context.results.choose, context.results.choose)
          return null
        },
        apply: (trx, context) => settleMedia(trx, context, context.results.choose, null),
      },
    ],
    attemptMax: 3,
    deadlineMs: 2 * VERIFY_TIMEOUT_MS,
    conclude: ({ verify: { ok, checks }, choose: { pointId } }) => ({
      warning: !ok,
      result: { ok, pointId, checks },
    }),
    ended: async (trx, context, { state, problem, results }) => {
      const { sourceId } = context.params
      const { job, clock } = context
      const pointId = results.choose?.pointId
      if (state === 'failed' && pointId !== undefined && isOfPoint(problem)) {
        const checks = [{ name: 'start', ok: false, evidence: problem.message, tookMs: 0 }]
        await recordVerification(trx, context, pointId, { by: 'database', checks, sourceId })
      }
      await recordOutcome(trx, { sourceId, purpose: 'verify', jobId: job.id, state, clock })
    },
  })
}

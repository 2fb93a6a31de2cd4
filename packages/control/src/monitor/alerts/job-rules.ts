/** Jobs that fail again and again, that found damage, or that never begin. */
import { sql } from 'kysely'
import { DAY_MS, MINUTE_MS } from '../../policy/zone.ts'
import type { Finding } from './alert-rules.ts'
import type { RuleContext, RuleGroup } from './rule-group.ts'

/** In a row: once is weather, twice is bad luck. */
const FAILURES_MIN = 3
/** Kinds that nobody schedules per source, whose failures are counted from their jobs. */
const KINDS = [
  'collect',
  'catalog-backup',
  'check',
  'expire',
  'reconcile-media',
  'reconcile-points',
] as const
const LOOK_BACK_MS = 7 * DAY_MS
const JOBS_MAX = 2000
/** Items of one `in` list. */
const BATCH = 500
/** A queue in which nothing runs at all for so long is not busy: it is dead. */
const STUCK_AFTER_MS = 5 * MINUTE_MS
const DAMAGED_MAX = 500
/** As long as jobs are kept. */
const DAMAGED_SINCE_MS = 30 * DAY_MS

export const jobRules: RuleGroup = {
  rules: ['job-failing', 'verification-failed', 'jobs-stuck'],
  find: async (context) => [
    ...(await findScheduled(context)),
    ...(await findOwn(context)),
    ...(await findDamage(context)),
    ...(await findStuck(context)),
  ],
}

async function findScheduled({ db }: RuleContext): Promise<Finding[]> {
  const rows = await db
    .selectFrom('schedule')
    .innerJoin('source', 'source.id', 'schedule.sourceId')
    .leftJoin('job', 'job.id', 'schedule.lastJobId')
    .select(['schedule.sourceId', 'schedule.purpose', 'schedule.failures'])
    .select(['source.name', 'source.labelsJson', 'job.problemJson'])
    .where('schedule.failures', '>=', FAILURES_MIN)
    .where('source.paused', '=', 0)
    .execute()
  return rows.map((row) => ({
    rule: 'job-failing',
    detail: row.purpose,
    severity: 'warning',
    subject: row.sourceId,
    labels: JSON.parse(row.labelsJson) as Record<string, string>,
    params: {
      kind: row.purpose,
      object: row.name,
      failures: row.failures,
      code: codeOf(row.problemJson),
    },
  }))
}

function codeOf(problemJson: string | null): string | null {
  if (problemJson === null) return null
  const { code } = JSON.parse(problemJson) as { readonly code?: unknown }
  return typeof code === 'string' ? code : null
}

async function findOwn({ db, now }: RuleContext): Promise<Finding[]> {
  const failed = await db
    .selectFrom('job')
    .leftJoin('pool', 'pool.id', 'job.poolId')
    .select(['job.kind', 'job.sourceId', 'job.poolId', 'job.problemJson', 'job.endedAt'])
    .select(['job.labelsJson', 'pool.name'])
    .where('job.kind', 'in', KINDS)
    .where('job.state', '=', 'failed')
    .where('job.queuedAt', '>', now - LOOK_BACK_MS)
    .orderBy('job.queuedAt', 'desc')
    .limit(JOBS_MAX)
    .execute()
  const rows = await unmended(db, failed, ['succeeded', 'warning'])
  const series = new Map<string, (typeof rows)[number][]>()
  for (const row of rows) {
    const jobs = series.get(seriesOf(row)) ?? []
    series.set(seriesOf(row), jobs)
    jobs.push(row)
  }
  return [...series.values()].flatMap((jobs): Finding[] => {
    const [newest] = jobs
    if (newest === undefined || jobs.length < FAILURES_MIN) return []
    const subject = newest.sourceId ?? newest.poolId ?? 'server'
    const labels = JSON.parse(newest.labelsJson) as Record<string, string>
    const { kind, name } = newest
    const code = codeOf(newest.problemJson)
    const params = { kind, object: name, failures: jobs.length, code }
    return [{ rule: 'job-failing', detail: kind, severity: 'warning', subject, labels, params }]
  })
}

interface Ended {
  readonly kind: string
  readonly sourceId: string | null
  readonly poolId: string | null
  readonly endedAt: number | null
}

const seriesOf = (job: Omit<Ended, 'endedAt'>): string =>
  `${job.kind}:${job.sourceId ?? job.poolId ?? ''}`

/** Those after which no job of that kind on the same source or pool has ended well. */
async function unmended<T extends Ended>(
  db: RuleContext['db'],
  jobs: readonly T[],
  states: readonly ('succeeded' | 'warning')[],
): Promise<T[]> {
  const mended = new Map<string, number>()
  const well = db
    .selectFrom('job')
    .select((e) => ['kind', 'sourceId', e.fn.max('endedAt').as('at')])
    .where('state', 'in', states)
  const sources = [...new Set(jobs.flatMap(({ sourceId }) => sourceId ?? []))]
  const kinds = [...new Set(jobs.map(({ kind }) => kind))]
  for (let i = 0; i < sources.length; i += BATCH) {
    const ofSources = await well
      .where('kind', 'in', kinds)
      .where('sourceId', 'in', sources.slice(i, i + BATCH))
      .groupBy(['kind', 'sourceId'])
      .execute()
    for (const row of ofSources) mended.set(seriesOf({ ...row, poolId: null }), Number(row.at))
  }
  // Kinds that have a source would be a long list, and are done.
  const ownKinds = [
    ...new Set(jobs.filter(({ sourceId }) => sourceId === null).map(({ kind }) => kind)),
  ]
  if (ownKinds.length > 0) {
    const own = await well
      .select('poolId')
      .where('kind', 'in', ownKinds)
      .where('sourceId', 'is', null)
      .groupBy(['kind', 'sourceId', 'poolId'])
      .execute()
    for (const row of own) mended.set(seriesOf(row), Number(row.at))
  }
  return jobs.filter((job) => (job.endedAt ?? 0) >= (mended.get(seriesOf(job)) ?? -1))
}

/** Reading back found damage, and no later reading of the same found none. */
async function findDamage({ db, now }: RuleContext): Promise<Finding[]> {
  const damaged = await db
    .selectFrom('job')
    .leftJoin('source', 'source.id', 'job.sourceId')
    .leftJoin('pool', 'pool.id', 'job.poolId')
    .select(['job.id', 'job.kind', 'job.sourceId', 'job.poolId', 'job.endedAt'])
    .select(['job.labelsJson', 'source.name as sourceName', 'pool.name as poolName'])
    .where('job.kind', 'in', ['verify', 'check'])
    .where('job.state', '=', 'warning')
    .where('job.queuedAt', '>', now - DAMAGED_SINCE_MS)
    .orderBy('job.queuedAt', 'desc')
    .limit(DAMAGED_MAX)
    .execute()
  const rows = await unmended(db, damaged, ['succeeded'])
  // The newest of each stands first, and the evaluator takes the first of equal keys.
  return rows.map((row) => {
    const subject = row.sourceId ?? row.poolId ?? 'server'
    return {
      rule: 'verification-failed',
      severity: 'critical',
      subject,
      labels: JSON.parse(row.labelsJson) as Record<string, string>,
      params: {
        object: row.sourceName ?? row.poolName ?? subject,
        jobId: row.id,
        at: row.endedAt ?? now,
      },
    }
  })
}

async function findStuck({ db, now }: RuleContext): Promise<Finding[]> {
  const running = await db
    .selectFrom('job')
    .select('id')
    .where('state', '=', sql.lit('running' as const))
    .limit(1)
    .executeTakeFirst()
  if (running !== undefined) return []
  const row = await db
    .selectFrom('job')
    .select((e) => [e.fn.countAll<number>().as('count'), e.fn.min('notBefore').as('sinceAt')])
    .where('state', '=', sql.lit('queued' as const))
    .where('notBefore', '<', now - STUCK_AFTER_MS)
    .where('queuedAt', '<', now - STUCK_AFTER_MS)
    .executeTakeFirstOrThrow()
  const count = Number(row.count)
  if (count === 0) return []
  const about = { severity: 'critical', subject: 'server', labels: {} } as const
  return [{ rule: 'jobs-stuck', ...about, params: { count, sinceAt: Number(row.sinceAt) } }]
}

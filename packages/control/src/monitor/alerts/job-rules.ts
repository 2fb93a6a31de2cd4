/** Jobs that fail again and again, that found damage, or that never begin. */
import { sql } from 'kysely'
import { DAY_MS, MINUTE_MS } from '../../policy/zone.ts'
import type { Finding } from './alert-rules.ts'
import type { RuleContext, RuleGroup } from './rule-groups.ts'

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
  const rows = await db
    .selectFrom('job')
    .leftJoin('pool', 'pool.id', 'job.poolId')
    .select(['job.kind', 'job.state', 'job.sourceId', 'job.poolId', 'job.problemJson'])
    .select(['job.labelsJson', 'pool.name'])
    .where('job.kind', 'in', KINDS)
    .where('job.state', 'in', ['succeeded', 'warning', 'failed'])
    .where('job.queuedAt', '>', now - LOOK_BACK_MS)
    .orderBy('job.queuedAt', 'desc')
    .limit(JOBS_MAX)
    .execute()
  const series = new Map<string, (typeof rows)[number][]>()
  for (const row of rows) {
    const key = `${row.kind}:${row.sourceId ?? row.poolId ?? ''}`
    series.set(key, [...(series.get(key) ?? []), row])
  }
  return [...series.values()].flatMap((jobs): Finding[] => {
    const [newest] = jobs
    const index = jobs.findIndex(({ state }) => state !== 'failed')
    const failures = index === -1 ? jobs.length : index
    if (newest === undefined || failures < FAILURES_MIN) return []
    const subject = newest.sourceId ?? newest.poolId ?? 'server'
    const labels = JSON.parse(newest.labelsJson) as Record<string, string>
    const { kind, name } = newest
    const params = { kind, object: name, failures, code: codeOf(newest.problemJson) }
    return [{ rule: 'job-failing', detail: kind, severity: 'warning', subject, labels, params }]
  })
}

/** Reading back found damage, and no later reading of the same found none. */
async function findDamage({ db, now }: RuleContext): Promise<Finding[]> {
  const rows = await db
    .selectFrom('job')
    .leftJoin('source', 'source.id', 'job.sourceId')
    .leftJoin('pool', 'pool.id', 'job.poolId')
    .select(['job.id', 'job.kind', 'job.sourceId', 'job.poolId', 'job.endedAt'])
    .select(['job.labelsJson', 'source.name as sourceName', 'pool.name as poolName'])
    .where('job.kind', 'in', ['verify', 'check'])
    .where('job.state', '=', 'warning')
    .where('job.queuedAt', '>', now - DAMAGED_SINCE_MS)
    .where(
      sql<boolean>`not exists (select 1 from job later where later.kind = job.kind
        and later.state = 'succeeded' and later.ended_at > job.ended_at
        and coalesce(later.source_id, later.pool_id) = coalesce(job.source_id, job.pool_id))`,
    )
    .orderBy('job.queuedAt', 'desc')
    .limit(DAMAGED_MAX)
    .execute()
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

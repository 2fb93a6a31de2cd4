/** One run of something that takes longer than a request. */
import { z } from 'zod'
import { count, failure, idOf, labels, timeOrNull, timeShown } from './common.ts'

export const jobState = z.enum([
  'queued',
  'running',
  'paused',
  'succeeded',
  'warning',
  'failed',
  'cancelled',
])
export const JOB_STATES_ENDED = ['succeeded', 'warning', 'failed', 'cancelled'] as const

export const jobProgress = z
  .object({
    phase: z.string(),
    pct: z.number().min(0).max(100).nullable(),
    bytesDone: count,
    bytesTotal: count.nullable(),
    itemsDone: count,
    rateBytesPerSecond: z.number().nonnegative().nullable(),
    etaMs: z.number().nonnegative().nullable(),
    stalledSince: timeOrNull,
    /** Which part the others wait for. */
    bottleneck: z.enum(['source', 'network', 'pool', 'cpu']).nullable(),
  })
  .partial()
  .meta({ id: 'JobProgress' })
export type JobProgress = z.infer<typeof jobProgress>

export const jobStep = z
  .object({
    position: count,
    name: z.string(),
    state: z.enum(['running', 'done', 'failed', 'undone']),
    attempt: count,
    problem: failure.nullable(),
    startedAt: timeShown,
    endedAt: timeOrNull,
  })
  .meta({ id: 'JobStep' })

export const job = z
  .object({
    id: idOf('job'),
    kind: z.string(),
    state: jobState,
    phase: z.string(),
    priority: z.number().int(),
    sourceId: idOf('source').nullable(),
    hostId: idOf('host').nullable(),
    nodeId: idOf('host').nullable(),
    poolId: idOf('pool').nullable(),
    pointId: idOf('point').nullable(),
    mediumId: idOf('medium').nullable(),
    virtualDatabaseId: idOf('virtualDatabase').nullable().optional(),
    policyId: idOf('policy').nullable(),
    parentId: idOf('job').nullable(),
    retryOf: idOf('job').nullable(),
    actor: z.string(),
    labels,
    progress: jobProgress,
    result: z.record(z.string(), z.unknown()).nullable(),
    problem: failure.nullable(),
    attempt: count,
    attemptMax: count,
    queuedAt: timeShown,
    notBefore: timeOrNull,
    startedAt: timeOrNull,
    endedAt: timeOrNull,
    deadlineAt: timeOrNull,
    cancelRequestedAt: timeOrNull,
    logUrl: z.string(),
  })
  .meta({ id: 'Job' })
export type Job = z.infer<typeof job>

export const jobDetail = job.extend({ steps: z.array(jobStep) }).meta({ id: 'JobDetail' })
export type JobDetail = z.infer<typeof jobDetail>

export const jobLogLine = z
  .object({
    seq: count,
    at: timeShown,
    level: z.enum(['info', 'warning', 'error']),
    code: z.string(),
    text: z.string(),
  })
  .meta({ id: 'JobLogLine' })

/** Of a calendar: a day, with one hour more where clocks change. */
export const CALENDAR_HOURS_MAX = 25
/** Hosts of a calendar: those with the most work. */
export const CALENDAR_HOSTS_MAX = 200

/** What ran and what will run, hour by hour, on each host; `counts[0]` is the hour of `from`. */
export const jobCalendar = z
  .object({
    from: timeShown,
    until: timeShown,
    hosts: z.array(
      z.object({
        /** Null: work of the server itself. */
        hostId: idOf('host').nullable(),
        hostName: z.string(),
        /** Jobs that were at work in that hour, and of those the ones that failed. */
        ran: z.array(count),
        failed: z.array(count),
        /** Runs that schedules foresee. */
        planned: z.array(count),
      }),
    ),
    /** Hosts that are not shown. */
    omitted: count,
  })
  .meta({ id: 'JobCalendar' })
export type JobCalendar = z.infer<typeof jobCalendar>

/** The answer to what takes longer than a request; with `?wait`, the job as it stands then. */
export const accepted = z
  .object({ jobId: idOf('job'), job: job.optional() })
  .meta({ id: 'Accepted' })

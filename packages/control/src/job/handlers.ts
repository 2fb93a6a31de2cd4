/** Jobs: what runs, ran and waits. */
import { ownerOf, seesOwnOnly } from '@openmaas/api/permissions'
import { jobState } from '@openmaas/api/resources/job'
import type { JobRow } from './job-view.ts'
import { type HandlerRequest, type Handlers, acceptedJob, objectNotFound } from '../http/handler.ts'
import { labelsOf, timeOf } from '../http/columns.ts'
import { type HandlerContext, recordChange } from '../http/handler-context.ts'
import { findJobDetail, showJob } from './job-view.ts'
import { readPage, readTime, whereVisible } from '../http/list-query.ts'

export function makeJobHandlers(context: HandlerContext) {
  return {
    listJobs: (request) => listJobs(context, request),
    getJob: async ({ params }) => {
      const job = await findJobDetail(context.catalog.db, params.jobId)
      if (job === undefined) throw objectNotFound('job', params.jobId)
      return { body: job }
    },
    getJobLog: (request) => getJobLog(context, request),
    cancelJob: (request) => cancelJob(context, request),
    retryJob: (request) => retryJob(context, request),
  } satisfies Handlers
}

const STATE_FILTER = 'filter[state]'

async function listJobs(context: HandlerContext, request: HandlerRequest<'listJobs'>) {
  const { query, principal } = request
  const { db } = context.catalog
  let rows = whereVisible(db.selectFrom('job').selectAll(), 'job', context.catalog, request)
  if (seesOwnOnly(principal, 'job.read')) rows = rows.where('actor', '=', ownerOf(principal))
  const states = query[STATE_FILTER]?.split(',') as JobRow['state'][] | undefined
  if (states !== undefined) {
    // Most jobs have succeeded: they are read in the order of the list, and the others left out.
    // An index of states would have all of them sorted.
    const others = jobState.options.filter((state) => !states.includes(state))
    const isMost = states.includes('succeeded') && others.length > 0
    rows = isMost ? rows.where('state', 'not in', others) : rows.where('state', 'in', states)
  }
  for (const name of NAMES) {
    const value = query[`filter[${name}]`]
    if (value !== undefined) rows = rows.where(name, '=', value)
  }
  const from = readTime(query['filter[from]'])
  const until = readTime(query['filter[until]'])
  if (from !== undefined) rows = rows.where('queuedAt', '>=', from)
  if (until !== undefined) rows = rows.where('queuedAt', '<', until)
  const page = await readPage(rows, query, { table: 'job', nullable: ['startedAt', 'endedAt'] })
  return { body: { items: page.rows.map((row) => showJob(row)), next: page.next } }
}

const NAMES = [
  'kind',
  'sourceId',
  'hostId',
  'poolId',
  'mediumId',
  'pointId',
  'virtualDatabaseId',
  'actor',
] as const

async function getJobLog(context: HandlerContext, request: HandlerRequest<'getJobLog'>) {
  const { params, query } = request
  let rows = context.catalog.db.selectFrom('jobLog').selectAll().where('jobId', '=', params.jobId)
  const levels = query['filter[level]']?.split(',') as ('info' | 'warning' | 'error')[] | undefined
  if (levels !== undefined) rows = rows.where('level', 'in', levels)
  const page = await readPage(rows, query, { table: 'jobLog', tie: 'seq' })
  const items = page.rows.map(({ seq, at, level, code, text }) => {
    return { seq, at: timeOf(at), level, code, text }
  })
  return { body: { items, next: page.next } }
}

async function cancelJob(context: HandlerContext, request: HandlerRequest<'cancelJob'>) {
  const { jobId } = request.params
  await context.jobs.cancel(jobId)
  await context.catalog.transaction((trx) => record(trx, context, request, jobId, 'cancelJob'))
  return acceptedJob(jobId)
}

async function retryJob(context: HandlerContext, request: HandlerRequest<'retryJob'>) {
  const { params, principal } = request
  const jobId = await context.catalog.transaction(async (trx) => {
    const id = await context.jobs.retry(trx, params.jobId, ownerOf(principal))
    await record(trx, context, request, id, 'retryJob')
    return id
  })
  return acceptedJob(jobId)
}

async function record(
  trx: Parameters<typeof recordChange>[0],
  context: HandlerContext,
  request: Parameters<typeof recordChange>[2],
  jobId: string,
  action: 'cancelJob' | 'retryJob',
): Promise<void> {
  const row = await trx
    .selectFrom('job')
    .select(['kind', 'labelsJson'])
    .where('id', '=', jobId)
    .executeTakeFirst()
  await recordChange(trx, context, request, {
    action,
    topic: 'jobs',
    id: jobId,
    name: row?.kind ?? '',
    type: action === 'cancelJob' ? 'job.cancelling' : 'job.retried',
    labels: labelsOf(row?.labelsJson ?? '{}'),
  })
}

/** What the jobs screens ask for; shared by loaders and components, so that both mean the same. */
import { z } from 'zod'
import type { QueryFor } from '@openmaas/api/routes/routes'
import { apiQuery } from '../../api/queries.ts'
import { listSearch, toListQuery } from '../../ui/search-params.ts'
import type { Day } from './calendar/day.ts'

const ID_LENGTH_MAX = 64

/** Filters are named as in the API, without `filter[…]`. */
export const jobsSearch = listSearch({
  sorts: ['queuedAt', 'startedAt', 'endedAt'],
  filters: {
    /** Several, separated by commas. */
    state: z.string().max(200),
    kind: z.string().max(64),
    sourceId: z.string().max(ID_LENGTH_MAX),
    hostId: z.string().max(ID_LENGTH_MAX),
    poolId: z.string().max(ID_LENGTH_MAX),
    pointId: z.string().max(ID_LENGTH_MAX),
    mediumId: z.string().max(ID_LENGTH_MAX),
    /** Queued then: an hour of the calendar. */
    from: z.iso.datetime(),
    until: z.iso.datetime(),
  },
})
export type JobsSearch = z.infer<typeof jobsSearch>

export function jobsQuery(search: JobsSearch) {
  return apiQuery('listJobs', { query: toListQuery(search) as QueryFor<'listJobs'> })
}

export function jobQuery(jobId: string) {
  return apiQuery('getJob', { params: { jobId } })
}

export function jobCalendarQuery({ from, until }: Day) {
  return apiQuery('getJobCalendar', {
    query: { from: from.toISOString(), until: until.toISOString() },
  })
}

/** The newest lines; a job that says more is read with the CLI. */
export const LOG_LINES_MAX = 500

export function jobLogQuery(jobId: string, level: 'warning' | 'error' | undefined) {
  const levels = level === 'warning' ? 'warning,error' : level
  return apiQuery('getJobLog', {
    params: { jobId },
    query: {
      limit: LOG_LINES_MAX,
      sort: '-seq',
      ...(levels !== undefined && { 'filter[level]': levels }),
    },
  })
}

import { queryOptions } from '@tanstack/react-query'
import { iterateItems } from '@openmaas/api/client-streams'
import type { Point } from '@openmaas/api/resources/point'
import { client } from '../../api/client.ts'
import { apiQuery } from '../../api/queries.ts'
import type { Span } from './span.ts'

/** Of one request, and of one picture: a year of points every two hours. */
const PAGE_SIZE = 1000
export const POINTS_MAX = 5000
/** Runs that failed, in one picture; whoever has more has one cause. */
const RUNS_MAX = 1000

function isoSpan({ from, until }: Span) {
  return { 'filter[from]': from.toISOString(), 'filter[until]': until.toISOString() }
}

/** Newest first; no more than POINTS_MAX. */
export function pointsBetweenQuery(sourceId: string, span: Span) {
  const query = { 'filter[sourceId]': sourceId, ...isoSpan(span) }
  return queryOptions({
    queryKey: ['points', 'timeline', query] as const,
    queryFn: async (): Promise<Point[]> => {
      const found: Point[] = []
      const pages = iterateItems(client, 'listPoints', {
        query: { ...query, sort: '-takenAt', limit: PAGE_SIZE },
      })
      for await (const point of pages) {
        found.push(point)
        if (found.length >= POINTS_MAX) break
      }
      return found
    },
  })
}

/** Runs that gave no point. */
export function failedRunsQuery(sourceId: string, span: Span) {
  return apiQuery('listJobs', {
    query: {
      'filter[sourceId]': sourceId,
      'filter[kind]': 'protect',
      'filter[state]': 'failed,cancelled',
      ...isoSpan(span),
      limit: RUNS_MAX,
    },
  })
}

export function pointQuery(pointId: string) {
  return apiQuery('getPoint', { params: { pointId } })
}

export function recoverRangeQuery(sourceId: string) {
  return apiQuery('getRecoverRange', { params: { sourceId } })
}

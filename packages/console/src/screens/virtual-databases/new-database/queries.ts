/** What is asked before a virtual database is made. */
import { z } from 'zod'
import type { AnswerOf, BodyFor } from '@openmaas/api/routes/routes'
import { apiCall, apiQuery } from '../../../api/queries.ts'

const ID_LENGTH_MAX = 64
const text = (length: number) => z.string().min(1).max(length).optional().catch(undefined)

/** Where one comes from; what is typed then is not shared. */
export const newDatabaseSearch = z.object({
  sourceId: text(ID_LENGTH_MAX),
  pointId: text(ID_LENGTH_MAX),
  at: z.iso.datetime({ offset: true }).max(ID_LENGTH_MAX).optional().catch(undefined),
})
export type NewDatabaseSearch = z.infer<typeof newDatabaseSearch>

const SOURCES_MAX = 1000
export const sourcesQuery = apiQuery('listSources', { query: { limit: SOURCES_MAX, sort: 'name' } })

const AGENTS_MAX = 1000
export const agentsQuery = apiQuery('listHosts', {
  query: { limit: AGENTS_MAX, 'filter[kind]': 'agent', sort: 'name' },
})

/** Older ones are reached from the timeline of the source, or by an exact time. */
const POINTS_MAX = 200
export function pointsQuery(sourceId: string) {
  return apiQuery('listPoints', {
    query: {
      'filter[sourceId]': sourceId,
      'filter[state]': 'available',
      sort: '-takenAt',
      limit: POINTS_MAX,
    },
  })
}

export type CreateBody = BodyFor<'createVirtualDatabase'>
export type DatabasePlan = Extract<
  AnswerOf<'createVirtualDatabase'>,
  { readonly takesPointFirst: boolean }
>

/** What it would do and use; it changes nothing, although it is a POST. */
export function askPlan(body: CreateBody, signal: AbortSignal): Promise<DatabasePlan> {
  return apiCall('createVirtualDatabase', { body, dryRun: true, signal }) as Promise<DatabasePlan>
}

/** What the sources screens ask for. */
import { z } from 'zod'
import type { QueryFor } from '@openmaas/api/routes/routes'
import { complianceState, sourceKind } from '@openmaas/api/resources/source'
import { apiQuery } from '../../api/queries.ts'
import { listSearch, PAGE_SIZE_DEFAULT, toListQuery } from '../../ui/search-params.ts'

const ID_LENGTH_MAX = 64
const id = z.string().max(ID_LENGTH_MAX)

export const sourcesSearch = listSearch({
  sorts: ['name', 'createdAt', 'lastSuccessAt'],
  filters: {
    /** Of compliance. The server answers it by itself, so that no other filter goes with it. */
    state: complianceState,
    name: z.string().min(1).max(128),
    kind: sourceKind,
    hostId: id,
    policyId: id,
    paused: z.enum(['true', 'false']),
    labels: z.string().max(2000),
  },
})
export type SourcesSearch = z.infer<typeof sourcesSearch>

export function sourcesQuery({ state: _state, ...search }: SourcesSearch) {
  return apiQuery('listSources', { query: toListQuery(search) as QueryFor<'listSources'> })
}

export function complianceListQuery({ state, limit, cursor }: SourcesSearch) {
  const query = {
    limit: limit ?? PAGE_SIZE_DEFAULT,
    ...(cursor !== undefined && { cursor }),
    ...(state !== undefined && { 'filter[state]': state }),
  }
  return apiQuery('getCompliance', { query })
}

/** Of the rows of one page. */
export function complianceOfQuery(sourceIds: readonly string[]) {
  return apiQuery('getCompliance', {
    query: { limit: Math.max(1, sourceIds.length), 'filter[sourceId]': sourceIds.join(',') },
  })
}

export function sourcesOfQuery(sourceIds: readonly string[]) {
  return apiQuery('listSources', {
    query: { limit: Math.max(1, sourceIds.length), 'filter[id]': sourceIds.join(',') },
  })
}

/** As many as the server judges at once. */
const COMPLIANCE_BATCH_MAX = 500
export const firstComplianceQuery = complianceListQuery({ limit: COMPLIANCE_BATCH_MAX as 200 })

export function sourceQuery(sourceId: string) {
  return apiQuery('getSource', { params: { sourceId } })
}

export function complianceQuery(sourceId: string) {
  return apiQuery('getSourceCompliance', { params: { sourceId } })
}

/** Names of what lists name by id; more are shown by their id. */
const NAMED_MAX = 1000
export const policyNamesQuery = apiQuery('listPolicies', { query: { limit: NAMED_MAX } })
export const poolNamesQuery = apiQuery('listPools', { query: { limit: NAMED_MAX } })
export const hostNamesQuery = apiQuery('listHosts', { query: { limit: NAMED_MAX } })

export function newestPointsQuery(sourceId: string, limit: number) {
  return apiQuery('listPoints', {
    query: { 'filter[sourceId]': sourceId, sort: '-takenAt', limit },
  })
}

export function sourceJobsQuery(sourceId: string, limit: number) {
  return apiQuery('listJobs', {
    query: { 'filter[sourceId]': sourceId, sort: '-queuedAt', limit },
  })
}

export const SOURCE_TABS = ['overview', 'timeline', 'jobs', 'settings'] as const
export type SourceTab = (typeof SOURCE_TABS)[number]

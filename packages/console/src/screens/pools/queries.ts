/** What the screens of pools and nodes ask for. */
import { z } from 'zod'
import type { QueryFor } from '@openmaas/api/routes/routes'
import { apiQuery } from '../../api/queries.ts'
import { listSearch, toListQuery } from '../../ui/search-params.ts'

export const POOL_STATES = ['online', 'offline', 'degraded', 'full'] as const

export const poolsSearch = listSearch({
  sorts: ['name', 'createdAt'],
  filters: { state: z.enum(POOL_STATES) },
})
export type PoolsSearch = z.infer<typeof poolsSearch>

export function poolsQuery(search: PoolsSearch) {
  return apiQuery('listPools', { query: toListQuery(search) as QueryFor<'listPools'> })
}

export function poolQuery(poolId: string) {
  return apiQuery('getPool', { params: { poolId } })
}

/** A site has a handful; more than this are on the screen of hosts. */
const NODES_SHOWN_MAX = 200

export const nodesQuery = apiQuery('listHosts', {
  query: { 'filter[kind]': 'node', limit: NODES_SHOWN_MAX },
})

export const forecastQuery = apiQuery('getForecast')

const CARE_JOBS_SHOWN_MAX = 8

/** The newest jobs about a pool: checks, freed space, points that expired. */
export function careJobsQuery(poolId: string) {
  return apiQuery('listJobs', {
    query: { 'filter[poolId]': poolId, sort: '-queuedAt', limit: CARE_JOBS_SHOWN_MAX },
  })
}

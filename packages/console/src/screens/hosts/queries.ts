import { z } from 'zod'
import type { QueryFor } from '@openmaas/api/routes/routes'
import { apiQuery } from '../../api/queries.ts'
import { listSearch, toListQuery } from '../../ui/search-params.ts'

const flag = z.enum(['true', 'false'])

export const hostsSearch = listSearch({
  sorts: ['name', 'createdAt', 'lastSeenAt'],
  filters: {
    kind: z.enum(['agent', 'node']),
    state: z.enum(['pending', 'online', 'offline', 'removed']),
    drained: flag,
    name: z.string().min(1).max(128),
    labels: z.string().max(2000),
    /** The drawer with the line by which a machine joins; no filter. */
    join: z.enum(['agent', 'node']),
  },
})
export type HostsSearch = z.infer<typeof hostsSearch>

export function hostsQuery({ join: _join, ...search }: HostsSearch) {
  return apiQuery('listHosts', { query: toListQuery(search) as QueryFor<'listHosts'> })
}

export function hostQuery(hostId: string) {
  return apiQuery('getHost', { params: { hostId } })
}

/** Enough to choose one from; the list with its filters finds the rest. */
const AGENT_COUNT_MAX = 1000

export const agentsQuery = apiQuery('listHosts', {
  query: { limit: AGENT_COUNT_MAX, 'filter[kind]': 'agent', sort: 'name' },
})

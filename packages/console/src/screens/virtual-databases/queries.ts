/** What the screens of virtual databases ask for. */
import { z } from 'zod'
import type { QueryFor } from '@openmaas/api/routes/routes'
import { apiQuery } from '../../api/queries.ts'
import { listSearch, toListQuery } from '../../ui/search-params.ts'

const ID_LENGTH_MAX = 64
const id = z.string().max(ID_LENGTH_MAX)

export const virtualDatabasesSearch = listSearch({
  sorts: ['createdAt', 'name', 'leaseUntil'],
  filters: {
    /** Those that have not ended, unless it is said: test jobs leave many that have. */
    show: z.enum(['running', 'ended', 'all']),
    name: z.string().min(1).max(128),
    sourceId: id,
    hostId: id,
    parentId: id,
    labels: z.string().max(2000),
  },
})
export type VirtualDatabasesSearch = z.infer<typeof virtualDatabasesSearch>

const SHOWN = {
  current: { active: 'true' },
  running: { state: 'running' },
  ended: { active: 'false' },
  all: {},
} as const

/** The filters of the API. */
export function toDatabasesQuery({ show = 'current', ...search }: Shown): Record<string, unknown> {
  return toListQuery({ ...search, ...SHOWN[show] })
}
type Shown = Omit<VirtualDatabasesSearch, 'show'> & { readonly show?: keyof typeof SHOWN }

export function virtualDatabasesQuery({ show, ...search }: VirtualDatabasesSearch) {
  const query = toDatabasesQuery({ ...search, ...(show !== undefined && { show }) })
  return apiQuery('listVirtualDatabases', { query: query as QueryFor<'listVirtualDatabases'> })
}

export function virtualDatabaseQuery(virtualDatabaseId: string) {
  return apiQuery('getVirtualDatabase', { params: { virtualDatabaseId } })
}

/** More could not be told apart on one line. */
const BOOKMARKS_MAX = 200
export function bookmarksQuery(virtualDatabaseId: string) {
  const params = { virtualDatabaseId }
  return apiQuery('listBookmarks', { params, query: { limit: BOOKMARKS_MAX } })
}

const BRANCHES_MAX = 100
export function branchesQuery(virtualDatabaseId: string) {
  const query = { 'filter[parentId]': virtualDatabaseId, limit: BRANCHES_MAX }
  return apiQuery('listVirtualDatabases', { query })
}

export function databaseJobsQuery(virtualDatabaseId: string, limit: number) {
  return apiQuery('listJobs', {
    query: { 'filter[virtualDatabaseId]': virtualDatabaseId, sort: '-queuedAt', limit },
  })
}

export function activityQuery(virtualDatabaseId: string, limit: number) {
  return apiQuery('listAudit', { query: { 'filter[object]': virtualDatabaseId, limit } })
}

const REQUESTS_MAX = 200
/** Of a data consumer: only their own. */
export const requestsQuery = apiQuery('listApprovals', { query: { limit: REQUESTS_MAX } })

export const DATABASE_TABS = ['overview', 'timeline', 'tests', 'jobs', 'activity'] as const
export type DatabaseTab = (typeof DATABASE_TABS)[number]

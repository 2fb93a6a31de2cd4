/** What the screens of consistency groups ask for. */
import { z } from 'zod'
import type { QueryFor } from '@openmaas/api/routes/routes'
import { apiQuery } from '../../api/queries.ts'
import { listSearch, toListQuery } from '../../ui/search-params.ts'

export const groupsSearch = listSearch({
  sorts: ['name', 'createdAt'],
  filters: { name: z.string().min(1).max(128), labels: z.string().max(2000) },
})
export type GroupsSearch = z.infer<typeof groupsSearch>

export function groupsQuery(search: GroupsSearch) {
  return apiQuery('listGroups', { query: toListQuery(search) as QueryFor<'listGroups'> })
}

export function groupQuery(groupId: string) {
  return apiQuery('getGroup', { params: { groupId } })
}

/** The newest are what is wanted; older ones by the CLI. */
const POINTS_MAX = 100
export function groupPointsQuery(groupId: string) {
  return apiQuery('listGroupPoints', { params: { groupId }, query: { limit: POINTS_MAX } })
}

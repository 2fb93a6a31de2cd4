import { z } from 'zod'
import { ROLES } from '@openmaas/api/permissions'
import type { QueryFor } from '@openmaas/api/routes/routes'
import { apiQuery } from '../../api/queries.ts'
import { listSearch, toListQuery } from '../../ui/search-params.ts'

export const TABS = ['people', 'roles', 'tokens'] as const

const list = listSearch({
  sorts: ['name', 'createdAt', 'lastLoginAt'],
  filters: {
    name: z.string().min(1).max(128),
    role: z.enum(ROLES),
    state: z.enum(['active', 'disabled']),
  },
})
export const usersSearch = list.extend({ tab: z.enum(TABS).optional().catch(undefined) })
export type UsersSearch = z.infer<typeof usersSearch>

export function toUsersQuery({ tab: _, ...search }: UsersSearch): QueryFor<'listUsers'> {
  return toListQuery(search) as QueryFor<'listUsers'>
}

export function usersQuery(search: UsersSearch) {
  return apiQuery('listUsers', { query: toUsersQuery(search) })
}

export function userQuery(userId: string) {
  return apiQuery('getUser', { params: { userId } })
}

const TOKENS_SHOWN_MAX = 500

export const tokensQuery = apiQuery('listTokens', {
  query: { sort: '-createdAt', limit: TOKENS_SHOWN_MAX },
})

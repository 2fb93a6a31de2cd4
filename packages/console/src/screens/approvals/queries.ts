import { z } from 'zod'
import type { QueryFor } from '@openmaas/api/routes/routes'
import { apiQuery } from '../../api/queries.ts'
import { listSearch, toListQuery } from '../../ui/search-params.ts'

export const APPROVAL_STATES = ['waiting', 'approved', 'refused', 'used', 'expired'] as const

export const approvalsSearch = listSearch({
  sorts: ['requestedAt'],
  filters: { state: z.enum(APPROVAL_STATES) },
})
export type ApprovalsSearch = z.infer<typeof approvalsSearch>

export function approvalsQuery(search: ApprovalsSearch) {
  return apiQuery('listApprovals', { query: toListQuery(search) as QueryFor<'listApprovals'> })
}

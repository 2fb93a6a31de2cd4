import { z } from 'zod'
import type { QueryFor } from '@openmaas/api/routes/routes'
import { apiQuery } from '../../api/queries.ts'
import { listSearch, toListQuery } from '../../ui/search-params.ts'

export const SEVERITIES = ['critical', 'warning', 'info'] as const

export const alertsSearch = listSearch({
  sorts: ['openedAt', 'seenAt'],
  filters: {
    /** Without it: those that are open. */
    state: z.enum(['resolved', 'all']),
    severity: z.enum(SEVERITIES),
    acknowledged: z.enum(['true', 'false']),
    silenced: z.enum(['true', 'false']),
    subject: z.string().max(64),
  },
})
export type AlertsSearch = z.infer<typeof alertsSearch>

/** Groups are made of one page: a cause that is torn in two would be two. */
const ALERTS_SHOWN_MAX = 500

export function toAlertsQuery(search: AlertsSearch): QueryFor<'listAlerts'> {
  const { state = 'firing' } = search
  const query = {
    ...toListQuery({ ...search, state: state === 'all' ? undefined : state }),
    limit: ALERTS_SHOWN_MAX,
  }
  return query as QueryFor<'listAlerts'>
}

export function alertsQuery(search: AlertsSearch) {
  return apiQuery('listAlerts', { query: toAlertsQuery(search) })
}

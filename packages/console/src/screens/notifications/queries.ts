import { z } from 'zod'
import type { QueryFor } from '@openmaas/api/routes/routes'
import { apiQuery } from '../../api/queries.ts'
import { listSearch, toListQuery } from '../../ui/search-params.ts'

export const TABS = ['channels', 'rules', 'deliveries'] as const
export const DELIVERY_STATES = ['waiting', 'sent', 'failed'] as const

const list = listSearch({
  sorts: ['nextAt'],
  filters: { state: z.enum(DELIVERY_STATES) },
})
/** Filters and pages are those of the delivery log. */
export const notificationsSearch = list.extend({ tab: z.enum(TABS).optional().catch(undefined) })
export type NotificationsSearch = z.infer<typeof notificationsSearch>

/** More channels or rules than this nobody keeps in mind. */
const SHOWN_MAX = 500

export const channelsQuery = apiQuery('listChannels', { query: { limit: SHOWN_MAX } })
export const rulesQuery = apiQuery('listNotificationRules', { query: { limit: SHOWN_MAX } })

export function deliveriesQuery({ tab: _, ...search }: NotificationsSearch) {
  const query = toListQuery(search) as QueryFor<'listNotifications'>
  return apiQuery('listNotifications', { query })
}

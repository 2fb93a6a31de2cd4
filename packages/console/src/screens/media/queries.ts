/** What the media screens ask for. */
import { z } from 'zod'
import type { QueryFor } from '@openmaas/api/routes/routes'
import { apiQuery } from '../../api/queries.ts'
import { listSearch, toListQuery } from '../../ui/search-params.ts'

const ID_LENGTH_MAX = 64
const id = z.string().max(ID_LENGTH_MAX)

export const mediaSearch = listSearch({
  sorts: ['createdAt', 'leaseUntil', 'name'],
  filters: {
    /** Several, separated by commas. */
    state: z.string().max(200),
    hostId: id,
    sourceId: id,
    pointId: id,
    name: z.string().min(1).max(128),
    /** The point that the drawer offers to mount; no filter. */
    mount: id,
  },
})
export type MediaSearch = z.infer<typeof mediaSearch>

export function mediaQuery({ mount: _mount, ...search }: MediaSearch) {
  return apiQuery('listMedia', { query: toListQuery(search) as QueryFor<'listMedia'> })
}

export function mediumQuery(mediumId: string) {
  return apiQuery('getMedium', { params: { mediumId } })
}

/** The newest is what happens to it now. */
export function newestJobQuery(mediumId: string) {
  return apiQuery('listJobs', {
    query: { 'filter[mediumId]': mediumId, sort: '-queuedAt', limit: 1 },
  })
}

export function pointQuery(pointId: string) {
  return apiQuery('getPoint', { params: { pointId } })
}

/** What the Recover flow asks for. Its answers so far stand in the address. */
import { z } from 'zod'
import { apiQuery } from '../../api/queries.ts'
import { ZOOMS } from '../timeline/search.ts'

const ID_LENGTH_MAX = 64
const text = (length: number) => z.string().min(1).max(length).optional().catch(undefined)

export const recoverSearch = z.object({
  /** What is looked for: a source or a file. */
  q: text(1024),
  sourceId: text(ID_LENGTH_MAX),
  /** Of the file or folder that was lost; absent: all of the source. */
  path: text(4096),
  /** Absent: the newest verified. */
  pointId: text(ID_LENGTH_MAX),
  /** Of the timeline. */
  zoom: z.enum(ZOOMS).optional().catch(undefined),
  at: z.iso.datetime().max(ID_LENGTH_MAX).optional().catch(undefined),
  /** The drawer that is open. */
  how: z.enum(['mount', 'restore', 'elsewhere']).optional().catch(undefined),
})
export type RecoverSearch = z.infer<typeof recoverSearch>

const SOURCES_MAX = 1000
export const sourcesQuery = apiQuery('listSources', { query: { limit: SOURCES_MAX, sort: 'name' } })

/** Older ones are reached from the page of the source. */
const POINTS_MAX = 1000

export function pointsQuery(sourceId: string) {
  return apiQuery('listPoints', {
    query: {
      'filter[sourceId]': sourceId,
      'filter[state]': 'available',
      sort: '-takenAt',
      limit: POINTS_MAX,
    },
  })
}

const FOUND_MAX = 200

export function foundInSourceQuery(sourceId: string, pattern: string) {
  return apiQuery('findInPoints', { query: { sourceId, pattern, limit: FOUND_MAX } })
}

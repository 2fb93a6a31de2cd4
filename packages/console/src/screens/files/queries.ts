/** What the file browser asks for. */
import { infiniteQueryOptions, queryOptions } from '@tanstack/react-query'
import { z } from 'zod'
import { apiCall, apiQuery } from '../../api/queries.ts'
import { client } from '../../api/client.ts'
import { belowRoot, fromRoot, patternOf } from './paths.ts'

const PATH_LENGTH_MAX = 4096
const path = z.string().min(1).max(PATH_LENGTH_MAX)

export const filesSearch = z.object({
  /** The folder; absent: the root. */
  path: path.optional().catch(undefined),
  /** What is looked for, by name. */
  q: z.string().min(1).max(1024).optional().catch(undefined),
  /** Where: in every point of the source, rather than in this one. */
  across: z.boolean().optional().catch(undefined),
  /** The file that is looked at. */
  file: path.optional().catch(undefined),
  /** The drawer that restores the basket. */
  restore: z.boolean().optional().catch(undefined),
})
export type FilesSearch = z.infer<typeof filesSearch>

/** Of one request; a folder with more is shown in pieces. */
export const ENTRIES_PER_PAGE = 200
const FOUND_MAX = 500
/** Versions of one file. */
const VERSIONS_MAX = 1000
/** A preview is to be read, and it is read over the wire. */
export const PREVIEW_BYTES_MAX = 1 << 20

export function pointQuery(pointId: string) {
  return apiQuery('getPoint', { params: { pointId } })
}

export function sourceQuery(sourceId: string) {
  return apiQuery('getSource', { params: { sourceId } })
}

export function entriesQuery(pointId: string, folder: string) {
  return infiniteQueryOptions({
    queryKey: ['points', 'listEntries', pointId, folder] as const,
    queryFn: ({ pageParam }) =>
      apiCall('listEntries', {
        params: { pointId },
        query: {
          path: folder,
          limit: ENTRIES_PER_PAGE,
          ...(pageParam !== '' && { after: pageParam }),
        },
      }),
    initialPageParam: '',
    getNextPageParam: ({ items, more }) => (more ? items.at(-1)?.name : undefined),
    // A point never changes.
    staleTime: Infinity,
  })
}

type Place = { readonly pointId: string } | { readonly sourceId: string }

export function foundQuery(pattern: string, place: Place) {
  return apiQuery('findInPoints', { query: { pattern, limit: FOUND_MAX, ...place } })
}

export interface FileVersion {
  readonly pointId: string
  readonly takenAt: string
  readonly isFile: boolean
  readonly sizeBytes: number
  readonly modifiedAt: string
}

/** Every point that has this very path, newest first. */
export function versionsQuery(sourceId: string, file: string) {
  return queryOptions({
    queryKey: ['points', 'versions', sourceId, file] as const,
    queryFn: async (): Promise<FileVersion[]> => {
      const query = { pattern: patternOf(file), sourceId, limit: VERSIONS_MAX }
      const { items } = await apiCall('findInPoints', { query })
      return items
        .filter((item) => fromRoot(item.path) === file)
        .map(({ pointId, takenAt, entry: { kind, sizeBytes, modifiedAt } }) => {
          return { pointId, takenAt, isFile: kind === 'file', sizeBytes, modifiedAt }
        })
    },
  })
}

/** The first bytes of a file. */
export function previewQuery(pointId: string, file: string) {
  return queryOptions({
    queryKey: ['points', 'preview', pointId, file] as const,
    queryFn: async ({ signal }): Promise<Uint8Array<ArrayBuffer>> => {
      const query = { path: belowRoot(file), length: PREVIEW_BYTES_MAX }
      const response = await client.open('getContent', { params: { pointId }, query, signal })
      return new Uint8Array(await response.arrayBuffer())
    },
    staleTime: Infinity,
    // Megabytes, of a file that was only glanced at.
    gcTime: 60_000,
  })
}

/** Where a browser fetches a file from; the server names it as an attachment. */
export function downloadHref(pointId: string, file: string): string {
  return `/api/v1/points/${pointId}/content?path=${encodeURIComponent(belowRoot(file))}`
}

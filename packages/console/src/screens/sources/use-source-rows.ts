/** Rows of the list of sources with what is known of their promises. */
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import type { z } from 'zod'
import type { compliance as complianceSchema, Source } from '@openmaas/api/resources/source'
import {
  complianceListQuery,
  complianceOfQuery,
  sourcesOfQuery,
  sourcesQuery,
  type SourcesSearch,
} from './queries.ts'

export type Compliance = z.infer<typeof complianceSchema>

export interface SourceRows {
  readonly rows: readonly Source[]
  readonly next: string | null
  readonly compliance: ReadonlyMap<string, Compliance>
  readonly error: Error | null
  readonly isLoading: boolean
}

export function useSourceRows(search: SourcesSearch): SourceRows {
  const byState = useByState(search)
  const plain = useQuery({
    ...sourcesQuery(search),
    enabled: search.state === undefined,
    placeholderData: keepPreviousData,
  })
  const ids = search.state === undefined ? (plain.data?.items ?? []).map(({ id }) => id) : []
  const compliance = useComplianceOf(ids)
  if (search.state !== undefined) return byState
  return {
    rows: plain.data?.items ?? [],
    next: plain.data?.next ?? null,
    compliance,
    error: plain.error,
    isLoading: plain.isPlaceholderData,
  }
}

/** One request for all rows of a page. */
function useComplianceOf(ids: readonly string[]): ReadonlyMap<string, Compliance> {
  const { data } = useQuery({
    ...complianceOfQuery(ids),
    enabled: ids.length > 0,
    placeholderData: keepPreviousData,
  })
  return new Map((data?.items ?? []).map((item) => [item.sourceId, item]))
}

function useByState(search: SourcesSearch): SourceRows {
  const found = useQuery({
    ...complianceListQuery(search),
    enabled: search.state !== undefined,
    placeholderData: keepPreviousData,
  })
  const items = search.state === undefined ? [] : (found.data?.items ?? [])
  const ids = items.map(({ sourceId }) => sourceId)
  const sources = useQuery({
    ...sourcesOfQuery(ids),
    enabled: ids.length > 0,
    placeholderData: keepPreviousData,
  })
  const known = new Map((sources.data?.items ?? []).map((source) => [source.id, source]))
  return {
    rows: ids.flatMap((id) => known.get(id) ?? []),
    next: found.data?.next ?? null,
    compliance: new Map(items.map((item) => [item.sourceId, item])),
    error: found.error ?? sources.error,
    isLoading: found.isPlaceholderData || (ids.length > 0 && sources.isPending),
  }
}

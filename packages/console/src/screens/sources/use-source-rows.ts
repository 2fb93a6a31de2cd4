/** Rows of the list of sources with what is known of their promises. */
import { keepPreviousData, useQueries, useQuery } from '@tanstack/react-query'
import type { z } from 'zod'
import type { compliance as complianceSchema, Source } from '@openmaas/api/resources/source'
import {
  complianceListQuery,
  complianceQuery,
  firstComplianceQuery,
  sourceQuery,
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

/** One request for all of a small site; in a large one the rest are asked about one by one. */
function useComplianceOf(ids: readonly string[]): ReadonlyMap<string, Compliance> {
  const first = useQuery({ ...firstComplianceQuery, enabled: ids.length > 0 })
  const known = new Map((first.data?.items ?? []).map((item) => [item.sourceId, item]))
  const unknown = first.isSuccess ? ids.filter((id) => !known.has(id)) : []
  const others = useQueries({ queries: unknown.map((id) => complianceQuery(id)) })
  for (const { data } of others) if (data !== undefined) known.set(data.sourceId, data)
  return known
}

function useByState(search: SourcesSearch): SourceRows {
  const found = useQuery({
    ...complianceListQuery(search),
    enabled: search.state !== undefined,
    placeholderData: keepPreviousData,
  })
  const items = search.state === undefined ? [] : (found.data?.items ?? [])
  const sources = useQueries({ queries: items.map(({ sourceId }) => sourceQuery(sourceId)) })
  return {
    rows: sources.flatMap(({ data }) => (data === undefined ? [] : [data])),
    next: found.data?.next ?? null,
    compliance: new Map(items.map((item) => [item.sourceId, item])),
    error: found.error,
    isLoading: found.isPlaceholderData || sources.some(({ isPending }) => isPending),
  }
}

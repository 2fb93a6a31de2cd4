/** One page of a list route, as DataList takes it: `{...useList(jobsQuery(search))}`. */
import { keepPreviousData, useQuery, type UseQueryOptions } from '@tanstack/react-query'

interface ListPage<Row> {
  readonly items: readonly Row[]
  readonly next: string | null
}

export interface List<Row> {
  readonly rows: readonly Row[]
  readonly next: string | null
  readonly error: Error | null
  readonly isLoading: boolean
}

/** The last page stays while the next one is fetched. */
export function useList<Body extends ListPage<unknown>, Key extends readonly unknown[]>(
  query: UseQueryOptions<Body, Error, Body, Key>,
): List<Body['items'][number]> {
  const { data, error, isPlaceholderData } = useQuery({
    ...query,
    placeholderData: keepPreviousData,
  })
  return {
    rows: data?.items ?? [],
    next: data?.next ?? null,
    error,
    isLoading: isPlaceholderData,
  }
}

/** Names of sources and hosts by id; the id where the name is not known, or not allowed. */
import { useQuery } from '@tanstack/react-query'
import { apiQuery } from '../../api/queries.ts'
import { useMay } from '../../api/session.ts'

/** More are shown by their id. */
const NAMED_MAX = 1000
export const sourceNamesQuery = apiQuery('listSources', { query: { limit: NAMED_MAX } })
export const hostNamesQuery = apiQuery('listHosts', { query: { limit: NAMED_MAX } })

type NameOf = (id: string) => string

export function useMediumNames(): { readonly source: NameOf; readonly host: NameOf } {
  const may = useMay()
  const sources = useQuery({ ...sourceNamesQuery, enabled: may('source.read') })
  const hosts = useQuery({ ...hostNamesQuery, enabled: may('host.read') })
  return {
    source: (id) => sources.data?.items.find((source) => source.id === id)?.name ?? id,
    host: (id) => hosts.data?.items.find((host) => host.id === id)?.name ?? id,
  }
}

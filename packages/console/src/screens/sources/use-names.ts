/** Names of hosts, policies and pools by id; an id where the name is not known, or not allowed. */
import { useQuery } from '@tanstack/react-query'
import { useMay } from '../../api/session.ts'
import { hostNamesQuery, policyNamesQuery, poolNamesQuery } from './queries.ts'

type Named = readonly { readonly id: string; readonly name: string }[]

function nameIn(items: Named | undefined, id: string): string {
  return items?.find((item) => item.id === id)?.name ?? id
}

export function useHostName(): (id: string) => string {
  const may = useMay()
  const { data } = useQuery({ ...hostNamesQuery, enabled: may('host.read') })
  return (id) => nameIn(data?.items, id)
}

export function usePolicyName(): (id: string) => string {
  const may = useMay()
  const { data } = useQuery({ ...policyNamesQuery, enabled: may('policy.read') })
  return (id) => nameIn(data?.items, id)
}

export function usePoolName(): (id: string) => string {
  const may = useMay()
  const { data } = useQuery({ ...poolNamesQuery, enabled: may('pool.read') })
  return (id) => nameIn(data?.items, id)
}

/** Who made it, by name where names may be seen. */
import { useQuery } from '@tanstack/react-query'
import { apiQuery } from '../../api/queries.ts'
import { useMay, useMe } from '../../api/session.ts'

/** More are shown by their id. */
const NAMED_MAX = 1000
const userNamesQuery = apiQuery('listUsers', { query: { limit: NAMED_MAX } })

/** `user:usr_…` → `li.wei`. */
export function useOwnerName(): (createdBy: string) => string {
  const may = useMay()
  const me = useMe()
  const users = useQuery({ ...userNamesQuery, enabled: may('user.read') })
  return (createdBy) => {
    if (me?.user !== undefined && me.user !== null && createdBy === `user:${me.user.id}`) {
      return me.user.name
    }
    const known = users.data?.items.find(({ id }) => createdBy === `user:${id}`)
    return known?.name ?? createdBy
  }
}

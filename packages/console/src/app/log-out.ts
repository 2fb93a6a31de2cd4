import { client } from '../api/client.ts'
import { queryClient } from '../api/query-client.ts'
import { meQuery } from '../api/session.ts'

/** Nothing of the last person stays in memory. */
export async function logOut(): Promise<void> {
  try {
    await client.call('logout')
  } finally {
    queryClient.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== 'session' })
    queryClient.setQueryData(meQuery.queryKey, null)
  }
}

/** Who is logged in, and what that person may. */
import { queryOptions, useQuery } from '@tanstack/react-query'
import { ApiError } from '@openmaas/api/client'
import { hasLimitedPlug, type Permission } from '@openmaas/api/permissions'
import type { AnswerOf } from '@openmaas/api/routes/routes'
import { client, keepCsrfToken } from './client.ts'

export type Me = AnswerOf<'getMe'>

/** Null: nobody. */
export const meQuery = queryOptions({
  queryKey: ['session', 'me'],
  queryFn: async ({ signal }): Promise<Me | null> => {
    try {
      const { body } = await client.call('getMe', { signal })
      keepCsrfToken(body)
      return body
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 'AUTH_REQUIRED') throw error
      keepCsrfToken(null)
      return null
    }
  },
  // Renewed by login, logout, and any answer that says that nobody is logged in.
  staleTime: Infinity,
})

export function useMe(): Me | null {
  return useQuery(meQuery).data ?? null
}

/** What is not allowed is not shown: `const may = useMay()`, `may('job.cancel') && <Button …/>`. */
export function useMay(): (permission: Permission) => boolean {
  const me = useMe()
  return (permission) => me?.permissions.includes(permission) === true
}

/** A data consumer: clones only, each with a quota and an end; of everything their own. */
export function isLimited(me: Me | null): boolean {
  return me !== null && hasLimitedPlug(me)
}

export function useIsLimited(): boolean {
  return isLimited(useMe())
}

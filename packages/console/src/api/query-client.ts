import { MutationCache, QueryCache, QueryClient } from '@tanstack/react-query'
import { ApiError } from '@openmaas/api/client'
import { MaasError } from '@openmaas/kernel/errors'
import { meQuery } from './session.ts'

/** Events renew what is shown; this is for what no event tells of. */
const STALE_AFTER_MS = 30_000
const RETRY_COUNT_MAX = 2

/** What passes by itself. A refusal stays one. */
function isTransient(error: unknown): boolean {
  if (error instanceof ApiError) return error.problem.status === 503
  return error instanceof MaasError && error.code === 'SERVER_UNREACHABLE'
}

/** A session that has ended: the shell sees it, and shows the login. */
function noticeLogout(error: unknown): void {
  if (!(error instanceof ApiError) || error.code !== 'AUTH_REQUIRED') return
  queryClient.setQueryData(meQuery.queryKey, null)
}

export const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError: noticeLogout }),
  mutationCache: new MutationCache({ onError: noticeLogout }),
  defaultOptions: {
    queries: {
      staleTime: STALE_AFTER_MS,
      retry: (count, error) => count < RETRY_COUNT_MAX && isTransient(error),
      // A page that was hidden hears of nothing more than one that was not.
      refetchOnWindowFocus: false,
    },
    mutations: { retry: false },
  },
})

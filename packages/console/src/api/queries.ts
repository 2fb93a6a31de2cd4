/**
 * Queries and changes by the name of their route, for TanStack Query. The key begins with the tag
 * of the route (`jobs`, `pools` …), so that an event about jobs renews all that is shown of jobs:
 * live-events.ts.
 */
import { queryOptions } from '@tanstack/react-query'
import type { Answer, CallArguments, CallOptions } from '@openmaas/api/client'
import { routeOf, type RouteName } from '@openmaas/api/routes/routes'
import { client } from './client.ts'

type Caller = <N extends RouteName>(name: N, options?: object) => Promise<Answer<N>>
const call: Caller = (name, options) => (client.call.bind(client) as Caller)(name, options)

/** For useQuery, useSuspenseQuery and loaders: `apiQuery('getJob', { params: { jobId } })`. */
export function apiQuery<N extends RouteName>(name: N, ...rest: CallArguments<N>) {
  const [options] = rest
  return queryOptions({
    queryKey: [routeOf(name).tag, name, options ?? {}] as const,
    queryFn: async ({ signal }) => (await call(name, { ...options, signal })).body,
  })
}

/** For useMutation and buttons; a POST carries a key, so that trying again does nothing twice. */
export async function apiCall<N extends RouteName>(
  name: N,
  ...rest: CallArguments<N>
): Promise<Answer<N>['body']> {
  return (await apiAnswer(name, ...rest)).body
}

/** With ETag and location. */
export function apiAnswer<N extends RouteName>(
  name: N,
  ...rest: CallArguments<N>
): Promise<Answer<N>> {
  const options = (rest[0] ?? {}) as CallOptions<RouteName>
  const isPost = routeOf(name).method === 'POST'
  return call(name, {
    ...(isPost && { idempotencyKey: crypto.randomUUID() }),
    ...options,
  })
}

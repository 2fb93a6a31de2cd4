import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { apiQuery } from '../../api/queries.ts'
import { shellRoute } from '../../app/base-routes.ts'

export const sessionsQuery = apiQuery('listMySessions')
const TOKENS_SHOWN_MAX = 200
export const myTokensQuery = apiQuery('listMyTokens', {
  query: { sort: '-createdAt', limit: TOKENS_SHOWN_MAX },
})

/** Everybody's own: no permission is asked for. */
export const accountRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/account',
  loader: ({ context }) => context.queryClient.ensureQueryData(sessionsQuery),
  component: lazyRouteComponent(() => import('./AccountPage.tsx'), 'AccountPage'),
})

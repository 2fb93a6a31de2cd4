import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { poolQuery, poolsQuery, poolsSearch } from './queries.ts'

export const poolsRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/pools',
  beforeLoad: requirePermission('pool.read'),
  validateSearch: poolsSearch,
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => context.queryClient.ensureQueryData(poolsQuery(deps)),
  component: lazyRouteComponent(() => import('./PoolsPage.tsx'), 'PoolsPage'),
})

export const poolRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/pools/$poolId',
  beforeLoad: requirePermission('pool.read'),
  loader: ({ context, params }) => context.queryClient.ensureQueryData(poolQuery(params.poolId)),
  component: lazyRouteComponent(() => import('./PoolPage.tsx'), 'PoolPage'),
})

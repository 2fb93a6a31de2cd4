import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { recoverSearch, sourcesQuery } from './queries.ts'

export const recoverRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/recover',
  beforeLoad: requirePermission('point.read'),
  validateSearch: recoverSearch,
  loader: ({ context }) => context.queryClient.ensureQueryData(sourcesQuery),
  component: lazyRouteComponent(() => import('./RecoverPage.tsx'), 'RecoverPage'),
})

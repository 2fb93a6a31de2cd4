import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { apiQuery } from '../../api/queries.ts'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'

export const dashboardRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/',
  beforeLoad: requirePermission('source.read'),
  loader: ({ context }) => context.queryClient.ensureQueryData(apiQuery('getStatus')),
  component: lazyRouteComponent(() => import('./DashboardPage.tsx'), 'DashboardPage'),
})

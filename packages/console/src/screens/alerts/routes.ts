import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { alertsQuery, alertsSearch } from './queries.ts'

export const alertsRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/alerts',
  beforeLoad: requirePermission('alert.read'),
  validateSearch: alertsSearch,
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => context.queryClient.ensureQueryData(alertsQuery(deps)),
  component: lazyRouteComponent(() => import('./AlertsPage.tsx'), 'AlertsPage'),
})

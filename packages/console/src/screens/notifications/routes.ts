import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { channelsQuery, notificationsSearch } from './queries.ts'

export const notificationsRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/notifications',
  beforeLoad: requirePermission('notification.read'),
  validateSearch: notificationsSearch,
  loader: ({ context }) => context.queryClient.ensureQueryData(channelsQuery),
  component: lazyRouteComponent(() => import('./NotificationsPage.tsx'), 'NotificationsPage'),
})

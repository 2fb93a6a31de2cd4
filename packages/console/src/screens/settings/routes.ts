import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { apiQuery } from '../../api/queries.ts'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'

export const settingsQuery = apiQuery('getSettings')

export const settingsRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/settings',
  beforeLoad: requirePermission('setting.read'),
  loader: ({ context }) => context.queryClient.ensureQueryData(settingsQuery),
  component: lazyRouteComponent(() => import('./SettingsPage.tsx'), 'SettingsPage'),
})

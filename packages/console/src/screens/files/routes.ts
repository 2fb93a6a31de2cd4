import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { filesSearch, pointQuery } from './queries.ts'

export const filesRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/points/$pointId/files',
  beforeLoad: requirePermission('point.browse'),
  validateSearch: filesSearch,
  loader: ({ context, params: { pointId } }) =>
    context.queryClient.ensureQueryData(pointQuery(pointId)),
  component: lazyRouteComponent(() => import('./FilesPage.tsx'), 'FilesPage'),
})

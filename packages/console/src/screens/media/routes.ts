import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { mediaQuery, mediaSearch, mediumQuery } from './queries.ts'

export const mediaRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/media',
  beforeLoad: requirePermission('medium.read'),
  validateSearch: mediaSearch,
  loaderDeps: ({ search: { mount: _mount, ...search } }) => search,
  loader: ({ context, deps }) => context.queryClient.ensureQueryData(mediaQuery(deps)),
  component: lazyRouteComponent(() => import('./MediaPage.tsx'), 'MediaPage'),
})

export const mediumRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/media/$mediumId',
  beforeLoad: requirePermission('medium.read'),
  loader: ({ context, params: { mediumId } }) =>
    context.queryClient.ensureQueryData(mediumQuery(mediumId)),
  component: lazyRouteComponent(() => import('./MediumPage.tsx'), 'MediumPage'),
})

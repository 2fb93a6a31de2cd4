import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { groupQuery, groupsQuery, groupsSearch } from './queries.ts'

export const groupsRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/groups',
  beforeLoad: requirePermission('source.read'),
  validateSearch: groupsSearch,
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => context.queryClient.ensureQueryData(groupsQuery(deps)),
  component: lazyRouteComponent(() => import('./GroupsPage.tsx'), 'GroupsPage'),
})

export const groupRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/groups/$groupId',
  beforeLoad: requirePermission('source.read'),
  loader: ({ context, params: { groupId } }) =>
    context.queryClient.ensureQueryData(groupQuery(groupId)),
  component: lazyRouteComponent(() => import('./GroupPage.tsx'), 'GroupPage'),
})

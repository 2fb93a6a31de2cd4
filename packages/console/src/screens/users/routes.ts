import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { userQuery, usersQuery, usersSearch } from './queries.ts'

export const usersRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/users',
  beforeLoad: requirePermission('user.read'),
  validateSearch: usersSearch,
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => context.queryClient.ensureQueryData(usersQuery(deps)),
  component: lazyRouteComponent(() => import('./UsersPage.tsx'), 'UsersPage'),
})

export const userRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/users/$userId',
  beforeLoad: requirePermission('user.read'),
  loader: ({ context, params }) => context.queryClient.ensureQueryData(userQuery(params.userId)),
  component: lazyRouteComponent(() => import('./UserPage.tsx'), 'UserPage'),
})

import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { z } from 'zod'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { newDatabaseSearch, sourcesQuery } from './new-database/queries.ts'
import {
  DATABASE_TABS,
  virtualDatabaseQuery,
  virtualDatabasesQuery,
  virtualDatabasesSearch,
} from './queries.ts'

export const virtualDatabasesRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/virtual-databases',
  beforeLoad: requirePermission('virtual-database.read'),
  validateSearch: virtualDatabasesSearch,
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => context.queryClient.ensureQueryData(virtualDatabasesQuery(deps)),
  component: lazyRouteComponent(() => import('./VirtualDatabasesPage.tsx'), 'VirtualDatabasesPage'),
})

export const newDatabaseRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/virtual-databases/new',
  beforeLoad: requirePermission('virtual-database.create'),
  validateSearch: newDatabaseSearch,
  loader: ({ context }) => context.queryClient.ensureQueryData(sourcesQuery),
  component: lazyRouteComponent(
    () => import('./new-database/NewDatabasePage.tsx'),
    'NewDatabasePage',
  ),
})

export const virtualDatabaseRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/virtual-databases/$virtualDatabaseId',
  beforeLoad: requirePermission('virtual-database.read'),
  validateSearch: z.object({ tab: z.enum(DATABASE_TABS).optional().catch(undefined) }),
  loader: ({ context, params: { virtualDatabaseId } }) =>
    context.queryClient.ensureQueryData(virtualDatabaseQuery(virtualDatabaseId)),
  component: lazyRouteComponent(() => import('./VirtualDatabasePage.tsx'), 'VirtualDatabasePage'),
})

import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { z } from 'zod'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { hostQuery, hostsQuery, hostsSearch } from './queries.ts'

export const hostsRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/hosts',
  beforeLoad: requirePermission('host.read'),
  validateSearch: hostsSearch,
  loaderDeps: ({ search: { join: _join, ...search } }) => search,
  loader: ({ context, deps }) => context.queryClient.ensureQueryData(hostsQuery(deps)),
  component: lazyRouteComponent(() => import('./HostsPage.tsx'), 'HostsPage'),
})

export const hostRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/hosts/$hostId',
  beforeLoad: requirePermission('host.read'),
  validateSearch: z.object({ edit: z.boolean().optional().catch(undefined) }),
  loader: ({ context, params: { hostId } }) =>
    context.queryClient.ensureQueryData(hostQuery(hostId)),
  component: lazyRouteComponent(() => import('./HostPage.tsx'), 'HostPage'),
})

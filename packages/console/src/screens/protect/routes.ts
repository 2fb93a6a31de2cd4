import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { agentsQuery } from '../hosts/queries.ts'
import { protectSearch } from './search.ts'

export const protectRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/protect',
  beforeLoad: requirePermission('source.write'),
  validateSearch: protectSearch,
  loader: ({ context }) => context.queryClient.ensureQueryData(agentsQuery),
  component: lazyRouteComponent(() => import('./ProtectPage.tsx'), 'ProtectPage'),
})

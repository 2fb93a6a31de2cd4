import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { approvalsQuery, approvalsSearch } from './queries.ts'

export const approvalsRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/approvals',
  beforeLoad: requirePermission('approval.read'),
  validateSearch: approvalsSearch,
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => context.queryClient.ensureQueryData(approvalsQuery(deps)),
  component: lazyRouteComponent(() => import('./ApprovalsPage.tsx'), 'ApprovalsPage'),
})

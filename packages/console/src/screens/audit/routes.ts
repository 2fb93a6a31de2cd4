import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { auditQuery, auditSearch } from './queries.ts'

export const auditRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/audit',
  beforeLoad: requirePermission('audit.read'),
  validateSearch: auditSearch,
  loaderDeps: ({ search: { entry: _, ...search } }) => search,
  loader: ({ context, deps }) => context.queryClient.ensureQueryData(auditQuery(deps)),
  component: lazyRouteComponent(() => import('./AuditPage.tsx'), 'AuditPage'),
})

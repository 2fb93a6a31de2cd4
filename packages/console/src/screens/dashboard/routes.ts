import { createRoute, lazyRouteComponent, redirect } from '@tanstack/react-router'
import { apiQuery } from '../../api/queries.ts'
import { isLimited, meQuery } from '../../api/session.ts'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'

export const dashboardRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/',
  beforeLoad: async ({ context }) => {
    await requirePermission('source.read')({ context })
    const me = await context.queryClient.ensureQueryData(meQuery)
    // What is theirs stands there; the state of the installation is not their concern.
    // oxlint-disable-next-line typescript/only-throw-error -- the router's own way
    if (isLimited(me)) throw redirect({ to: '/virtual-databases' })
  },
  loader: ({ context }) => context.queryClient.ensureQueryData(apiQuery('getStatus')),
  component: lazyRouteComponent(() => import('./DashboardPage.tsx'), 'DashboardPage'),
})

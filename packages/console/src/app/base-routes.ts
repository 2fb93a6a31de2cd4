/**
 * What every screen's route hangs below: `getParentRoute: () => shellRoute`. The shell has a
 * session, or it leads to the login and back.
 */
import type { QueryClient } from '@tanstack/react-query'
import {
  createRootRouteWithContext,
  createRoute,
  lazyRouteComponent,
  redirect,
} from '@tanstack/react-router'
import type { Permission } from '@openmaas/api/permissions'
import { ForbiddenPage } from '../api/problems.ts'
import { meQuery } from '../api/session.ts'

export interface RouterContext {
  readonly queryClient: QueryClient
}

export const rootRoute = createRootRouteWithContext<RouterContext>()()

export const shellRoute = createRoute({
  getParentRoute: () => rootRoute,
  id: 'shell',
  beforeLoad: async ({ context, location }) => {
    const me = await context.queryClient.ensureQueryData(meQuery)
    if (me !== null && !me.mustChangePassword) return
    const to = location.href === '/' ? {} : { to: location.href }
    // oxlint-disable-next-line typescript/only-throw-error -- the router's own way
    throw redirect({ to: '/login', search: to })
  },
  component: lazyRouteComponent(() => import('./Shell.tsx'), 'Shell'),
})

/** `beforeLoad: requirePermission('job.read')`: without it the page says that it is forbidden. */
export function requirePermission(permission: Permission) {
  return async ({ context }: { readonly context: RouterContext }): Promise<void> => {
    const me = await context.queryClient.ensureQueryData(meQuery)
    if (me?.permissions.includes(permission) !== true) throw new ForbiddenPage(permission)
  }
}

import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { z } from 'zod'
import { rootRoute } from '../../app/base-routes.ts'

/** Of this console only: else a link could lead somewhere else after the login. */
const OWN_ADDRESS = /^\/(?![/\\])/

export const loginRoute = createRoute({
  getParentRoute: () => rootRoute,
  path: '/login',
  validateSearch: z.object({ to: z.string().regex(OWN_ADDRESS).optional().catch(undefined) }),
  component: lazyRouteComponent(() => import('./LoginPage.tsx'), 'LoginPage'),
})

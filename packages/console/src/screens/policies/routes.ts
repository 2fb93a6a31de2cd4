import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { z } from 'zod'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { policiesQuery, policiesSearch, policyQuery } from './queries.ts'

export const policiesRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/policies',
  beforeLoad: requirePermission('policy.read'),
  validateSearch: policiesSearch,
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => context.queryClient.ensureQueryData(policiesQuery(deps)),
  component: lazyRouteComponent(() => import('./PoliciesPage.tsx'), 'PoliciesPage'),
})

export const newPolicyRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/policies/new',
  beforeLoad: requirePermission('policy.write'),
  /** A policy to begin with. */
  validateSearch: z.object({ from: z.string().max(64).optional().catch(undefined) }),
  loaderDeps: ({ search }) => search,
  loader: async ({ context, deps }) => {
    if (deps.from !== undefined) await context.queryClient.ensureQueryData(policyQuery(deps.from))
  },
  component: lazyRouteComponent(() => import('./NewPolicyPage.tsx'), 'NewPolicyPage'),
})

export const policyRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/policies/$policyId',
  beforeLoad: requirePermission('policy.read'),
  loader: ({ context, params: { policyId } }) =>
    context.queryClient.ensureQueryData(policyQuery(policyId)),
  component: lazyRouteComponent(() => import('./PolicyPage.tsx'), 'PolicyPage'),
})

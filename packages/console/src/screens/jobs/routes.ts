/** The pair that other lists and pages are made after: address, permission, loader, component. */
import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { z } from 'zod'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { calendarSearch, dayOf } from './calendar/day.ts'
import { jobCalendarQuery, jobLogQuery, jobQuery, jobsQuery, jobsSearch } from './queries.ts'

export const jobsRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/jobs',
  beforeLoad: requirePermission('job.read'),
  validateSearch: jobsSearch,
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => context.queryClient.ensureQueryData(jobsQuery(deps)),
  component: lazyRouteComponent(() => import('./JobsPage.tsx'), 'JobsPage'),
})

export const jobCalendarRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/jobs/calendar',
  beforeLoad: requirePermission('job.read'),
  validateSearch: calendarSearch,
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) =>
    context.queryClient.ensureQueryData(jobCalendarQuery(dayOf(deps, new Date()))),
  component: lazyRouteComponent(() => import('./calendar/JobCalendarPage.tsx'), 'JobCalendarPage'),
})

export const jobRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/jobs/$jobId',
  beforeLoad: requirePermission('job.read'),
  validateSearch: z.object({ level: z.enum(['warning', 'error']).optional().catch(undefined) }),
  loaderDeps: ({ search }) => search,
  loader: ({ context: { queryClient }, params: { jobId }, deps: { level } }) =>
    Promise.all([
      queryClient.ensureQueryData(jobQuery(jobId)),
      queryClient.ensureQueryData(jobLogQuery(jobId, level)),
    ]),
  component: lazyRouteComponent(() => import('./JobPage.tsx'), 'JobPage'),
})

import { createRoute, lazyRouteComponent } from '@tanstack/react-router'
import { requirePermission, shellRoute } from '../../app/base-routes.ts'
import { timelineSearch } from '../timeline/search.ts'
import { z } from 'zod'
import {
  complianceListQuery,
  complianceQuery,
  SOURCE_TABS,
  sourceQuery,
  sourcesQuery,
  sourcesSearch,
} from './queries.ts'

export const sourcesRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/sources',
  beforeLoad: requirePermission('source.read'),
  validateSearch: sourcesSearch,
  loaderDeps: ({ search }) => search,
  loader: ({ context: { queryClient }, deps }) =>
    deps.state === undefined
      ? queryClient.ensureQueryData(sourcesQuery(deps))
      : queryClient.ensureQueryData(complianceListQuery(deps)),
  component: lazyRouteComponent(() => import('./SourcesPage.tsx'), 'SourcesPage'),
})

export const sourceRoute = createRoute({
  getParentRoute: () => shellRoute,
  path: '/sources/$sourceId',
  beforeLoad: requirePermission('source.read'),
  validateSearch: z.object({
    tab: z.enum(SOURCE_TABS).optional().catch(undefined),
    ...timelineSearch.shape,
  }),
  loader: ({ context: { queryClient }, params: { sourceId } }) =>
    Promise.all([
      queryClient.ensureQueryData(sourceQuery(sourceId)),
      queryClient.ensureQueryData(complianceQuery(sourceId)),
    ]),
  component: lazyRouteComponent(() => import('./SourcePage.tsx'), 'SourcePage'),
})

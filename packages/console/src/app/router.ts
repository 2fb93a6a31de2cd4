import { createRouter } from '@tanstack/react-router'
import { queryClient } from '../api/query-client.ts'
import { PageFailed } from '../ui/PageFailed.tsx'
import { PageLoading } from '../ui/PageLoading.tsx'
import { PageMissing } from '../ui/PageMissing.tsx'
import { routeTree } from './route-tree.ts'
import { setScreens } from './screens-present.ts'

/** Quicker answers show no skeleton: it would only flicker. */
const PENDING_AFTER_MS = 200

export const router = createRouter({
  routeTree,
  context: { queryClient },
  defaultPreload: 'intent',
  // What is fresh is for TanStack Query to say.
  defaultPreloadStaleTime: 0,
  defaultPendingMs: PENDING_AFTER_MS,
  defaultPendingComponent: PageLoading,
  defaultErrorComponent: PageFailed,
  defaultNotFoundComponent: PageMissing,
  scrollRestoration: true,
})

setScreens(Object.keys(router.routesByPath))

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}

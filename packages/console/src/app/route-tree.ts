/** Every screen: one import and one row. Its entry in the side navigation: navigation.ts. */
import { dashboardRoute } from '../screens/dashboard/routes.ts'
import { jobRoute, jobsRoute } from '../screens/jobs/routes.ts'
import { loginRoute } from '../screens/login/routes.ts'
import { rootRoute, shellRoute } from './base-routes.ts'

export const routeTree = rootRoute.addChildren([
  loginRoute,
  shellRoute.addChildren([dashboardRoute, jobsRoute, jobRoute]),
])

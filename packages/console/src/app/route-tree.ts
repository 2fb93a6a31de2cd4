/** Every screen: one import and one row. Its entry in the side navigation: navigation.ts. */
import { dashboardRoute } from '../screens/dashboard/routes.ts'
import { filesRoute } from '../screens/files/routes.ts'
import { groupRoute, groupsRoute } from '../screens/groups/routes.ts'
import { hostRoute, hostsRoute } from '../screens/hosts/routes.ts'
import { jobCalendarRoute, jobRoute, jobsRoute } from '../screens/jobs/routes.ts'
import { loginRoute } from '../screens/login/routes.ts'
import { mediaRoute, mediumRoute } from '../screens/media/routes.ts'
import { newPolicyRoute, policiesRoute, policyRoute } from '../screens/policies/routes.ts'
import { protectRoute } from '../screens/protect/routes.ts'
import { recoverRoute } from '../screens/recover/routes.ts'
import { sourceRoute, sourcesRoute } from '../screens/sources/routes.ts'
import { alertsRoute } from '../screens/alerts/routes.ts'
import { auditRoute } from '../screens/audit/routes.ts'
import { poolRoute, poolsRoute } from '../screens/pools/routes.ts'
import { accountRoute } from '../screens/account/routes.ts'
import { approvalsRoute } from '../screens/approvals/routes.ts'
import { notificationsRoute } from '../screens/notifications/routes.ts'
import { settingsRoute } from '../screens/settings/routes.ts'
import { userRoute, usersRoute } from '../screens/users/routes.ts'
import {
  newDatabaseRoute,
  virtualDatabaseRoute,
  virtualDatabasesRoute,
} from '../screens/virtual-databases/routes.ts'
import { rootRoute, shellRoute } from './base-routes.ts'

export const routeTree = rootRoute.addChildren([
  loginRoute,
  shellRoute.addChildren([
    dashboardRoute,
    jobsRoute,
    jobCalendarRoute,
    jobRoute,
    hostsRoute,
    hostRoute,
    sourcesRoute,
    sourceRoute,
    recoverRoute,
    filesRoute,
    mediaRoute,
    mediumRoute,
    groupsRoute,
    groupRoute,
    virtualDatabasesRoute,
    newDatabaseRoute,
    virtualDatabaseRoute,
    protectRoute,
    policiesRoute,
    newPolicyRoute,
    policyRoute,
    poolsRoute,
    poolRoute,
    alertsRoute,
    auditRoute,
    notificationsRoute,
    usersRoute,
    userRoute,
    approvalsRoute,
    settingsRoute,
    accountRoute,
  ]),
])

/** Every kind of job there is. */
import type { JobDefinition } from '../definition.ts'
import { makeCatalogBackup } from './catalog-backup.ts'
import { makeDiscover } from './discover.ts'
import { makeEject } from './eject.ts'
import { makeExpire } from './expire.ts'
import { makeGrowVolume } from './grow-volume.ts'
import { makePlug } from './plug.ts'
import { makeCheck, makeCollect, makeVerify } from './pool-care.ts'
import { makeProtect } from './protect.ts'
import { makeReconcilePoints } from './reconcile-points.ts'
import { makeMakeGroupDatabases } from './make-group-databases.ts'
import { makeProtectDatabase } from './protect-database.ts'
import { makeProtectGroup } from './protect-group.ts'
import { makeMakeVirtualDatabase } from './make-virtual-database.ts'
import { makeRefreshVirtualDatabase } from './refresh-virtual-database.ts'
import { makeStartVirtualDatabase, makeStopVirtualDatabase } from './run-virtual-database.ts'
import { makeOpenVirtualDatabase, makeSyncVirtualDatabase } from './follow-virtual-database.ts'
import { makePromoteVirtualDatabase } from './promote-virtual-database.ts'
import { makeDropVirtualDatabase } from './drop-virtual-database.ts'
import { makeDeleteBookmark, makeMakeBookmark } from './bookmark.ts'
import { makeFollowDatabase } from './follow-database.ts'
import { makeUnprotectDatabase } from './unprotect-database.ts'
import { makeWidenVirtualDatabase } from './widen-virtual-database.ts'
import { makeVerifyDatabase } from './verify-database.ts'
import { makeReconcileMedia } from './reconcile-media.ts'
import { makeRestore } from './restore.ts'
import type { KindServices } from './services.ts'

export function makeJobKinds(services: KindServices): JobDefinition[] {
  return [
    makeProtect(services),
    makeRestore(services),
    makePlug(services),
    makeEject(),
    makeExpire(),
    makeCollect(),
    makeCheck(),
    makeVerify(),
    makeDiscover(),
    makeCatalogBackup(services),
    makeReconcileMedia(services),
    makeReconcilePoints(services),
    makeProtectDatabase(services),
    makeProtectGroup(services),
    makeMakeGroupDatabases(services),
    makeVerifyDatabase(services),
    makeUnprotectDatabase(services),
    makeFollowDatabase(services),
    makeGrowVolume(services),
    makeMakeVirtualDatabase(services),
    makeRefreshVirtualDatabase(services),
    makeStartVirtualDatabase(services),
    makeStopVirtualDatabase(),
    makeMakeBookmark(),
    makeDeleteBookmark(),
    makeDropVirtualDatabase(services),
    makeWidenVirtualDatabase(services),
    makePromoteVirtualDatabase(services),
    makeSyncVirtualDatabase(services),
    makeOpenVirtualDatabase(services),
  ]
}

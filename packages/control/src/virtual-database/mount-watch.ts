/**
 * Virtual databases whose clone is not mounted any more, or takes no writes since its file system
 * met an error: their instance is started in vain each second. They are lost, with the reason, and
 * care starts them anew, which mounts the clone anew (job/kinds/mounted-again.ts).
 */
import { isMaasError } from '@openmaas/kernel/errors'
import type { ErrorCode } from '@openmaas/kernel/errors'
import { mountPathOf } from '../job/kinds/database-media.ts'
import type { Db, Trx } from '../http/handler-context.ts'
import { fullProblem, type RoomWatchOptions } from './room.ts'
import { changeVirtualDatabase, loadVirtualDatabase, type VirtualDatabaseRow } from './rows.ts'

const TIMEOUT_MS = 20_000
const CODE: ErrorCode = 'MEDIUM_MOUNT_LOST'

/** After the look at their room: one that is full takes no writes either, and says why. */
export async function lookAtMounts(options: RoomWatchOptions, round: number): Promise<void> {
  const { catalog, clock, orders } = options
  const rows = await listOnClones(catalog.db)
  for (const hostId of new Set(rows.map((row) => row.hostId))) {
    if (!orders.isConnected(hostId)) continue
    const key = `mount-watch:${hostId}:${clock.wallMs()}:${round}`
    try {
      const asked = { key, timeoutMs: TIMEOUT_MS }
      const { mounts } = await orders.order(hostId, 'medium.attached', {}, asked)
      if (mounts === undefined) continue
      const found = new Map(mounts.map(({ path, why }) => [path, why]))
      for (const row of rows.filter((each) => each.hostId === hostId)) {
        const path = mountPathOf(row.mediumId!)
        const why = found.has(path) ? found.get(path)! : 'is not mounted'
        // While its node is away nobody knows whether it has room.
        if (why === null || !orders.isConnected(row.nodeId)) continue
        await catalog.transaction((trx) => noteLost(trx, options, { row, why: `${path} ${why}` }))
      }
    } catch (error) {
      if (!isMaasError(error) || error.code === 'INTERNAL') throw error
    }
  }
}

function listOnClones(db: Db): Promise<VirtualDatabaseRow[]> {
  return db
    .selectFrom('virtualDatabase')
    .selectAll()
    .where('state', '=', 'running')
    .where('mediumId', 'is not', null)
    .where('directory', 'is', null)
    .where('endedAt', 'is', null)
    .execute()
}

/** Whatever works on it mounts and unmounts it, and knows better. */
async function noteLost(
  trx: Trx,
  { clock }: RoomWatchOptions,
  { row, why }: { readonly row: VirtualDatabaseRow; readonly why: string },
): Promise<void> {
  const { id, mediumId } = row
  const job = await trx
    .selectFrom('job')
    .select('id')
    .where('virtualDatabaseId', '=', id)
    .where('endedAt', 'is', null)
    .executeTakeFirst()
  const now = await loadVirtualDatabase(trx, id)
  const isSame = now.state === 'running' && now.mediumId === mediumId && now.version === row.version
  if (job !== undefined || !isSame || fullProblem(now) !== null) return
  const problem = { code: CODE, message: `${why}; it is mounted anew`, details: { mediumId } }
  const lost = { state: 'lost', problemJson: JSON.stringify(problem) } as const
  await changeVirtualDatabase(trx, id, lost, clock)
}

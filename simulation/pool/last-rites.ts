/** The end of a world: calm weather, no users. What must hold now holds for good. */
import { checkIndex, checkLog, checkPacks, checkSnapshots } from './invariants.ts'
import type { Site } from './invariants.ts'
import type { TaskContext } from './tasks.ts'

/** Pool time that all delays and locks of a world end in. */
const LONG_MS = 100 * 24 * 3_600_000

export async function settleWorld(context: TaskContext, site: Site): Promise<void> {
  const { pool, clock, oracle } = context
  oracle.pins.clear()
  for (const id of Array.from(pool.core.state.pins.keys())) await pool.unpin(id)
  await repairAll(context)
  if (pool.core.time.frozen) await pool.confirmTime(['ada', 'grace'])
  await pool.gc({ approve: true, compactBelow: 1 })
  clock.advance(LONG_MS)
  // Time that passes at once, while the owner runs, is no jump: both clocks agree.
  await pool.gc({ approve: true, compactBelow: 1 })
  await pool.gc({ approve: true, compactBelow: 1 })
  checkGarbageGone(context)
  checkLog(site)
  checkPacks(site, pool, context.weather.isWhole)
  checkSnapshots(site, pool, true)
  checkIndex(site, pool)
}

const CHANGING_CALLS: ReadonlySet<string> = new Set([
  'write',
  'truncate',
  'rename',
  'unlink',
  'makeDirectory',
  'removeDirectory',
])

/** One repair makes the pool whole; the next changes nothing (I11). */
async function repairAll({ pool, disk, weather }: TaskContext): Promise<void> {
  const damagesBefore = weather.damageCount
  const first = await pool.fsck({ level: 'data', repair: true })
  if (!first.healthy) throw new Error(`I12: cannot be repaired: ${JSON.stringify(first)}`)
  weather.packsRepaired(damagesBefore)
  const { onCall } = disk.observer
  disk.observer.onCall = (call, path) => {
    if (CHANGING_CALLS.has(call)) throw new Error(`I11: the second repair does ${call} ${path}`)
  }
  const second = await pool.fsck({ level: 'data', repair: true })
  if (!second.healthy) throw new Error(`I11: not healthy after repair: ${JSON.stringify(second)}`)
  if (onCall === undefined) delete disk.observer.onCall
  else disk.observer.onCall = onCall
}

/** I10: after two quiet collections and the grace, nothing unreferenced is left. */
function checkGarbageGone({ pool }: TaskContext): void {
  const status = pool.status()
  if (status.condemnedPacks > 0) throw new Error(`I10: ${status.condemnedPacks} packs condemned`)
  if (status.snapshots === 0 && status.packs > 0) {
    throw new Error(`I10: no snapshot, and ${status.packs} packs`)
  }
}

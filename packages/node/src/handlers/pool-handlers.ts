/** Orders about pools as a whole: make, adopt, list, delete, lock, collect, check. */
import type { OrderHandlers } from '@openmaas/protocols/channel/orders'
import type { SnapshotId } from '@openmaas/kernel/ids'
import { checkSnapshots } from '../check-snapshots.ts'
import type { Node } from '../node.ts'
import { refusalOf, requireSnapshot } from '../node.ts'
import { describeProgress } from '../progress.ts'

/** Problems named in an answer; the count of all is in the text of the last. */
const PROBLEMS_MAX = 1000

type PoolVerb =
  | 'pool.list'
  | 'pool.create'
  | 'pool.adopt'
  | 'pool.snapshots'
  | 'pool.delete'
  | 'pool.lock'
  | 'pool.gc'
  | 'pool.check'

export function makePoolHandlers(node: Node): Required<Pick<OrderHandlers, PoolVerb>> {
  return {
    'pool.list': async () => {
      await node.retry()
      return { pools: node.pools.map((pool) => pool.stats()) }
    },
    'pool.create': async ({ bricks, redundancy }) => node.create(bricks, redundancy),
    'pool.adopt': async ({ path, passphrase }) => ({ poolId: await node.adopt(path, passphrase) }),
    'pool.snapshots': async ({ poolId, after, limit }) => {
      const { snapshots } = await node.pool(poolId)
      const rows = snapshots.list()
      // One that has been deleted since: ids sort by time, as the list does.
      const known = rows.findIndex(({ row }) => row.id === after)
      const next = rows.findIndex(({ row }) => after !== null && row.id > after)
      const begin = after === null ? 0 : known >= 0 ? known + 1 : next < 0 ? rows.length : next
      const page = rows.slice(begin, begin + limit)
      return {
        snapshots: page.map(({ row, manifest }) => snapshots.describe(row, manifest)),
        more: begin + limit < rows.length,
      }
    },
    'pool.delete': async ({ poolId, snapshotIds }, { signal }) => {
      const { pool } = await node.pool(poolId)
      const deleted: string[] = []
      const refused: { snapshotId: string; code: string }[] = []
      for (const snapshotId of snapshotIds) {
        signal.throwIfAborted()
        try {
          await pool.deleteSnapshot(snapshotId as SnapshotId)
          deleted.push(snapshotId)
        } catch (error) {
          refused.push({ snapshotId, code: refusalOf(error) })
        }
      }
      return { deleted, refused }
    },
    'pool.lock': async ({ poolId, snapshotId, lockUntil }) => {
      const { pool } = await node.pool(poolId)
      await pool.extendLock(snapshotId as SnapshotId, pool.lockTime(new Date(lockUntil)))
      return {}
    },
    ...makeCareHandlers(node),
  }
}

/** Collecting and checking, which take long. */
function makeCareHandlers(node: Node): Required<Pick<OrderHandlers, 'pool.gc' | 'pool.check'>> {
  return {
    'pool.gc': async ({ poolId, approve }, { signal, progress }) => {
      const { pool } = await node.pool(poolId)
      const report = await pool.gc({ approve }, describeProgress(progress), signal)
      return {
        freedBytes: report.deletedBytes,
        condemned: report.condemnedPacks,
        waiting: report.waitingPacks,
      }
    },
    'pool.check': async ({ poolId, data, snapshotIds }, { signal, progress }) => {
      const opened = await node.pool(poolId)
      if (snapshotIds.length > 0) {
        const rows = snapshotIds.map((id) => requireSnapshot(opened, id).row)
        return checkSnapshots(opened.pool, rows, { data, signal, progress })
      }
      const level = data ? 'data' : 'structure'
      const report = await opened.pool.fsck({ level }, describeProgress(progress), signal)
      opened.badBlocks = report.problemCount - report.repairedCount
      const problems = report.problems
        .filter(({ repaired }) => !repaired)
        .map(({ what, message }) => `${what}: ${message}`)
      const affected = report.affected.map(({ id, message }) => `snapshot ${id}: ${message}`)
      return {
        problems: [...problems, ...affected]
          .slice(0, PROBLEMS_MAX)
          .map((text) => text.slice(0, 4096)),
        checkedBytes: report.bytesRead,
      }
    },
  }
}

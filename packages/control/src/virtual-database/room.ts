/**
 * Virtual databases that have no room to write any more: their quota is used up, or the disk of
 * their pool is. Seen within half a minute, told in words, and ended by more of either.
 */
import { type ErrorCode, isMaasError } from '@openmaas/kernel/errors'
import { formatBytes } from '@openmaas/kernel/units'
import type { Clock } from '@openmaas/kernel/clock'
import type { OrderGiver, Result } from '@openmaas/protocols/channel/orders'
import { appendEvent } from '../catalog/events.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { labelsOf, objectOf } from '../http/columns.ts'
import type { Trx } from '../http/handler-context.ts'
import type { VirtualDatabaseRow } from './rows.ts'

const TIMEOUT_MS = 20_000
export const FULL_CODE: ErrorCode = 'VIRTUAL_DATABASE_FULL'

type Served = Result<'medium.served'>['media'][number]
export type Limit = NonNullable<Served['full']>

export interface RoomWatchOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly orders: OrderGiver
}

/** Of every pool that a virtual database runs from. */
export async function lookAtClones(options: RoomWatchOptions, round: number): Promise<void> {
  const { catalog, clock, orders } = options
  const rows = await catalog.db
    .selectFrom('virtualDatabase')
    .selectAll()
    .where('mediumId', 'is not', null)
    .where('state', 'in', ['running', 'stopped', 'lost'])
    .where('endedAt', 'is', null)
    .execute()
  const pools = new Map(rows.map(({ poolId, nodeId }) => [poolId, nodeId]))
  for (const [poolId, nodeId] of pools) {
    if (!orders.isConnected(nodeId)) continue
    const key = `clone-watch:${poolId}:${clock.wallMs()}:${round}`
    try {
      const options_ = { key, timeoutMs: TIMEOUT_MS }
      const { media } = await orders.order(nodeId, 'medium.served', { poolId }, options_)
      const served = new Map(media.map((medium) => [medium.mediumId, medium]))
      for (const row of rows.filter((each) => each.poolId === poolId)) {
        const medium = served.get(row.mediumId!)
        if (medium === undefined) continue
        await catalog.transaction((trx) => noteRoom(trx, { clock, row, full: medium.full ?? null }))
      }
    } catch (error) {
      if (!isMaasError(error) || error.code === 'INTERNAL') throw error
    }
  }
}

/** What is told of it now; null: nothing of that kind. */
export function fullProblem(row: Pick<VirtualDatabaseRow, 'problemJson'>): {
  readonly limit: Limit
  /** There is room again: it can be started anew. */
  readonly over: boolean
} | null {
  if (row.problemJson === null) return null
  const { code, details } = objectOf(row.problemJson) as {
    code?: string
    details?: { limit?: Limit; over?: boolean }
  }
  if (code !== FULL_CODE) return null
  return { limit: details?.limit === 'disk' ? 'disk' : 'quota', over: details?.over === true }
}

async function noteRoom(
  trx: Trx,
  of: { readonly clock: Clock; readonly row: VirtualDatabaseRow; readonly full: Limit | null },
): Promise<void> {
  const { clock, row, full } = of
  const known = fullProblem(row)
  if (full === null && (known === null || known.over)) return
  if (full !== null && known?.limit === full && !known.over) return
  const limit = full ?? known!.limit
  const details = { limit, quotaBytes: row.quotaBytes, poolId: row.poolId, over: full === null }
  const problem = { code: FULL_CODE, message: wordsOf(row, limit), details }
  await trx
    .updateTable('virtualDatabase')
    .set({ problemJson: JSON.stringify(problem) })
    .where('id', '=', row.id)
    .execute()
  if (full === null) return
  const labels = labelsOf(row.labelsJson)
  const data = { ...details, name: row.name, hostId: row.hostId, createdBy: row.createdBy }
  const about = {
    topic: 'virtual-databases',
    type: 'virtual-database.full',
    subject: row.id,
  } as const
  await appendEvent(trx, { ...about, labels, data }, clock)
}

function wordsOf({ quotaBytes }: VirtualDatabaseRow, limit: Limit): string {
  if (limit === 'quota') {
    return (
      `it has written all of its quota of ${formatBytes(quotaBytes ?? 0)}, and its writes fail: ` +
      'raise it with "openmaas vdb extend --quota", and it goes on'
    )
  }
  return (
    'the disk of its pool is full, and its writes fail: free space there, and it goes on by ' +
    'itself; production, standbys and points are as they were'
  )
}

/** Where a source's points go: the pool it names, else where its last point is, else most room. */
import { MaasError } from '@openmaas/kernel/errors'
import type { Kysely } from 'kysely'
import type { CatalogTables } from '../../catalog/schema.ts'

export interface Place {
  readonly poolId: string
  readonly nodeId: string
}

interface Candidate extends Place {
  readonly freeBytes: number
}

function freeBytesOf(statsJson: string): number {
  const stats = JSON.parse(statsJson) as { readonly freeBytes?: unknown }
  return typeof stats.freeBytes === 'number' ? stats.freeBytes : 0
}

async function listCandidates(db: Kysely<CatalogTables>): Promise<Candidate[]> {
  const rows = await db
    .selectFrom('pool')
    .innerJoin('host', 'host.id', 'pool.nodeId')
    .select(['pool.id', 'pool.nodeId', 'pool.statsJson'])
    .where('pool.state', 'in', ['online', 'degraded'])
    .where('host.state', '!=', 'removed')
    .where('host.drained', '=', 0)
    .orderBy('pool.id')
    .execute()
  return rows.map((row) => ({
    poolId: row.id,
    nodeId: row.nodeId,
    freeBytes: freeBytesOf(row.statsJson),
  }))
}

/** @throws MaasError SOURCE_HAS_NO_POOL */
export async function choosePool(
  db: Kysely<CatalogTables>,
  source: { readonly id: string; readonly poolId: string | null },
): Promise<Place> {
  if (source.poolId !== null) {
    const { poolId } = source
    const row = await db
      .selectFrom('pool')
      .select('nodeId')
      .where('id', '=', poolId)
      .executeTakeFirst()
    if (row !== undefined) return { poolId, nodeId: row.nodeId }
    throw new MaasError('SOURCE_HAS_NO_POOL', 'the pool that the source names is gone', { poolId })
  }
  const candidates = await listCandidates(db)
  const last = await db
    .selectFrom('point')
    .select('poolId')
    .where('sourceId', '=', source.id)
    .where('state', '=', 'available')
    .orderBy('takenAt', 'desc')
    .limit(1)
    .executeTakeFirst()
  const same = candidates.find(({ poolId }) => poolId === last?.poolId)
  const roomiest = candidates.toSorted((first, second) => second.freeBytes - first.freeBytes)[0]
  const chosen = same ?? roomiest
  if (chosen === undefined) {
    throw new MaasError('SOURCE_HAS_NO_POOL', 'no pool takes new points', { sourceId: source.id })
  }
  return { poolId: chosen.poolId, nodeId: chosen.nodeId }
}

/** @throws MaasError POOL_NOT_FOUND */
export async function nodeOfPool(db: Kysely<CatalogTables>, poolId: string): Promise<string> {
  const row = await db
    .selectFrom('pool')
    .select('nodeId')
    .where('id', '=', poolId)
    .executeTakeFirst()
  if (row === undefined) throw new MaasError('POOL_NOT_FOUND', 'no such pool', { poolId })
  return row.nodeId
}

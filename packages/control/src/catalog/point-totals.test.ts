/** The sums over points are right whatever happens to the points. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { describeBothCatalogs } from './both-catalogs.test-support.ts'
import type { Catalog } from './catalog.ts'

const DAY_MS = 86_400_000
const STATES = ['available', 'deleting', 'deleted', 'missing'] as const

function makePoint(number: number, random: SeededRandom) {
  return {
    id: `pnt_${number}`,
    sourceId: `src_${random.below(3)}`,
    hostId: 'hst_1',
    poolId: `pol_${random.below(2)}`,
    snapshotId: `snp_${number}`,
    kind: 'tree' as const,
    consistency: 'files' as const,
    takenAt: random.below(5) * DAY_MS + random.below(DAY_MS),
    sizeBytes: random.below(1000),
    addedBytes: random.below(100),
    itemCount: 1,
    warningCount: 0,
    state: STATES[random.below(4)]!,
    reasonsJson: '[]',
    labelsJson: '{}',
  }
}

async function counted(catalog: Catalog): Promise<unknown> {
  const result = await sql`select source_id, pool_id, state, count(*) as point_count,
    sum(size_bytes) as size_bytes, sum(added_bytes) as added_bytes
    from point group by 1, 2, 3 order by 1, 2, 3`.execute(catalog.db)
  return result.rows
}
async function kept(catalog: Catalog): Promise<unknown> {
  return catalog.db
    .selectFrom('pointTotal')
    .selectAll()
    .where('pointCount', '>', 0)
    .orderBy('sourceId')
    .orderBy('poolId')
    .orderBy('state')
    .execute()
}

describeBothCatalogs('sums over points', (make) => {
  test('are those of the points, after any number of changes', async () => {
    const catalog = await make()
    const random = new SeededRandom(5)
    for (let i = 0; i < 200; i += 1) {
      await catalog.db.insertInto('point').values(makePoint(i, random)).execute()
      const id = `pnt_${random.below(i + 1)}`
      const change = random.below(4)
      if (change === 0) await catalog.db.deleteFrom('point').where('id', '=', id).execute()
      if (change === 1) {
        const state = STATES[random.below(4)]!
        await catalog.db.updateTable('point').set({ state }).where('id', '=', id).execute()
      }
      if (change === 2) {
        await catalog.db
          .updateTable('point')
          .set({ state: 'deleted' })
          .where('sourceId', '=', 'src_1')
          .execute()
      }
    }
    expect(await kept(catalog)).toEqual(await counted(catalog))
  })

  test('by day are those of the day it was taken, and deletion does not rewrite history', async () => {
    const catalog = await make()
    const random = new SeededRandom(6)
    const points = Array.from({ length: 50 }, (_, i) => makePoint(i, random))
    await catalog.db.insertInto('point').values(points).execute()
    await catalog.db.deleteFrom('point').where('poolId', '=', 'pol_0').execute()
    const rows = await catalog.db.selectFrom('pointDay').selectAll().execute()
    for (const row of rows) {
      const own = points.filter(
        (point) => Math.floor(point.takenAt / DAY_MS) === row.day && point.poolId === row.poolId,
      )
      expect(row.pointCount).toBe(own.length)
      expect(row.addedBytes).toBe(own.reduce((sum, point) => sum + point.addedBytes, 0))
    }
    expect(rows.reduce((sum, row) => sum + row.pointCount, 0)).toBe(50)
  })
})

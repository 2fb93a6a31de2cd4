/** A list read page by page is the list. */
import { expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { describeBothCatalogs } from './both-catalogs.test-support.ts'
import type { Catalog } from './catalog.ts'
import { loadPage } from './page.ts'
import type { PageRequest } from './page.ts'

const COUNT = 57

async function fill(catalog: Catalog): Promise<void> {
  const random = new SeededRandom(7)
  const rows = Array.from({ length: COUNT }, (_, i) => ({
    id: `src_${String(i).padStart(3, '0')}`,
    name: `name ${random.below(9)}`,
    hostId: `hst_${i}`,
    kind: 'files' as const,
    path: '/',
    optionsJson: '{}',
    labelsJson: '{}',
    paused: 0,
    // Many equal ones, and many that never succeeded.
    lastSuccessAt: random.below(3) === 0 ? null : random.below(5),
    createdAt: random.below(10),
    version: 1,
  }))
  await catalog.db.insertInto('source').values(rows).execute()
}

async function readAll(catalog: Catalog, request: Omit<PageRequest<'source'>, 'table'>) {
  const ids: string[] = []
  const values: (string | number | null)[] = []
  let cursor: string | undefined
  for (;;) {
    const query = catalog.db.selectFrom('source').selectAll()
    const page = await loadPage(query, { table: 'source', ...request, cursor })
    ids.push(...page.rows.map((row) => row.id))
    values.push(...page.rows.map((row) => row[request.sort]))
    if (page.next === null) return { ids, values }
    cursor = page.next
  }
}

describeBothCatalogs('pages of a list', (make) => {
  for (const descending of [false, true]) {
    for (const sort of ['name', 'createdAt', 'lastSuccessAt'] as const) {
      const way = descending ? 'downwards' : 'upwards'
      test(`hold every row once, by ${sort} ${way}, whatever the size of a page`, async () => {
        const catalog = await make()
        await fill(catalog)
        const nullable = sort === 'lastSuccessAt'
        const whole = await readAll(catalog, { sort, descending, nullable, limit: 1000 })
        expect(new Set(whole.ids).size).toBe(COUNT)
        const ranks = whole.values.map((value) => value ?? -1)
        const sorted = ranks.toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0))
        expect(ranks).toEqual(descending ? sorted.toReversed() : sorted)
        for (const limit of [1, 7, COUNT - 1, COUNT]) {
          expect((await readAll(catalog, { sort, descending, nullable, limit })).ids).toEqual(
            whole.ids,
          )
        }
      })
    }
  }

  test('refuse a cursor of another list, of another order, or of nobody', async () => {
    const catalog = await make()
    await fill(catalog)
    const sources = catalog.db.selectFrom('source').selectAll()
    const first = { table: 'source', sort: 'name', descending: false, limit: 5 } as const
    const { next } = await loadPage(sources, first)
    const others = [
      loadPage(sources, { ...first, descending: true, cursor: next! }),
      loadPage(sources, { ...first, sort: 'createdAt', cursor: next! }),
      loadPage(catalog.db.selectFrom('pool').selectAll(), {
        ...first,
        table: 'pool',
        cursor: next!,
      }),
      loadPage(sources, { ...first, cursor: 'bm9uc2Vuc2U' }),
      loadPage(sources, { ...first, cursor: Buffer.from('[1,{},[]]').toString('base64url') }),
    ]
    for (const other of others)
      await expect(other).rejects.toMatchObject({ code: 'REQUEST_INVALID' })
  })
})

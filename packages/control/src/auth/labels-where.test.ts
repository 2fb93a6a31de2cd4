import fc from 'fast-check'
import { expect, test } from 'vitest'
import { matchesLabels } from '@openmaas/api/permissions'
import type { LabelSelector, Labels } from '@openmaas/api/permissions'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { labelsWhere } from './labels-where.ts'

async function select(catalog: Catalog, selector: LabelSelector | null): Promise<string[]> {
  const rows = await catalog.db
    .selectFrom('event')
    .select('subject')
    .where(labelsWhere('labelsJson', selector, catalog.dialect))
    .orderBy('seq')
    .execute()
  return rows.map((row) => row.subject)
}

async function fill(catalog: Catalog, all: readonly Labels[]): Promise<void> {
  await catalog.db.deleteFrom('event').execute()
  if (all.length === 0) return
  const rows = all.map((labels, index) => ({
    at: 0,
    topic: 'jobs',
    type: 'x',
    subject: String(index),
    labelsJson: JSON.stringify(labels),
    dataJson: '{}',
  }))
  await catalog.db.insertInto('event').values(rows).execute()
}

const key = fc.constantFrom('env', 'a.b/c-d_e', 'Env', 'toString')
const value = fc.constantFrom('prod', 'Prod', '', '%', `it's "so"`, '中文', '\\')
const labels = fc.dictionary(key, value, { maxKeys: 3, noNullPrototype: true })
const selector = fc.option(
  fc.dictionary(key, fc.oneof(value, fc.array(value, { maxLength: 3 })), {
    maxKeys: 2,
    noNullPrototype: true,
  }),
)

describeBothCatalogs('a scope as SQL', (make) => {
  test('shows exactly what matchesLabels matches', async () => {
    const catalog = await make()
    const cases = fc.asyncProperty(
      fc.array(labels, { maxLength: 8 }),
      selector,
      async (all, one) => {
        await fill(catalog, all)
        const expected = all.flatMap((each, i) => (matchesLabels(one, each) ? [String(i)] : []))
        expect(await select(catalog, one)).toEqual(expected)
      },
    )
    await fc.assert(cases, { numRuns: 60 })
  })
})

/** What only SQLite can meet: a disk without space. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { openCatalog } from './catalog.ts'

const row = (id: number) => ({
  id: String(id),
  name: String(id),
  sealed: 'x'.repeat(10_000),
  createdAt: 1,
})

test('without space a transaction says so, has done nothing, and works again later', async () => {
  await using catalog = await openCatalog({ url: 'sqlite::memory:', clock: new FakeClock() })
  await sql`pragma max_page_count = 1`.execute(catalog.db)
  const insert = () =>
    catalog.transaction(async (trx) => {
      for (let id = 0; id < 100; id += 1) await trx.insertInto('secret').values(row(id)).execute()
    })
  await expect(insert()).rejects.toMatchObject({ code: 'FS_NO_SPACE' })
  expect(await catalog.db.selectFrom('secret').selectAll().execute()).toEqual([])
  await sql`pragma max_page_count = 1000000`.execute(catalog.db)
  await insert()
  expect(await catalog.db.selectFrom('secret').selectAll().execute()).toHaveLength(100)
})

/** Schemas go forward one step at a time, and never over a newer one. */
import { sql } from 'kysely'
import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { describeBothCatalogs } from './both-catalogs.test-support.ts'
import { openCatalog } from './catalog.ts'
import type { Catalog } from './catalog.ts'
import { migrate, SCHEMA_VERSION } from './migrate.ts'
import type { Migration } from './migrations/migration.ts'

/** Those of the product, which every catalog has when it is open. */
const placeholders: Migration[] = Array.from({ length: SCHEMA_VERSION }, (_, i) => ({
  version: i + 1,
  name: 'placeholder',
  apply: () => Promise.resolve(),
}))
const addColumn: Migration = {
  version: SCHEMA_VERSION + 1,
  name: 'column',
  apply: async (db) => {
    await db.schema.alterTable('secret').addColumn('note', 'text').execute()
  },
}
const failing: Migration = {
  version: SCHEMA_VERSION + 1,
  name: 'failing',
  apply: async (db) => {
    await addColumn.apply(db, 'sqlite')
    throw new Error('half way')
  },
}
const run = (catalog: Catalog, migrations: readonly Migration[]): Promise<void> =>
  migrate((body) => catalog.transaction(body), catalog.dialect, migrations)
const readNotes = (catalog: Catalog): Promise<unknown> =>
  sql`select note from secret`.execute(catalog.db)

describeBothCatalogs('migrations', (make) => {
  test('are done once: opening again changes nothing', async () => {
    const catalog = await make()
    await run(catalog, placeholders)
    const row = await catalog.db
      .selectFrom('meta')
      .select('value')
      .where('key', '=', 'schema.version')
      .executeTakeFirst()
    expect(row).toEqual({ value: String(SCHEMA_VERSION) })
  })

  test('go on from where the catalog is', async () => {
    const catalog = await make()
    await Promise.all([
      run(catalog, [...placeholders, addColumn]),
      run(catalog, [...placeholders, addColumn]),
    ])
    expect(await readNotes(catalog)).toMatchObject({ rows: [] })
  })

  test('refuse a catalog of a newer version and leave it as it is', async () => {
    const catalog = await make()
    await run(catalog, [...placeholders, addColumn])
    await expect(run(catalog, placeholders)).rejects.toMatchObject({
      code: 'CATALOG_NEWER',
      details: { version: SCHEMA_VERSION + 1, known: SCHEMA_VERSION },
    })
  })

  test('leave nothing of a step that fails', async () => {
    const catalog = await make()
    await expect(run(catalog, [...placeholders, failing])).rejects.toThrow('half way')
    await expect(readNotes(catalog)).rejects.toThrow(/note/)
    await run(catalog, [...placeholders, addColumn])
  })
})

test('a file that is no catalog, or no file at all, is refused with what to do', async () => {
  using directory = new TemporaryDirectory()
  writeFileSync(
    directory.join('text'),
    'this is a letter to my grandmother, not a catalog'.repeat(200),
  )
  const clock = new FakeClock()
  const corrupt = openCatalog({ url: `sqlite:${directory.join('text')}`, clock })
  await expect(corrupt).rejects.toMatchObject({ code: 'CATALOG_CORRUPT' })
  const missing = openCatalog({ url: `sqlite:${directory.join('no/such/catalog.db')}`, clock })
  await expect(missing).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' })
  const unreachable = openCatalog({ url: `postgres://x@localhost/x?host=${directory.path}`, clock })
  await expect(unreachable).rejects.toMatchObject({ code: 'CATALOG_UNAVAILABLE' })
  await expect(openCatalog({ url: 'mysql://x', clock })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  })
})

test('a catalog in a file is there again when it is opened again', async () => {
  using directory = new TemporaryDirectory()
  const options = { url: `sqlite:${directory.join('catalog.db')}`, clock: new FakeClock() }
  {
    await using catalog = await openCatalog(options)
    await catalog.db.insertInto('meta').values({ key: 'server.id', value: '7' }).execute()
    expect(await sql`pragma journal_mode`.execute(catalog.db)).toMatchObject({
      rows: [{ journalMode: 'wal' }],
    })
    expect(await sql`pragma synchronous`.execute(catalog.db)).toMatchObject({
      rows: [{ synchronous: 2 }],
    })
  }
  await using catalog = await openCatalog(options)
  const row = await catalog.db
    .selectFrom('meta')
    .selectAll()
    .where('key', '=', 'server.id')
    .executeTakeFirst()
  expect(row).toEqual({ key: 'server.id', value: '7' })
})

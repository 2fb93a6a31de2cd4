/** What is exported from either dialect is what the other one holds after the import. */
import { readFileSync, statSync, writeFileSync, existsSync } from 'node:fs'
import { sql } from 'kysely'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { describeBothCatalogs } from './both-catalogs.test-support.ts'
import { openCatalog } from './catalog.ts'
import type { Catalog } from './catalog.ts'
import { appendEvent } from './events.ts'
import { exportCatalog } from './export.ts'
import { importCatalog } from './import.ts'
import { fillCatalog } from './sample-catalog.test-support.ts'
import { EXPORTED_TABLE_NAMES } from './tables.ts'

const clock = new FakeClock()
let directory: TemporaryDirectory
beforeEach(() => {
  directory = new TemporaryDirectory()
})
afterEach(() => directory.dispose())

async function dump(catalog: Catalog): Promise<Record<string, unknown[]>> {
  const result: Record<string, unknown[]> = {}
  for (const table of EXPORTED_TABLE_NAMES) {
    const all = sql<{ key?: string }>`select * from ${sql.table(table)} order by 1, 2`
    const { rows } = await all.execute(catalog.db)
    result[table] = rows.filter((row) => row.key !== 'schema.version')
  }
  return result
}

describeBothCatalogs('an export of the catalog', (make) => {
  test('restores into either dialect, row for row', async () => {
    const from = await make(clock)
    await fillCatalog(from)
    const path = directory.join('export.jsonl')
    const { rows, bytes } = await exportCatalog(from, path)
    expect(statSync(path)).toMatchObject({ size: bytes, mode: 0o100600 })
    await using sqlite = await openCatalog({ url: 'sqlite::memory:', clock })
    const same = await make(clock)
    for (const into of [sqlite, same]) {
      expect(await importCatalog(into, path)).toBe(rows)
      expect(await dump(into)).toEqual(await dump(from))
      await into.transaction((trx) =>
        appendEvent(trx, { topic: 'jobs', type: 't', subject: 's', labels: {}, data: {} }, clock),
      )
    }
    const again = directory.join('again.jsonl')
    await exportCatalog(same, again)
    expect(readFileSync(again, 'utf8').split('\n').length).toBe(rows + 4)
  })

  test('is of one moment, whatever is written meanwhile', async () => {
    const catalog = await make(clock)
    await fillCatalog(catalog)
    const path = directory.join('export.jsonl')
    const exporting = exportCatalog(catalog, path)
    const writing = catalog.transaction(async (trx) => {
      await trx.updateTable('source').set({ name: 'changed' }).where('id', '=', 'src_1').execute()
      await trx.deleteFrom('sample').execute()
    })
    const [{ rows }] = await Promise.all([exporting, writing])
    await using into = await openCatalog({ url: 'sqlite::memory:', clock })
    expect(await importCatalog(into, path)).toBe(rows)
  })

  test('replaces what a fresh catalog has, but not its hosts', async () => {
    const from = await make(clock)
    await fillCatalog(from)
    const path = directory.join('export.jsonl')
    await exportCatalog(from, path)
    const into = await make(clock)
    await fillCatalog(into, { only: ['user', 'host'] })
    await into.db.updateTable('user').set({ id: 'usr_fresh' }).execute()
    await into.db
      .updateTable('host')
      .set({ name: 'said just now' })
      .where('id', '=', 'hst_1')
      .execute()
    await importCatalog(into, path)
    expect(await into.db.selectFrom('user').select('id').execute()).toEqual([{ id: 'usr_1' }])
    const host = await into.db
      .selectFrom('host')
      .select('name')
      .where('id', '=', 'hst_1')
      .executeTakeFirst()
    expect(host).toEqual({ name: 'said just now' })
  })

  test('is not put over a catalog in use', async () => {
    const catalog = await make(clock)
    await fillCatalog(catalog)
    const path = directory.join('export.jsonl')
    await exportCatalog(catalog, path)
    await expect(importCatalog(catalog, path)).rejects.toMatchObject({ code: 'CATALOG_NOT_EMPTY' })
    await expect(exportCatalog(catalog, path)).rejects.toMatchObject({ code: 'FS_EXISTS' })
  })

  test('that is damaged anywhere leaves the catalog as it was', async () => {
    const from = await make(clock)
    await fillCatalog(from)
    const path = directory.join('export.jsonl')
    await exportCatalog(from, path)
    const text = readFileSync(path, 'utf8')
    const lines = text.split('\n')
    const damages = {
      'cut off in a line': text.slice(0, -100),
      'cut off between lines': lines.slice(0, -2).join('\n') + '\n',
      'without one line': lines.toSpliced(5, 1).join('\n'),
      'with another value': text.replace('"crash"', '"trash"'),
      'with an unknown table': text.replace('["user",', '["users",'),
      'without a header': lines.slice(1).join('\n'),
      'with more after its end': `${text}["secret",{}]\n`,
      empty: '',
    }
    const into = await make(clock)
    for (const [what, damaged] of Object.entries(damages)) {
      expect(damaged, what).not.toBe(text)
      writeFileSync(path, damaged)
      await expect(importCatalog(into, path), what).rejects.toMatchObject({
        code: 'CATALOG_EXPORT_INVALID',
      })
    }
    writeFileSync(path, text.replace(/"schema":\d+/, '"schema":99'))
    await expect(importCatalog(into, path)).rejects.toMatchObject({ code: 'CATALOG_NEWER' })
    for (const rows of Object.values(await dump(into))) expect(rows).toEqual([])
  })

  test('that is given up leaves no file behind', async () => {
    const catalog = await make(clock)
    await fillCatalog(catalog)
    const path = directory.join('export.jsonl')
    await expect(exportCatalog(catalog, path, AbortSignal.abort())).rejects.toThrow(/abort/i)
    expect(existsSync(path)).toBe(false)
  })
})

test('a catalog in a file is exported while it is written to', async () => {
  await using catalog = await openCatalog({ url: `sqlite:${directory.join('catalog.db')}`, clock })
  await fillCatalog(catalog)
  const path = directory.join('export.jsonl')
  await catalog.snapshot(async (db) => {
    const before = await db.selectFrom('source').select('name').where('id', '=', 'src_1').execute()
    await catalog.db
      .updateTable('source')
      .set({ name: 'changed' })
      .where('id', '=', 'src_1')
      .execute()
    expect(
      await db.selectFrom('source').select('name').where('id', '=', 'src_1').execute(),
    ).toEqual(before)
  })
  await exportCatalog(catalog, path)
  expect(readFileSync(path, 'utf8')).toContain('"changed"')
})

/** The catalog keeps what it is told, the same way on both dialects. */
import { sql } from 'kysely'
import { expect, test } from 'vitest'
import type { Catalog } from './catalog.ts'
import { describeBothCatalogs } from './both-catalogs.test-support.ts'

const secret = (id: string): { id: string; name: string; sealed: string; createdAt: number } => ({
  id,
  name: id,
  sealed: 'x',
  createdAt: Date.UTC(2026, 0, 1),
})
async function listSecrets(catalog: Catalog): Promise<string[]> {
  const rows = await catalog.db.selectFrom('secret').select('id').orderBy('id').execute()
  return rows.map((row) => row.id)
}

describeBothCatalogs('the catalog', (make) => {
  test('gives back numbers as numbers, sums and counts too', async () => {
    const catalog = await make()
    const value = 4 * 2 ** 50
    await catalog.db
      .insertInto('sample')
      .values({ name: 'a', subject: 'b', at: value, value: 0.5 })
      .execute()
    await catalog.db
      .insertInto('sample')
      .values({ name: 'a', subject: 'b', at: 1, value: 2 })
      .execute()
    const row = await catalog.db
      .selectFrom('sample')
      .select((e) => [
        e.fn.max('at').as('at'),
        e.fn.sum<number>('value').as('sum'),
        e.fn.countAll<number>().as('count'),
      ])
      .executeTakeFirstOrThrow()
    expect(row).toEqual({ at: value, sum: 2.5, count: 2 })
    const sum = await catalog.db
      .selectFrom('sample')
      .select((e) => e.fn.sum<number>('at').as('sum'))
      .executeTakeFirst()
    expect(sum).toEqual({ sum: value + 1 })
  })

  test('rounds a sum that no number holds exactly, instead of failing', async () => {
    const catalog = await make()
    const rows = [1, 2, 3].map((seq) => ({
      name: 'a',
      subject: 'b',
      at: 4 * 2 ** 50 + seq,
      value: 0,
    }))
    await catalog.db.insertInto('sample').values(rows).execute()
    const query = catalog.db.selectFrom('sample').select((e) => e.fn.sum<number>('at').as('sum'))
    expect(await query.executeTakeFirst()).toEqual({ sum: 12 * 2 ** 50 + 6 })
    expect(await query.where('at', '=', 4 * 2 ** 50 + 1).executeTakeFirst()).toEqual({
      sum: 4 * 2 ** 50 + 1,
    })
  })

  test('keeps all of a transaction or nothing', async () => {
    const catalog = await make()
    await catalog.transaction((trx) => trx.insertInto('secret').values(secret('sec_1')).execute())
    const failing = catalog.transaction(async (trx) => {
      await trx.insertInto('secret').values(secret('sec_2')).execute()
      throw new Error('no')
    })
    await expect(failing).rejects.toThrow('no')
    expect(await listSecrets(catalog)).toEqual(['sec_1'])
  })

  test('lets one transaction write at a time: what it has read stays true', async () => {
    const catalog = await make()
    await catalog.db.insertInto('meta').values({ key: 'count', value: '0' }).execute()
    const addOne = (): Promise<void> =>
      catalog.transaction(async (trx) => {
        const row = await trx
          .selectFrom('meta')
          .select('value')
          .where('key', '=', 'count')
          .executeTakeFirstOrThrow()
        await trx
          .updateTable('meta')
          .set({ value: String(Number(row.value) + 1) })
          .where('key', '=', 'count')
          .execute()
      })
    await Promise.all(Array.from({ length: 20 }, addOne))
    const row = await catalog.db
      .selectFrom('meta')
      .select('value')
      .where('key', '=', 'count')
      .executeTakeFirst()
    expect(row).toEqual({ value: '20' })
  })

  test('refuses a query beside the transaction it is in, instead of waiting for itself', async () => {
    const catalog = await make()
    await expect(catalog.transaction(() => listSecrets(catalog))).rejects.toThrow(
      /goes through the transaction/,
    )
    const nested = catalog.transaction(() => catalog.transaction(() => Promise.resolve()))
    await expect(nested).rejects.toThrow(/not begun within another/)
    expect(await listSecrets(catalog)).toEqual([])
  })

  test('tells about each commit, and not about what was rolled back', async () => {
    const catalog = await make()
    let commits = 0
    const release = catalog.onCommit(() => {
      commits += 1
    })
    await catalog.transaction((trx) => trx.insertInto('secret').values(secret('sec_1')).execute())
    await expect(catalog.transaction(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(commits).toBe(1)
    release()
    await catalog.transaction((trx) => trx.deleteFrom('secret').execute())
    expect(commits).toBe(1)
  })

  test('allows one active job and one firing alert for each key', async () => {
    const catalog = await make()
    const alert = {
      rule: 'r',
      key: 'k',
      severity: 'info',
      subject: 's',
      labelsJson: '{}',
      paramsJson: '{}',
      openedAt: 1,
      seenAt: 1,
    } as const
    await catalog.db
      .insertInto('alert')
      .values({ ...alert, id: 'alr_1', state: 'resolved' })
      .execute()
    await catalog.db
      .insertInto('alert')
      .values({ ...alert, id: 'alr_2', state: 'firing' })
      .execute()
    await expect(
      catalog.db
        .insertInto('alert')
        .values({ ...alert, id: 'alr_3', state: 'firing' })
        .execute(),
    ).rejects.toThrow(/unique/i)
  })

  test('removes what is nothing without its parent', async () => {
    const catalog = await make()
    await catalog.db
      .insertInto('webhook')
      .values({
        id: 'whk_1',
        name: 'w',
        url: 'u',
        secretSealed: '',
        topicsJson: '[]',
        enabled: 1,
        lastSeq: 0,
        createdAt: 1,
        version: 1,
      })
      .execute()
    await catalog.db
      .insertInto('delivery')
      .values({
        id: 'd',
        webhookId: 'whk_1',
        eventSeq: 1,
        state: 'waiting',
        attempts: 0,
        nextAt: 0,
        createdAt: 1,
      })
      .execute()
    await catalog.db.deleteFrom('webhook').execute()
    expect(await catalog.db.selectFrom('delivery').selectAll().execute()).toEqual([])
    await expect(
      catalog.db
        .insertInto('delivery')
        .values({
          id: 'd',
          webhookId: 'whk_1',
          eventSeq: 1,
          state: 'waiting',
          attempts: 0,
          nextAt: 0,
          createdAt: 1,
        })
        .execute(),
    ).rejects.toThrow(/foreign key/i)
  })

  test('finds its statements again after many different ones', async () => {
    const catalog = await make()
    for (let i = 0; i < 600; i += 1) await sql`select ${sql.lit(i)} as n`.execute(catalog.db)
    expect(await sql`select ${sql.lit(3)} as n`.execute(catalog.db)).toMatchObject({
      rows: [{ n: 3 }],
    })
  })
})

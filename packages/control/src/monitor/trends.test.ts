/** How the days before went: from what captures and the monitor left in the catalog. */
import { expect, test } from 'vitest'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import type { HandlerRequest } from '../http/handler.ts'
import { addHost, addPolicy, addSource } from '../job/kinds/hosts.test-support.ts'
import { DAY_MS, HOUR_MS } from '../policy/zone.ts'
import { SYSTEM } from '@openmaas/api/permissions'
import { recordSourceDay } from './anomaly/source-days.ts'
import { makeSite } from './monitor.test-support.ts'
import { keptByDay, makeTrendHandlers, recordKept } from './trends.ts'

const SOURCE = 'src_01HZZZZZZZZZZZZZZZZZZZZZZZ'

test('a day is kept for as long as its newest capture is young enough, overlaps once', () => {
  const from = 10 * DAY_MS
  const now = from + DAY_MS + 12 * HOUR_MS
  const captures = [from - HOUR_MS, from, from + HOUR_MS, from + 30 * HOUR_MS].map((at) => ({ at }))
  const shares = keptByDay(captures, { from, now, rpoMs: 6 * HOUR_MS }).map(({ share }) => share)
  expect(shares).toEqual([7 / 24, 6 / 12])
})

describeBothCatalogs('trends', (make) => {
  test('the share of promises that are kept is measured once an hour, and shown by day', async () => {
    const { catalog, clock } = await makeSite(make)
    const handlers = makeTrendHandlers({ catalog, clock })
    const board = (states: readonly string[]) => {
      const rows = states.map((state, n) => [String(n), { state, rpoMs: 1 }])
      return { at: clock.wallMs(), rows: new Map(rows as never), policies: null } as never
    }
    const read = async () => {
      const request = { principal: SYSTEM, query: { days: 30 } } as HandlerRequest<'getTrends'>
      return (await handlers.getTrends(request)).body.kept.map(({ share }) => share)
    }
    expect(await read()).toEqual([])
    await recordKept(catalog, board(['compliant', 'violated']))
    await recordKept(catalog, board(['violated']))
    expect(await read()).toEqual([0.5])
    clock.advance(DAY_MS)
    await recordKept(catalog, board(['compliant', 'at-risk', 'paused']))
    expect(await read()).toEqual([0.5, 1])
    await recordKept(catalog, board([]))
    expect(await read()).toEqual([0.5, 1])
  })

  test('a source shows what changed on each day, and how its promise was kept', async () => {
    const { catalog, clock } = await makeSite(make)
    await addHost(catalog, 'hst_1', 'agent')
    await addSource(catalog, SOURCE, 'hst_1', { env: 'prod' })
    const { getSourceTrend } = makeTrendHandlers({ catalog, clock })
    const ask = async (sourceId: string) => {
      const request = { params: { sourceId }, query: { days: 2 } }
      return (await getSourceTrend(request as HandlerRequest<'getSourceTrend'>)).body
    }
    expect(await ask(SOURCE)).toEqual({ days: [], kept: [] })
    await addPolicy(catalog, 'plc_1', { rpo: '1d' })
    const at = clock.wallMs()
    const sizes = { addedBytes: 10, readBytes: 20, sizeBytes: 100 }
    await catalog.transaction(async (trx) => {
      await recordSourceDay(trx, { sourceId: SOURCE, at, ...sizes })
      await trx
        .insertInto('sample')
        .values({ name: 'point.added', subject: SOURCE, at, value: 10 })
        .execute()
    })
    clock.advance(6 * HOUR_MS)
    const { days, kept } = await ask(SOURCE)
    expect(days).toMatchObject([{ ...sizes, anomalies: [] }])
    expect(kept.at(-1)).toMatchObject({ share: 1 })
    await expect(ask('src_2')).rejects.toMatchObject({ code: 'OBJECT_NOT_FOUND' })
  })
})

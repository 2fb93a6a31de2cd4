/** What the monitor shows: over the API, to /readyz, and soon after something has happened. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Principal } from '@openmaas/api/permissions'
import { SeededRandom } from '@openmaas/kernel/random'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import { openCatalog } from '../catalog/catalog.ts'
import { appendEvent } from '../catalog/events.ts'
import { makeTestServer } from '../http/server.test-support.ts'
import { makeHealthChecks } from './health.ts'
import { GIB, makeSite, statsJson } from './monitor.test-support.ts'
import type { MonitoredSite } from './monitor.test-support.ts'
import { Monitor } from './monitor.ts'

const DAY_MS = 86_400_000
const SOURCE = 'src_01HZZZZZZZZZZZZZZZZZZZZZZZ'
const POOL = 'pol_01HZZZZZZZZZZZZZZZZZZZZZZZ'

async function serve(site: MonitoredSite) {
  const { catalog, clock, monitor } = site
  const served = await makeTestServer(() => monitor.handlers, {
    catalog,
    clock,
    checks: monitor.checks,
    metrics: {
      ...monitor.metrics,
      public: false,
    },
  })
  const red: Principal = { actor: 'user:usr_red', roles: ['operator'], scope: { tenant: 'red' } }
  served.callers.set('red', red)
  served.callers.set('nobody', { actor: 'user:usr_none', roles: [], scope: null })
  const ask = async (method: 'GET' | 'POST', url: string, as = 'admin', body?: object) => {
    const headers = { 'x-test-as': as, 'accept-language': 'zh-CN' }
    const given = body === undefined ? {} : { payload: body }
    const answer = await served.server.app.inject({ method, url, headers, ...given })
    return { status: answer.statusCode, text: answer.body }
  }
  return { served, ask }
}

describeBothCatalogs('the monitor over the API', (make) => {
  test('lists alerts with cause and next step in the language of the reader', async () => {
    const site = await makeSite(make)
    await site.addHost({ labelsJson: '{"tenant":"blue"}' })
    await site.addSource({ id: SOURCE, labelsJson: '{"tenant":"red"}' })
    await site.addPool({ id: POOL, state: 'degraded' })
    await site.pass(11, () => site.renewLease())
    const { ask } = await serve(site)
    const all = await ask('GET', '/api/v1/alerts?filter[state]=firing&sort=openedAt')
    const { items } = JSON.parse(all.text) as { items: Record<string, unknown>[] }
    expect(items.map(({ rule }) => rule)).toEqual(
      expect.arrayContaining(['source-unprotected', 'pool-degraded']),
    )
    const alert = items.find(({ rule }) => rule === 'source-unprotected')!
    expect(alert).toMatchObject({ subject: SOURCE, severity: 'warning', acknowledgedBy: null })
    expect(alert['title']).toBe('web 上的 data 未受保护')
    const seen = await ask('GET', '/api/v1/alerts', 'red')
    expect(JSON.parse(seen.text)).toMatchObject({ items: [{ id: alert['id'] }], next: null })
    const none = await ask('GET', '/api/v1/alerts?filter[severity]=info')
    expect(JSON.parse(none.text)).toEqual({ items: [], next: null })
  })

  test('an alert is acknowledged by name, with a row of audit and an event', async () => {
    const site = await makeSite(make)
    await site.addSource({ id: SOURCE, labelsJson: '{"tenant":"red"}' })
    await site.addPool({ id: POOL, state: 'degraded' })
    await site.pass(11, () => site.renewLease())
    const { ask } = await serve(site)
    const ids = await site.catalog.db.selectFrom('alert').select(['id', 'rule']).execute()
    const own = ids.find(({ rule }) => rule === 'source-unprotected')!.id
    const foreign = ids.find(({ rule }) => rule === 'pool-degraded')!.id
    const url = `/api/v1/alerts/${own}`
    const answer = await ask('POST', `${url}/acknowledge`, 'red', { note: 'on it' })
    expect(answer.status).toBe(200)
    expect(JSON.parse((await ask('GET', `${url}`, 'red')).text)).toMatchObject({
      acknowledgedBy: 'user:usr_red',
      state: 'firing',
    })
    expect((await ask('POST', `/api/v1/alerts/${foreign}/acknowledge`, 'red', {})).status).toBe(404)
    const audited = await site.catalog.db.selectFrom('audit').selectAll().execute()
    expect(audited.at(-1)).toMatchObject({
      action: 'acknowledgeAlert',
      object: own,
      reason: 'on it',
    })
    const events = await site.events.since(0, { topics: ['alerts'] })
    expect(events.at(-1)).toMatchObject({ type: 'alert.acknowledged', subject: own })
    // It stays acknowledged, and ends as any.
    await site.pass(1, () => site.renewLease())
    const open = await ask('GET', '/api/v1/alerts?filter[acknowledged]=true')
    expect(JSON.parse(open.text)).toMatchObject({ items: [{ id: own, state: 'firing' }] })
  })

  test('a silent alert says until when, by whom and why, and calls for nobody until then', async () => {
    const site = await makeSite(make)
    await site.addPool({ id: POOL, state: 'degraded' })
    await site.pass(11, () => site.renewLease())
    const { ask } = await serve(site)
    const { id } = await site.catalog.db.selectFrom('alert').select('id').executeTakeFirstOrThrow()
    const url = `/api/v1/alerts/${id}`
    const until = (ms: number): string => new Date(site.clock.wallMs() + ms).toISOString()
    const silence = (body: object) => ask('POST', `${url}/silence`, 'admin', body)
    expect((await silence({ until: until(-1), reason: 'late' })).status).toBe(422)
    expect((await silence({ until: until(91 * DAY_MS), reason: 'for ever' })).status).toBe(422)
    expect((await silence({ until: until(DAY_MS), reason: '' })).status).toBe(422)
    const ends = until(DAY_MS)
    const answer = await silence({ until: ends, reason: 'new disk comes' })
    expect(JSON.parse(answer.text)).toMatchObject({
      id,
      state: 'firing',
      silence: { until: ends, reason: 'new disk comes' },
    })
    const count = async (filter: string): Promise<number> => {
      const list = await ask('GET', `/api/v1/alerts?filter[silenced]=${filter}`)
      return (JSON.parse(list.text) as { items: [] }).items.length
    }
    expect([await count('true'), await count('false')]).toEqual([1, 0])
    const audited = await site.catalog.db.selectFrom('audit').selectAll().execute()
    expect(audited.at(-1)).toMatchObject({ action: 'silenceAlert', object: id })
    site.clock.advance(DAY_MS)
    expect([await count('true'), await count('false')]).toEqual([0, 1])
    await silence({ until: until(DAY_MS), reason: 'once more' })
    const ended = await ask('POST', `${url}/unsilence`)
    expect(JSON.parse(ended.text)).toMatchObject({ silence: null })
    const events = await site.events.since(0, { topics: ['alerts'] })
    expect(events.map(({ type }) => type).slice(-3)).toEqual([
      'alert.silenced',
      'alert.silenced',
      'alert.unsilenced',
    ])
  })

  test('the forecast shows its samples, its range, and when there are too few', async () => {
    const site = await makeSite(make)
    await site.addPool({ id: POOL })
    const { ask } = await serve(site)
    const first = await ask('GET', '/api/v1/forecast')
    expect(JSON.parse(first.text)).toMatchObject({
      pools: [{ poolId: POOL, state: 'not-enough-data', daysToFull: null, samples: [] }],
    })
    for (let day = 0; day < 8; day += 1) {
      const stats = statsJson({ freeBytes: (300 - 10 * day) * GIB })
      await site.catalog.db.updateTable('pool').set({ statsJson: stats }).execute()
      await site.monitor.tick()
      site.clock.advance(DAY_MS)
    }
    const { pools } = JSON.parse((await ask('GET', '/api/v1/forecast')).text) as {
      pools: Record<string, unknown>[]
    }
    expect(pools[0]).toMatchObject({
      state: 'growing',
      growthBytesPerDay: 10 * GIB,
      daysToFull: 23,
    })
    expect(pools[0]!['samples']).toHaveLength(8)
    const hidden = await ask('GET', '/api/v1/forecast', 'red')
    expect(JSON.parse(hidden.text)).toEqual({ pools: [] })
  })

  test('metrics want a permission unless they are public; readiness names its parts', async () => {
    const site = await makeSite(make)
    const { ask } = await serve(site)
    expect((await ask('GET', '/metrics', 'nobody')).status).toBe(403)
    expect((await ask('GET', '/metrics', 'stranger')).status).toBe(401)
    expect((await ask('GET', '/metrics')).text).toContain('openmaas_sources_unprotected 0')
    const before = await ask('GET', '/readyz')
    expect(JSON.parse(before.text)).toEqual({
      status: 'unavailable',
      checks: { catalog: 'ok', scheduler: 'failed', clock: 'ok' },
    })
    site.clock.advance(60_000)
    await site.renewLease()
    expect((await ask('GET', '/readyz')).status).toBe(200)
  })

  test('an event that may open an alert is looked at soon, without waiting for the minute', async () => {
    const site = await makeSite(make)
    await site.monitor.start()
    await site.addPool({ state: 'degraded' })
    await site.catalog.transaction((trx) =>
      appendEvent(
        trx,
        { topic: 'pools', type: 'pool.degraded', subject: 'pol_1', labels: {}, data: {} },
        site.clock,
      ),
    )
    await expect.poll(() => site.firing(), { timeout: 20_000 }).toEqual(['pool-degraded:pol_1'])
    await site.monitor.stop()
    expect(site.errors).toEqual([])
  })
})

test('readiness fails for a clock that lost its battery, or was set back, and for a full disk', async () => {
  const site = await makeSite((clock) => openCatalog({ url: 'sqlite::memory:', clock: clock! }))
  const directory = await mkdtemp(join(tmpdir(), 'openmaas-health-'))
  const checks = makeHealthChecks({ catalog: site.catalog, directory })
  expect(await checks['clock']!()).toBe(true)
  expect(await checks['disk']!()).toBe(true)
  const event = { topic: 'jobs', type: 't', subject: 's', labels: {}, data: {} } as const
  await site.catalog.transaction((trx) => appendEvent(trx, event, site.clock))
  site.clock.jump(site.clock.wallMs() - 3_600_000)
  expect(await checks['clock']!()).toBe(false)
  site.clock.jump(Date.UTC(1970, 0, 2))
  expect(await checks['clock']!()).toBe(false)
  await rm(directory, { recursive: true })
  await expect(checks['disk']!()).rejects.toThrow('ENOENT')
  await site.catalog[Symbol.asyncDispose]()
})

test('a disk that cannot be read is told, and does not keep the others from being watched', async () => {
  const site = await makeSite((clock) => openCatalog({ url: 'sqlite::memory:', clock: clock! }))
  const errors: unknown[] = []
  const monitor = new Monitor({
    catalog: site.catalog,
    clock: site.clock,
    events: site.events,
    random: new SeededRandom(5),
    version: '0.0.0',
    directory: '/nowhere/at/all',
    certificates: () => Promise.reject(new Error('the authority is gone')),
    metricsPublic: false,
    onError: (error) => errors.push(error),
  })
  await site.addPool({ state: 'degraded' })
  await monitor.tick()
  expect(await site.firing()).toEqual(['pool-degraded:pol_1'])
  expect(errors).toHaveLength(2)
  await monitor.stop()
  await site.catalog[Symbol.asyncDispose]()
})

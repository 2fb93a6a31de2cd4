/** What opens an alert, what ends it, and that each is told once. On both dialects. */
import { expect, test } from 'vitest'
import { describeBothCatalogs } from '../../catalog/both-catalogs.test-support.ts'
import { recordSourceDay } from '../anomaly/source-days.ts'
import { GIB, makeSite, statsJson } from '../monitor.test-support.ts'
import type { MonitoredSite } from '../monitor.test-support.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

async function eventsOf(site: MonitoredSite): Promise<string[]> {
  const events = await site.events.since(0, { topics: ['alerts'] })
  return events.map(({ type, data }) => `${type} ${String(data['rule'])}`)
}

describeBothCatalogs('alerts about sources', (make) => {
  test('an unprotected source is told after ten minutes, once, and ends with a policy', async () => {
    const site = await makeSite(make)
    await site.addHost()
    await site.addSource()
    await site.pass(9, () => site.renewLease())
    expect(await site.firing()).toEqual([])
    await site.pass(10, () => site.renewLease())
    expect(await site.firing()).toEqual(['source-unprotected:src_1'])
    await site.addPolicy({ rpo: '1d' })
    await site.pass(2, () => site.renewLease())
    expect(await site.firing()).toEqual([])
    expect(await eventsOf(site)).toEqual([
      'alert.opened source-unprotected',
      'alert.resolved source-unprotected',
    ])
    const [row] = await site.catalog.db.selectFrom('alert').selectAll().execute()
    expect(row).toMatchObject({ state: 'resolved', labelsJson: '{"env":"prod"}' })
    expect(site.errors).toEqual([])
  })

  test('missing success is noticed although nothing runs at all, and gets worse', async () => {
    const site = await makeSite(make)
    await site.addHost()
    await site.addPolicy({ rpo: '1h' })
    await site.addSource({ lastSuccessAt: site.clock.wallMs() })
    await site.pass(60)
    expect(await site.firing()).toEqual(['scheduler-stalled:server'])
    await site.pass(5)
    expect(await site.firing()).toEqual(['rpo-missed:src_1', 'scheduler-stalled:server'])
    await site.pass(120)
    const alerts = site.catalog.db.selectFrom('alert').select(['severity', 'paramsJson'])
    const row = await alerts.where('key', '=', 'rpo-missed:src_1').executeTakeFirstOrThrow()
    expect(row.severity).toBe('critical')
    expect(JSON.parse(row.paramsJson)).toMatchObject({ source: 'data', rpoMs: HOUR_MS })
    expect((await eventsOf(site)).filter((one) => one.endsWith('rpo-missed'))).toEqual([
      'alert.opened rpo-missed',
      'alert.worsened rpo-missed',
    ])
  })

  test('when nobody keeps a promise the server itself is suspected', async () => {
    const site = await makeSite(make)
    await site.addHost()
    await site.addPolicy({ rpo: '1h' })
    for (const id of ['src_1', 'src_2', 'src_3']) await site.addSource({ id, name: id })
    await site.pass(180, () => site.renewLease())
    expect(await site.firing()).toContain('nothing-succeeds:server')
    const success = { lastSuccessAt: site.clock.wallMs() }
    await site.catalog.db.updateTable('source').set(success).where('id', '=', 'src_2').execute()
    await site.pass(1, () => site.renewLease())
    expect(await site.firing()).toEqual(['rpo-missed:src_1', 'rpo-missed:src_3'])
  })

  test('verification that is overdue by half of its interval is told, a young source is not', async () => {
    const site = await makeSite(make)
    const now = site.clock.wallMs()
    await site.addHost()
    await site.addPolicy({ rpo: '1w', verify: { every: '2d', data: false, points: 'newest' } })
    await site.addSource({ lastSuccessAt: now, lastPointId: 'pnt_1' })
    await site.addSource({ id: 'src_2', name: 'young', lastSuccessAt: now })
    await site.addPoint({ takenAt: now - 9 * DAY_MS, verifiedAt: now - 4 * DAY_MS })
    await site.addPoint({ id: 'pnt_2', sourceId: 'src_2', takenAt: now - DAY_MS })
    await site.monitor.tick()
    expect(await site.firing()).toEqual(['verification-overdue:src_1'])
    const verified = { verifiedAt: now }
    await site.catalog.db.updateTable('point').set(verified).where('id', '=', 'pnt_1').execute()
    await site.pass(1)
    expect(await site.firing()).not.toContain('verification-overdue:src_1')
  })

  test('a day unlike the others of its source is told for that day and the next', async () => {
    const site = await makeSite(make)
    const day = async (addedBytes: number): Promise<void> => {
      const at = site.clock.wallMs()
      const of = { sourceId: 'src_1', at, addedBytes, readBytes: 2 * GIB, sizeBytes: 100 * GIB }
      await site.catalog.transaction((trx) => recordSourceDay(trx, of))
      site.clock.advance(DAY_MS)
    }
    await site.addHost()
    await site.addSource()
    for (let i = 0; i < 20; i += 1) await day(GIB * (0.9 + (i % 3) / 10))
    await day(20 * GIB)
    site.clock.advance(-DAY_MS)
    await site.monitor.tick()
    const anomalies = ['source-anomaly:src_1:change', 'source-anomaly:src_1:compressibility']
    expect(await site.firing()).toEqual(expect.arrayContaining(anomalies))
    site.clock.advance(DAY_MS)
    await site.monitor.tick()
    expect(await site.firing()).toEqual(expect.arrayContaining(anomalies))
    site.clock.advance(DAY_MS)
    await site.monitor.tick()
    expect((await site.firing()).filter((key) => key.startsWith('source-anomaly'))).toEqual([])
  })
})

describeBothCatalogs('alerts about jobs', (make) => {
  test('three failures in a row are told, by schedule and for what the server does itself', async () => {
    const site = await makeSite(make)
    const problemJson = '{"code":"HOST_OFFLINE","message":"gone"}'
    await site.addHost()
    await site.addPolicy({ rpo: '1w' })
    await site.addSource({ lastSuccessAt: site.clock.wallMs() })
    await site.addPool()
    await site.addJob({ id: 'job_0', state: 'failed', sourceId: 'src_1', problemJson })
    const nextRunAt = site.clock.wallMs() + HOUR_MS
    const row = { sourceId: 'src_1', policyId: 'plc_1', purpose: 'protect', nextRunAt }
    await site.catalog.db
      .insertInto('schedule')
      .values({ ...row, lastDueAt: null, lastJobId: 'job_0', failures: 3 })
      .execute()
    for (const id of ['job_1', 'job_2', 'job_3']) {
      site.clock.advance(1000)
      await site.addJob({ id, kind: 'collect', poolId: 'pol_1', state: 'failed', problemJson })
    }
    await site.monitor.tick()
    expect(await site.firing()).toEqual(['job-failing:pol_1:collect', 'job-failing:src_1:protect'])
    const alerts = await site.catalog.db.selectFrom('alert').select('paramsJson').execute()
    for (const { paramsJson } of alerts) {
      expect(JSON.parse(paramsJson)).toMatchObject({ failures: 3, code: 'HOST_OFFLINE' })
    }
    site.clock.advance(1000)
    await site.addJob({ id: 'job_4', kind: 'collect', poolId: 'pol_1' })
    await site.pass(1)
    expect(await site.firing()).toEqual(['job-failing:src_1:protect'])
  })

  test('damage is told until the same is read back without any', async () => {
    const site = await makeSite(make)
    await site.addHost()
    await site.addPolicy({ rpo: '1w' })
    await site.addSource({ lastSuccessAt: site.clock.wallMs() })
    await site.addJob({ id: 'job_1', kind: 'verify', sourceId: 'src_1', state: 'warning' })
    await site.monitor.tick()
    expect(await site.firing()).toEqual(['verification-failed:src_1'])
    site.clock.advance(MINUTE_MS)
    await site.addJob({ id: 'job_2', kind: 'verify', sourceId: 'src_1' })
    await site.monitor.tick()
    expect(await site.firing()).toEqual([])
  })

  test('a queue in which nothing runs is told, a busy one is not', async () => {
    const site = await makeSite(make)
    const queued = { state: 'queued', startedAt: null, endedAt: null } as const
    await site.addJob({ id: 'job_1', ...queued })
    await site.pass(5, () => site.renewLease())
    expect(await site.firing()).toEqual([])
    await site.addJob({ id: 'job_2', state: 'running', endedAt: null })
    await site.pass(5, () => site.renewLease())
    expect(await site.firing()).toEqual([])
    await site.catalog.db.deleteFrom('job').where('id', '=', 'job_2').execute()
    await site.pass(1, () => site.renewLease())
    expect(await site.firing()).toEqual(['jobs-stuck:server'])
  })
})

describeBothCatalogs('alerts about machines', (make) => {
  test('an agent is offline after 90 seconds, a node is critical', async () => {
    const site = await makeSite(make)
    await site.addHost({ state: 'offline' })
    await site.addHost({ id: 'hst_2', name: 'store', kind: 'node', state: 'offline' })
    site.clock.advance(90_000)
    await site.monitor.tick()
    expect(await site.firing()).toEqual([])
    site.clock.advance(1000)
    await site.monitor.tick()
    const rows = await site.catalog.db.selectFrom('alert').select(['key', 'severity']).execute()
    expect(rows).toEqual(
      expect.arrayContaining([
        { key: 'agent-offline:hst_1', severity: 'warning' },
        { key: 'agent-offline:hst_2', severity: 'critical' },
      ]),
    )
    await site.catalog.db.updateTable('host').set({ state: 'online' }).execute()
    await site.pass(1, () => site.renewLease())
    expect(await site.firing()).toEqual([])
  })

  test('certificates near their end and clocks that are wrong', async () => {
    const site = await makeSite(make)
    const now = site.clock.wallMs()
    await site.addHost({ certificateNotAfter: now + 8 * DAY_MS, clockSkewMs: -5000 })
    await site.monitor.tick()
    expect(await site.firing()).toEqual([])
    await site.catalog.db
      .updateTable('host')
      .set({ certificateNotAfter: now + 6 * DAY_MS, clockSkewMs: -61_000 })
      .execute()
    site.certificates = [{ name: 'server', notAfter: now + HOUR_MS }]
    await site.pass(1)
    const rows = await site.catalog.db
      .selectFrom('alert')
      .select(['key', 'severity'])
      .orderBy('key')
      .execute()
    expect(rows).toEqual([
      { key: 'certificate-expiring:hst_1', severity: 'warning' },
      { key: 'certificate-expiring:server:server', severity: 'critical' },
      { key: 'clock-skew:hst_1', severity: 'warning' },
    ])
  })

  test('a scheduler that leads but begins nothing is told, and so is one that is gone', async () => {
    const site = await makeSite(make)
    await site.addHost()
    await site.addPolicy({ rpo: '1w' })
    await site.addSource({ lastSuccessAt: site.clock.wallMs() })
    const nextRunAt = site.clock.wallMs()
    const row = { sourceId: 'src_1', policyId: 'plc_1', purpose: 'protect', nextRunAt }
    await site.catalog.db
      .insertInto('schedule')
      .values({ ...row, lastDueAt: null, lastJobId: null, failures: 0 })
      .execute()
    await site.pass(5, () => site.renewLease())
    expect(await site.firing()).toEqual([])
    await site.pass(1, () => site.renewLease())
    expect(await site.firing()).toEqual(['scheduler-stalled:server'])
    await site.catalog.db
      .updateTable('schedule')
      .set({ nextRunAt: nextRunAt + DAY_MS })
      .execute()
    await site.pass(1, () => site.renewLease())
    expect(await site.firing()).toEqual([])
    await site.pass(3)
    expect(await site.firing()).toEqual(['scheduler-stalled:server'])
  })
})

describeBothCatalogs('alerts about pools and media', (make) => {
  const stats = (used: number, badBlocks = 0): string =>
    statsJson({ sizeBytes: 1000 * GIB, freeBytes: (1000 - used) * GIB, badBlocks })

  test('room: warned at 85 percent, critical at 95, and it ends a little below', async () => {
    const site = await makeSite(make)
    const seen: string[] = []
    const look = async (used: number): Promise<void> => {
      const set = { statsJson: stats(used) }
      await site.catalog.db.updateTable('pool').set(set).execute()
      await site.pass(1)
      const rows = await site.catalog.db
        .selectFrom('alert')
        .select('severity')
        .where('state', '=', 'firing')
        .where('rule', '=', 'pool-nearly-full')
        .execute()
      seen.push(rows[0]?.severity ?? 'none')
    }
    await site.addHost()
    await site.addPool()
    for (const used of [849, 850, 831, 829, 950, 931, 929, 800]) await look(used)
    expect(seen).toEqual([
      'none',
      'warning',
      'warning',
      'none',
      'critical',
      'critical',
      'warning',
      'none',
    ])
  })

  test('degraded, damaged, out of reach, and a catalog that is stored nowhere', async () => {
    const site = await makeSite(make)
    await site.addHost()
    await site.addPool({ state: 'degraded', statsJson: stats(1, 7) })
    await site.addPool({ id: 'pol_2', state: 'offline', statsJson: '{}' })
    await site.pass(3)
    expect(await site.firing()).toEqual([
      'pool-damaged:pol_1',
      'pool-degraded:pol_1',
      'pool-offline:pol_2',
      'scheduler-stalled:server',
    ])
    site.clock.advance(DAY_MS)
    await site.monitor.tick()
    expect(await site.firing()).toContain('catalog-backup-old:server')
    await site.addJob({ id: 'job_1', kind: 'catalog-backup', poolId: 'pol_1' })
    await site.pass(1)
    expect(await site.firing()).not.toContain('catalog-backup-old:server')
  })

  test('a lease that ends within the hour is told, in its last tenth at most', async () => {
    const site = await makeSite(make)
    await site.addHost()
    await site.addMedium({ leaseUntil: site.clock.wallMs() + DAY_MS })
    await site.addMedium({ id: 'mnt_2', leaseUntil: site.clock.wallMs() + HOUR_MS })
    await site.addMedium({ id: 'mnt_3', state: 'lost' })
    await site.monitor.tick()
    expect(await site.firing()).toEqual(['medium-lost:mnt_3'])
    await site.pass(55, () => site.renewLease())
    expect(await site.firing()).toEqual(['medium-lease-ending:mnt_2', 'medium-lost:mnt_3'])
  })

  test('growth that fills a pool within two weeks is told', async () => {
    const site = await makeSite(make)
    await site.addHost()
    await site.addPool()
    for (let day = 0; day < 10; day += 1) {
      const set = { statsJson: stats(600 + 20 * day) }
      await site.catalog.db.updateTable('pool').set(set).execute()
      await site.monitor.tick()
      site.clock.advance(DAY_MS)
    }
    await site.monitor.tick()
    // 780 of 1,000 GiB are used, and 20 come each day.
    expect(site.monitor.daysToFull('pol_1')).toBeCloseTo(11, 0)
    expect(await site.firing()).toContain('pool-full-soon:pol_1')
  })
})

describeBothCatalogs('evaluation', (make) => {
  test('rules that fail leave their alerts alone, and the others go on', async () => {
    const site = await makeSite(make)
    await site.addHost({ state: 'offline' })
    await site.addPool({ state: 'degraded' })
    await site.pass(2)
    const before = ['agent-offline:hst_1', 'pool-degraded:pol_1', 'scheduler-stalled:server']
    expect(await site.firing()).toEqual(before)
    await site.catalog.db.updateTable('pool').set({ statsJson: 'no JSON' }).execute()
    await site.catalog.db.updateTable('host').set({ state: 'online' }).execute()
    await site.pass(1)
    expect(await site.firing()).toEqual(['pool-degraded:pol_1', 'scheduler-stalled:server'])
    // Neither samples nor rules of pools could read it.
    expect(site.errors).toHaveLength(2)
  })

  test('what ended is shown for 90 days, what lasts for as long as it lasts', async () => {
    const site = await makeSite(make)
    await site.addHost({ state: 'offline' })
    await site.addPool({ state: 'degraded' })
    await site.pass(2, () => site.renewLease())
    await site.catalog.db.updateTable('host').set({ state: 'online' }).execute()
    await site.pass(1, () => site.renewLease())
    site.clock.advance(89 * DAY_MS)
    const listed = async (): Promise<string[]> => {
      await site.pass(60, () => site.renewLease())
      const rows = await site.catalog.db.selectFrom('alert').select('rule').execute()
      return rows.map(({ rule }) => rule)
    }
    expect(await listed()).toContain('agent-offline')
    site.clock.advance(DAY_MS)
    const left = await listed()
    expect(left).not.toContain('agent-offline')
    expect(left).toContain('pool-degraded')
  })

  test('two servers on one catalog open an alert once', async () => {
    const site = await makeSite(make)
    const other = await makeSite(() => Promise.resolve(site.catalog))
    await site.addHost({ state: 'offline' })
    for (let i = 0; i < 3; i += 1) {
      site.clock.advance(MINUTE_MS)
      other.clock.advance(MINUTE_MS)
      await Promise.all([site.monitor.tick(), other.monitor.tick()])
    }
    const keys = (await eventsOf(site)).filter((one) => one.endsWith('agent-offline'))
    expect(keys).toEqual(['alert.opened agent-offline'])
    expect([...site.errors, ...other.errors]).toEqual([])
  })
})

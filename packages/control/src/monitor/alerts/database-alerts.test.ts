/** What is told of standbys before it costs production, or the points, anything. */
import { expect, test } from 'vitest'
import type { DatabaseStatus } from '@openmaas/protocols/channel/database-orders'
import { describeBothCatalogs } from '../../catalog/both-catalogs.test-support.ts'
import { addDatabase } from '../../job/kinds/databases.test-support.ts'
import { GIB, makeSite } from '../monitor.test-support.ts'
import type { MonitoredSite } from '../monitor.test-support.ts'

const WELL: DatabaseStatus = {
  state: 'following',
  reason: '',
  mustReseed: false,
  received: null,
  applied: null,
  lagBytes: 0,
  lagMs: 0,
  retainedBytes: 0,
  retainedLimitBytes: 10 * GIB,
  logBytes: 0,
}

/** What fires of the database, after the standby has told this. */
async function firing(site: MonitoredSite, told: Partial<DatabaseStatus>): Promise<string[]> {
  const statusJson = JSON.stringify({ ...WELL, ...told })
  const set = { statusJson, statusAt: site.clock.wallMs() }
  await site.catalog.db.updateTable('sourceDatabase').set(set).execute()
  await site.pass(2, () => site.renewLease())
  const rows = site.catalog.db.selectFrom('alert').select(['rule', 'severity'])
  const open = await rows.where('state', '!=', 'resolved').execute()
  return open
    .filter(({ rule }) => rule.startsWith('standby'))
    .map(({ rule, severity }) => `${rule} ${severity}`)
    .toSorted()
}

describeBothCatalogs('alerts about standbys', (make) => {
  async function protectedSite(): Promise<MonitoredSite> {
    const site = await makeSite(make)
    await site.addHost()
    await site.addPolicy({ rpo: '1d' })
    await site.addSource({ lastSuccessAt: site.clock.wallMs() })
    await addDatabase(site.catalog, 'src_1')
    return site
  }

  test('log that production keeps is told at four fifths of the limit, and no sooner', async () => {
    const site = await protectedSite()
    expect(await firing(site, { retainedBytes: 7.9 * GIB })).toEqual([])
    expect(await firing(site, { retainedBytes: 8 * GIB })).toEqual(['standby-retention critical'])
    expect(await firing(site, { retainedBytes: 0 })).toEqual([])
    const reason = 'production has removed log'
    const broken = { state: 'broken', mustReseed: true, reason } as const
    expect(await firing(site, broken)).toEqual(['standby-must-reseed critical'])
  })

  test('a volume is told when the most it may have is nearly written', async () => {
    const site = await protectedSite()
    const room = (sizeBytes: number, freeBytes: number) => ({
      volume: { sizeBytes, freeBytes, full: false },
    })
    const set = { volumeBytes: 4 * GIB, volumeMaxBytes: 8 * GIB }
    await site.catalog.db.updateTable('sourceDatabase').set(set).execute()
    // It grows by itself.
    expect(await firing(site, room(4 * GIB, 0.2 * GIB))).toEqual([])
    const grown = { volumeBytes: 8 * GIB }
    await site.catalog.db.updateTable('sourceDatabase').set(grown).execute()
    expect(await firing(site, room(8 * GIB, 2 * GIB))).toEqual([])
    expect(await firing(site, room(8 * GIB, 1.5 * GIB))).toEqual(['standby-volume warning'])
    expect(await firing(site, room(8 * GIB, 0.5 * GIB))).toEqual(['standby-volume critical'])
  })

  test('log that was removed untaken is told until the next point', async () => {
    const site = await protectedSite()
    const cut = { logCutAtMs: site.clock.wallMs() }
    expect(await firing(site, cut)).toEqual(['standby-log-cut warning'])
    // Nobody takes points of a source that is paused: so it is told then above all.
    await site.catalog.db.updateTable('source').set({ paused: 1 }).execute()
    expect(await firing(site, { ...cut, state: 'stopped' })).toEqual(['standby-log-cut warning'])
    expect(await firing(site, { logCutAtMs: null })).toEqual([])
  })
})

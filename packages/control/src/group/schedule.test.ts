/** A group under a policy: one run of it, and none of its members besides. */
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import { openCatalog } from '../catalog/catalog.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import type { JobRequest } from '../job/queue.ts'
import { addPolicy } from '../job/kinds/hosts.test-support.ts'
import { type KindSite, NODE, POOL, SOURCE } from '../job/kinds/site.test-support.ts'
import { Scheduler } from '../schedule/scheduler.ts'
import { addGroup, GROUP, makeGroupSite, OTHER } from './groups.test-support.ts'
import { loadGroup } from './rows.ts'

class Site {
  readonly site: KindSite
  readonly asked: JobRequest[] = []
  readonly scheduler: Scheduler

  constructor(site: KindSite) {
    this.site = site
    this.scheduler = new Scheduler({
      catalog: site.catalog,
      random: new SeededRandom(1),
      onError: (error) => {
        throw error
      },
      enqueue: (trx, request) => {
        if (request.kind.startsWith('protect')) this.asked.push(request)
        return site.engine.enqueue(trx, request)
      },
      backupPool: () => Promise.resolve({ id: POOL, nodeId: NODE }),
    })
  }

  static async make(catalog: Catalog): Promise<Site> {
    const site = new Site(await makeGroupSite(catalog))
    await addPolicy(catalog, 'plc_1', { rpo: '1m', retention: { last: 5 } })
    await addGroup(catalog, { policyId: 'plc_1' })
    return site
  }

  /** Lets a minute pass, and what was begun end. */
  async minutes(count: number): Promise<void> {
    for (let i = 0; i < count; i += 1) {
      this.site.clock.advance(60_000)
      await this.scheduler.tick()
      await this.site.finishAll()
    }
  }

  kinds(): string[] {
    return this.asked.splice(0).map(({ kind, sourceId }) => sourceId ?? kind)
  }

  group = () => loadGroup(this.site.catalog.db, GROUP)
}

describeBothCatalogs('a group under a policy', (make) => {
  test('is run once for all of its members, which are not run by themselves', async () => {
    const site = await Site.make(await make())
    await site.minutes(2)
    const asked = site.kinds()
    expect(new Set(asked)).toEqual(new Set(['protect-group']))
    expect(asked.length).toBeGreaterThanOrEqual(2)
    const { db } = site.site.catalog
    const points = await db.selectFrom('groupPoint').selectAll().execute()
    expect(points.length).toBeGreaterThanOrEqual(2)
    const { nextRunAt } = await site.group()
    const rows = await db.selectFrom('schedule').selectAll().execute()
    // What a member shows is what its group does.
    expect(rows.map((row) => row.nextRunAt)).toEqual([nextRunAt, nextRunAt])
  })
})

describe('a group of which members', () => {
  const make = () => openCatalog({ url: 'sqlite::memory:', clock: new FakeClock() })

  test('are paused goes on with the others, without a point, and says so', async () => {
    const site = await Site.make(await make())
    await site.minutes(1)
    const { db } = site.site.catalog
    const other = db.updateTable('source').where('id', '=', OTHER)
    await other.set((e) => ({ paused: 1, version: e('version', '+', 1) })).execute()
    site.kinds()
    await site.minutes(2)
    expect(new Set(site.kinds())).toEqual(new Set([SOURCE]))
    expect((await site.group()).problemJson).toContain('no group point: src_2 is paused')
    await other.set((e) => ({ paused: 0, version: e('version', '+', 1) })).execute()
    await site.minutes(2)
    expect(new Set(site.kinds())).toEqual(new Set(['protect-group']))
    expect((await site.group()).problemJson).toBeNull()
  })

  test('fail tries them again as any source, and not every minute', async () => {
    const site = await Site.make(await make())
    await site.minutes(1)
    site.site.hosts.fail = (verb, params) =>
      verb === 'database.mark' && (params as { id: string }).id === OTHER
        ? 'DATABASE_DENIED'
        : undefined
    await site.minutes(1)
    site.kinds()
    await site.minutes(3)
    const asked = site.kinds()
    expect(asked.filter((each) => each === SOURCE).length).toBeGreaterThanOrEqual(1)
    expect(asked.filter((each) => each === 'protect-group').length).toBeLessThanOrEqual(2)
    expect((await site.group()).problemJson).toContain('src_2')
    site.site.hosts.fail = () => undefined
    await site.minutes(5)
    expect(site.kinds()).toContain('protect-group')
    expect((await site.group()).problemJson).toBeNull()
  })

  test('and all have a policy that is switched off is not run', async () => {
    const site = await Site.make(await make())
    await site.minutes(1)
    const { db } = site.site.catalog
    await db
      .updateTable('policy')
      .set((e) => ({ enabled: 0, version: e('version', '+', 1) }))
      .execute()
    await site.minutes(1)
    site.kinds()
    await site.minutes(2)
    expect(site.kinds()).toEqual([])
    expect((await site.group()).nextRunAt).toBeNull()
  })
})

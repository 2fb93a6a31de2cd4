/** The scheduler on a catalog: who leads, what becomes due, and what the clock does to it. */
import { afterEach, describe, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { openCatalog } from '../catalog/catalog.ts'
import type { Catalog } from '../catalog/catalog.ts'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import { appendEvent } from '../catalog/events.ts'
import type { JobRequest } from '../job/queue.ts'
import { addMedium, addPolicy, addSource } from '../job/kinds/hosts.test-support.ts'
import { HOST, KindSite, NODE, POOL, SOURCE } from '../job/kinds/site.test-support.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../policy/zone.ts'
import { Scheduler } from './scheduler.ts'

class Site {
  readonly site: KindSite
  readonly catalog: Catalog
  readonly clock: FakeClock
  /** What the scheduler asked for, without the housekeeping. */
  readonly asked: JobRequest[] = []
  readonly scheduler: Scheduler
  #seed = 0

  constructor(site: KindSite) {
    this.site = site
    this.catalog = site.catalog
    this.clock = site.clock
    this.scheduler = this.makeScheduler()
  }

  static async make(catalog: Catalog): Promise<Site> {
    return new Site(await KindSite.make(catalog))
  }

  makeScheduler(): Scheduler {
    this.#seed += 1
    return new Scheduler({
      catalog: this.catalog,
      random: new SeededRandom(this.#seed),
      onError: (error) => {
        throw error
      },
      enqueue: (trx, request) => {
        if (['protect', 'verify', 'eject'].includes(request.kind)) this.asked.push(request)
        return this.site.engine.enqueue(trx, request)
      },
      backupPool: () => Promise.resolve({ id: POOL, nodeId: NODE }),
    })
  }

  /** Lets schedule and jobs go on, in steps. */
  async pass(durationMs: number, stepMs = 5000, scheduler = this.scheduler): Promise<void> {
    for (let passed = 0; passed < durationMs; passed += stepMs) {
      this.clock.advance(stepMs)
      await scheduler.tick()
      await this.site.finishAll()
    }
  }

  count(kind: string, sourceId = SOURCE): number {
    return this.asked.filter((each) => each.kind === kind && each.sourceId === sourceId).length
  }

  row(purpose = 'protect') {
    return this.catalog.db
      .selectFrom('schedule')
      .selectAll()
      .where('sourceId', '=', SOURCE)
      .where('purpose', '=', purpose)
      .executeTakeFirst()
  }
}

describeBothCatalogs('the scheduler', (make) => {
  test('runs what is under a policy when it says, and nothing else', async () => {
    const site = await Site.make(await make())
    await addSource(site.catalog, 'src_2', HOST, { env: 'test' })
    await addPolicy(site.catalog, 'plc_1', { rpo: '5m' }, { env: 'prod' })
    await site.pass(21 * MINUTE_MS, 30_000)
    // The first at once, then at each five minutes.
    expect(site.count('protect')).toBe(5)
    expect(site.count('protect', 'src_2')).toBe(0)
  })

  test('leads alone; another takes over when it stops or dies', async () => {
    const site = await Site.make(await make())
    const other = site.makeScheduler()
    await site.scheduler.tick()
    await other.tick()
    expect([site.scheduler.isLeader, other.isLeader]).toEqual([true, false])
    // The first is never heard of again.
    site.clock.advance(40_000)
    await other.tick()
    expect(other.isLeader).toBe(true)
    await site.scheduler.tick()
    expect(site.scheduler.isLeader).toBe(false)
    await other.stop()
    site.clock.advance(10_000)
    await site.scheduler.tick()
    expect(site.scheduler.isLeader).toBe(true)
  })

  test('one that was deposed without knowing makes no job', async () => {
    const site = await Site.make(await make())
    await addPolicy(site.catalog, 'plc_1', { rpo: '5m' }, { env: 'prod' })
    await site.scheduler.tick()
    const count = site.asked.length
    await site.catalog.db
      .updateTable('lease')
      .set((e) => ({ holder: 'another', token: e('token', '+', 1) }))
      .execute()
    site.clock.advance(8000)
    await site.catalog.db.updateTable('schedule').set({ nextRunAt: 0 }).execute()
    await site.scheduler.tick()
    expect(site.asked).toHaveLength(count)
    expect(site.scheduler.isLeader).toBe(false)
  })
})

// What follows is computed before it is written: one dialect is enough, and time is long here.
describe('the scheduler over hours and days', () => {
  const open: Catalog[] = []
  const make = async (): Promise<Catalog> => {
    const catalog = await openCatalog({ url: 'sqlite::memory:', clock: new FakeClock() })
    open.push(catalog)
    return catalog
  }
  afterEach(async () => {
    for (const catalog of open.splice(0)) await catalog[Symbol.asyncDispose]()
  })

  test('follows changes of sources and policies', async () => {
    const site = await Site.make(await make())
    const { db } = site.catalog
    await addPolicy(site.catalog, 'plc_1', { rpo: '1h' }, { env: 'prod' })
    await site.pass(10_000)
    expect(await site.row()).toMatchObject({
      policyId: 'plc_1',
      nextRunAt: Date.UTC(2026, 0, 1, 1),
    })
    const specJson = JSON.stringify({ rpo: '5m', verify: { every: '1h' } })
    await db.updateTable('policy').set({ specJson, version: 2 }).execute()
    await site.pass(10_000)
    expect(await site.row()).toMatchObject({ nextRunAt: Date.UTC(2026, 0, 1, 0, 5) })
    expect(await site.row('verify')).toMatchObject({ purpose: 'verify' })
    await site.pass(65 * MINUTE_MS, MINUTE_MS)
    expect(site.count('verify')).toBe(1)
    await db.updateTable('source').set({ paused: 1, version: 2 }).execute()
    await site.pass(10_000)
    expect(await site.row()).toBeUndefined()
  })

  test('a run that takes longer than the promise is not begun twice', async () => {
    const site = await Site.make(await make())
    await addPolicy(site.catalog, 'plc_1', { rpo: '1m' }, { env: 'prod' })
    site.site.hosts.captureMs = 10 * MINUTE_MS
    for (let i = 0; i < 60; i += 1) {
      site.clock.advance(10_000)
      await site.scheduler.tick()
      await site.site.pass(1)
    }
    const jobs = await site.catalog.db
      .selectFrom('job')
      .select('state')
      .where('kind', '=', 'protect')
      .execute()
    expect(jobs.length).toBeLessThanOrEqual(2)
  })

  test('a week of silence is made up for with one run', async () => {
    const site = await Site.make(await make())
    await addPolicy(site.catalog, 'plc_1', { rpo: '1h' }, { env: 'prod' })
    await site.pass(10_000)
    const before = site.count('protect')
    // Asleep: both clocks stood, or only the wall clock went on.
    site.clock.jump(site.clock.wallMs() + 7 * DAY_MS)
    await site.pass(10_000)
    expect(site.count('protect')).toBe(before + 1)
    const jumps = await site.catalog.db
      .selectFrom('event')
      .select('dataJson')
      .where('type', '=', 'clock.jumped')
      .execute()
    expect(jumps).toEqual([{ dataJson: JSON.stringify({ byMs: 7 * DAY_MS }) }])
  })

  test('or left out, when the policy skips', async () => {
    const site = await Site.make(await make())
    await addPolicy(site.catalog, 'plc_1', { rpo: '1h', catchUp: 'skip' }, { env: 'prod' })
    await site.pass(10_000)
    const before = site.count('protect')
    site.clock.jump(site.clock.wallMs() + 7 * DAY_MS + 30 * MINUTE_MS)
    await site.pass(10_000)
    expect(site.count('protect')).toBe(before)
    await site.pass(30 * MINUTE_MS, MINUTE_MS)
    expect(site.count('protect')).toBe(before + 1)
  })

  test.each(['while it runs', 'while no server runs'])(
    'a clock set back by a day holds nothing up (%s)',
    async (when) => {
      const site = await Site.make(await make())
      await addPolicy(site.catalog, 'plc_1', { rpo: '10m' }, { env: 'prod' })
      await site.pass(15 * MINUTE_MS, MINUTE_MS)
      const before = site.count('protect')
      let { scheduler } = site
      if (when === 'while no server runs') {
        await scheduler.stop()
        scheduler = site.makeScheduler()
      }
      site.clock.jump(site.clock.wallMs() - DAY_MS)
      await site.pass(31 * MINUTE_MS, MINUTE_MS, scheduler)
      expect(site.count('protect')).toBe(before + 3)
    },
  )

  test('a source that fails is tried less and less, and at once when its host is back', async () => {
    const site = await Site.make(await make())
    await addPolicy(site.catalog, 'plc_1', { rpo: '1m' }, { env: 'prod' })
    await addSource(site.catalog, 'src_2', HOST, { env: 'prod' })
    site.site.hosts.fail = (verb, params) => {
      const isIll = (params as { readonly sourceId?: string }).sourceId === SOURCE
      return verb === 'source.capture' && isIll ? 'SOURCE_UNREADABLE' : undefined
    }
    await site.pass(HOUR_MS, 20_000)
    // Its neighbour is not held up by it.
    expect(site.count('protect', 'src_2')).toBeGreaterThan(55)
    expect(site.count('protect')).toBeLessThan(9)
    expect((await site.row())!.failures).toBeGreaterThan(4)
    site.site.hosts.fail = () => undefined
    const before = site.count('protect')
    const event = {
      topic: 'hosts',
      type: 'host.online',
      subject: HOST,
      labels: {},
      data: {},
    } as const
    await site.catalog.transaction((trx) => appendEvent(trx, event, site.clock))
    await site.pass(10_000)
    // And perhaps its next regular run.
    expect([1, 2]).toContain(site.count('protect') - before)
    expect((await site.row())!.failures).toBe(0)
  })

  test('a medium whose lease is over is ejected', async () => {
    const site = await Site.make(await make())
    await addPolicy(site.catalog, 'plc_1', { rpo: '1h' }, { env: 'prod' })
    await site.pass(10_000)
    const { pointId } = await site.catalog.db
      .selectFrom('point')
      .select('id as pointId')
      .executeTakeFirstOrThrow()
    const leaseUntil = site.clock.wallMs() + MINUTE_MS
    const place = { sourceId: SOURCE, poolId: POOL, nodeId: NODE, hostId: HOST, leaseUntil }
    await addMedium(site.catalog, 'mnt_1', { ...place, pointId, protocol: 'local' })
    await site.catalog.db.updateTable('medium').set({ state: 'plugged' }).execute()
    await site.pass(50_000)
    expect(site.count('eject')).toBe(0)
    // A clock that was set takes nobody's medium away at once.
    site.clock.jump(site.clock.wallMs() + DAY_MS)
    await site.pass(10 * MINUTE_MS, MINUTE_MS)
    expect(site.count('eject')).toBe(0)
    await site.pass(10 * MINUTE_MS, MINUTE_MS)
    expect(site.count('eject')).toBe(1)
    const medium = await site.catalog.db.selectFrom('medium').select('state').executeTakeFirst()
    expect(medium).toEqual({ state: 'ejected' })
  })

  test('the catalog is copied when there is a pool, and once more after the first capture', async () => {
    const site = await Site.make(await make())
    const copies = () =>
      site.catalog.db.selectFrom('job').select('id').where('kind', '=', 'catalog-backup').execute()
    await site.pass(MINUTE_MS)
    expect(await copies()).toHaveLength(1)
    await addPolicy(site.catalog, 'plc_1', { rpo: '1h' }, { env: 'prod' })
    await site.pass(2 * MINUTE_MS)
    expect(await copies()).toHaveLength(2)
    await site.pass(3 * HOUR_MS, 10 * MINUTE_MS)
    expect(await copies()).toHaveLength(2)
  })

  test('keeps house: copies of the catalog, collections, points whose lock has ended', async () => {
    const site = await Site.make(await make())
    const spec = { rpo: '6h', lockDays: 1, retention: { last: 1 } }
    await addPolicy(site.catalog, 'plc_1', spec, { env: 'prod' })
    await site.pass(2 * DAY_MS, HOUR_MS)
    await site.catalog.db.updateTable('source').set({ paused: 1, version: 2 }).execute()
    await site.pass(2 * DAY_MS, HOUR_MS)
    const kinds = await site.catalog.db
      .selectFrom('job')
      .select((e) => ['kind', e.fn.countAll<number>().as('count')])
      .groupBy('kind')
      .execute()
    const counts = Object.fromEntries(kinds.map((row) => [row.kind, row.count]))
    expect(counts['collect']).toBe(4)
    // And the one after the first capture.
    expect(counts['catalog-backup']).toBe(17)
    // No new point came that could have had them expired.
    const left = await site.catalog.db
      .selectFrom('point')
      .select('reasonsJson')
      .where('state', '=', 'available')
      .execute()
    expect(left).toHaveLength(1)
  })
})

test('ten thousand sources cost as few statements per tick as one', async () => {
  await using catalog = await openCatalog({ url: 'sqlite::memory:', clock: new FakeClock() })
  const site = await Site.make(catalog)
  await addPolicy(catalog, 'plc_1', { rpo: '1d', cron: '0 3 * * *' }, { env: 'prod' })
  const rows = await catalog.db.selectFrom('source').selectAll().execute()
  for (let i = 0; i < 10_000; i += 500) {
    const batch = Array.from({ length: 500 }, (_, n) => ({
      ...rows[0]!,
      id: `src_n${i + n}`,
      name: `n${i + n}`,
    }))
    await catalog.db.insertInto('source').values(batch).execute()
  }
  await site.scheduler.tick()
  const count = await catalog.db
    .selectFrom('schedule')
    .select((e) => e.fn.countAll<number>().as('count'))
    .executeTakeFirst()
  expect(count).toEqual({ count: 10_001 })
  // Between two slow looks only what is due is asked for: sources, and groups.
  let reads = 0
  const { db } = catalog
  const selectFrom = db.selectFrom.bind(db)
  Object.assign(db, {
    selectFrom: (table: never) => {
      reads += 1
      return selectFrom(table)
    },
  })
  site.clock.advance(1000)
  await site.scheduler.tick()
  expect(reads).toBe(2)
})

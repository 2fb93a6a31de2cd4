/** Databases that run out of room, chains that break, and points taken for virtual databases. */
import { describe, expect, test } from 'vitest'
import { openCatalog } from '../../catalog/catalog.ts'
import { statusOf } from '../../database/source-database.ts'
import { lookAtClones } from '../../virtual-database/room.ts'
import { loadVirtualDatabase } from '../../virtual-database/rows.ts'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { SeededRandom } from '@openmaas/kernel/random'
import { GiB } from '@openmaas/kernel/units'
import { addDatabase, addVirtualDatabase } from './databases.test-support.ts'
import { addPolicy, failSometimes } from './hosts.test-support.ts'
import { growVolumeRequest } from './grow-volume.ts'
import { protectDatabaseRequest } from './protect-database.ts'
import { listCare, listGrowth } from '../../schedule/database-care.ts'
import { dateOfDay, DAY_MS } from '../../policy/zone.ts'
import { HOST, KindSite, NODE, POOL, SOURCE } from './site.test-support.ts'
import { virtualDatabaseRequest } from './virtual-database-params.ts'

const VDB = 'vdb_1'
const source = { id: SOURCE, hostId: HOST, poolId: POOL, labelsJson: '{"env":"prod"}' }
const protect = protectDatabaseRequest(source, { actor: 'user:usr_1' })
const row = {
  id: VDB,
  sourceId: SOURCE,
  hostId: HOST,
  nodeId: NODE,
  poolId: POOL,
  labelsJson: '{}',
}
const verb = (kind: string, params: Record<string, unknown> = {}) =>
  virtualDatabaseRequest(kind, row, { actor: 'user:usr_1', params })
const newest = { of: { moment: { kind: 'newest' } } }

async function makeSite(): Promise<KindSite> {
  const catalog = await openCatalog({ url: 'sqlite::memory:', clock: new FakeClock() })
  const site = await KindSite.make(catalog)
  await addDatabase(catalog, SOURCE)
  return site
}

async function makeRunning(): Promise<KindSite> {
  const site = await makeSite()
  expect(await site.run(protect)).toMatchObject({ state: 'succeeded' })
  const of = { sourceId: SOURCE, hostId: HOST, poolId: POOL }
  await addVirtualDatabase(site.catalog, VDB, of)
  return site
}

const points = ({ catalog }: KindSite) =>
  catalog.db.selectFrom('point').selectAll().orderBy('takenAt').execute()
const load = ({ catalog }: KindSite) => loadVirtualDatabase(catalog.db, VDB)

describe('a volume that grows', () => {
  const database = ({ catalog }: KindSite) =>
    catalog.db.selectFrom('sourceDatabase').selectAll().executeTakeFirstOrThrow()
  const growTo = async (site: KindSite, sizeBytes: number) => {
    const { mediumId } = await database(site)
    const of = { mediumId: mediumId!, hostId: HOST, sizeBytes, automatic: false, actor: 'user:u' }
    return site.run(growVolumeRequest({ ...source, kind: 'postgres' }, of))
  }
  const events = ({ catalog }: KindSite) =>
    catalog.db.selectFrom('event').selectAll().where('type', '=', 'source.volume-grown').execute()

  test('does so while its standby follows, and says so', async () => {
    const site = await makeSite()
    await site.run(protect)
    const before = await database(site)
    expect(before.volumeMaxBytes).toBe(4 * before.volumeBytes!)
    const job = await growTo(site, 8 * GiB)
    expect(job).toMatchObject({ state: 'succeeded', problemJson: null })
    expect(JSON.parse(job.resultJson!)).toMatchObject({ sizeBytes: 8 * GiB, online: true })
    expect(site.hosts.counts.get('database.unfollow')).toBe(undefined)
    expect(await database(site)).toMatchObject({ volumeBytes: 8 * GiB })
    const [event] = await events(site)
    const { fromBytes, sizeBytes, automatic } = JSON.parse(event!.dataJson)
    expect({ fromBytes, sizeBytes, automatic }).toEqual({
      fromBytes: before.volumeBytes,
      sizeBytes: 8 * GiB,
      automatic: false,
    })
  })

  test('is mounted anew where only that helps, and its standby follows again', async () => {
    const site = await makeSite()
    await site.run(protect)
    site.hosts.fail = (each) => (each === 'medium.resize' ? 'MEDIUM_GROW_OFFLINE' : undefined)
    const job = await growTo(site, 8 * GiB)
    expect(job).toMatchObject({ state: 'succeeded' })
    expect(JSON.parse(job.resultJson!)).toMatchObject({ online: false, state: 'following' })
    expect(site.hosts.counts.get('database.unfollow')).toBe(1)
    expect([...site.hosts.attached.values()].at(-1)).toMatchObject({ grow: true })
    expect(site.hosts.databases.following.size).toBe(1)
    expect((await site.run(protect)).state).toBe('succeeded')
  })

  test('ends where it began when the host is killed at any step', async () => {
    const site = await makeSite()
    await site.run(protect)
    site.hosts.fail = failSometimes(new SeededRandom(3), 4, ['HOST_OFFLINE', 'MEDIUM_BUSY'])
    let job = await growTo(site, 8 * GiB)
    for (let tries = 0; job.state === 'failed' && tries < 20; tries += 1) {
      job = await growTo(site, 8 * GiB)
    }
    site.hosts.fail = () => undefined
    expect(['succeeded', 'warning']).toContain(job.state)
    expect(await database(site)).toMatchObject({ volumeBytes: 8 * GiB })
    expect((await site.run(protect)).state).toBe('succeeded')
  })

  test('does so by itself when four fifths are written, up to what it may', async () => {
    const site = await makeSite()
    await site.run(protect)
    const { volumeBytes, volumeMaxBytes } = await database(site)
    expect(await listGrowth(site.catalog.db)).toEqual([])
    const look = async (freeShare: number) => {
      const { volumeBytes: size } = await database(site)
      const freeBytes = Math.round(size! * freeShare)
      site.hosts.databases.room = { sizeBytes: size!, freeBytes, full: false }
      await site.pass(1)
      await site.run(protect)
      return listGrowth(site.catalog.db)
    }
    expect(await look(0.3)).toEqual([])
    const sizes: number[] = []
    for (let round = 0; round < 10; round += 1) {
      const [request] = await look(0.15)
      if (request === undefined) break
      expect((await site.run(request)).state).toBe('succeeded')
      sizes.push((await database(site)).volumeBytes!)
    }
    expect(sizes).toEqual([1.5, 2.25, 3.375, 4].map((factor) => factor * volumeBytes!))
    expect(sizes.at(-1)).toBe(volumeMaxBytes)
    expect(await events(site)).toHaveLength(4)
  })
})

describe('a chain', () => {
  const database = ({ catalog }: KindSite) =>
    catalog.db.selectFrom('sourceDatabase').selectAll().executeTakeFirstOrThrow()
  const problemOf = (job: { readonly problemJson: string | null }) => JSON.parse(job.problemJson!)

  test('that is proven to be broken is told, and the next run makes a new copy', async () => {
    const site = await makeSite()
    await site.run(protect)
    site.hosts.databases.brokenBy = 'production has removed log that was not received'
    const job = await site.run(protect)
    expect(job.state).toBe('failed')
    expect(problemOf(job)).toMatchObject({
      code: 'DATABASE_CHAIN_BROKEN',
      message: expect.stringMatching(/removed log that was not received; the next run/),
    })
    expect(statusOf(await database(site))).toMatchObject({ mustReseed: true })
    const events = site.catalog.db.selectFrom('event').selectAll()
    const broken = await events.where('type', '=', 'source.chain-broken').execute()
    expect(broken.map(({ dataJson }) => JSON.parse(dataJson))).toMatchObject([{ reseeds: true }])
    expect(await site.run(protect)).toMatchObject({ state: 'succeeded' })
    expect(site.hosts.counts.get('database.seed')).toBe(2)
    expect(site.hosts.counts.get('volume.create')).toBe(1)
    expect(await points(site)).toHaveLength(2)
    expect(await site.run(protect)).toMatchObject({ state: 'succeeded' })
    expect(site.hosts.counts.get('database.seed')).toBe(2)
  })

  test('is not made anew from another database, or from one that nobody can ask', async () => {
    const site = await makeSite()
    await site.run(protect)
    site.hosts.databases.brokenBy = 'the system identifiers differ'
    site.hosts.databases.identity = '8'
    const foreign = problemOf(await site.run(protect))
    expect(foreign.message).toContain('another database answers there')
    site.hosts.fail = (verb) => (verb === 'database.check' ? 'DATABASE_UNREACHABLE' : undefined)
    expect(problemOf(await site.run(protect)).message).toContain('once production answers')
    expect(site.hosts.counts.get('database.seed')).toBe(1)
    expect((await database(site)).seededAt).not.toBe(null)
  })

  test('whose volume is full says so, keeps its copy, and goes on when there is room', async () => {
    const site = await makeSite()
    await site.run(protect)
    site.hosts.databases.room = { sizeBytes: 4 * GiB, freeBytes: 1, full: true }
    const job = await site.run(protect)
    expect(problemOf(job)).toMatchObject({ code: 'DATABASE_VOLUME_FULL' })
    expect(statusOf(await database(site))).toMatchObject({ reason: 'the volume is full' })
    site.hosts.databases.room = { sizeBytes: 4 * GiB, freeBytes: GiB, full: false }
    expect(await site.run(protect)).toMatchObject({ state: 'succeeded' })
    expect(site.hosts.counts.get('database.seed')).toBe(1)
  })
})

describe('a virtual database without room', () => {
  const look = (site: KindSite) => {
    const { catalog, hosts, clock } = site
    return lookAtClones({ catalog, clock, orders: hosts }, clock.wallMs())
  }
  const fullEvents = ({ catalog }: KindSite) =>
    catalog.db.selectFrom('event').selectAll().where('type', '=', 'virtual-database.full').execute()

  test('says which limit it met, once, and is started anew with a larger quota', async () => {
    const site = await makeRunning()
    await site.run(verb('make-virtual-database', newest))
    const { mediumId } = await load(site)
    await look(site)
    expect((await load(site)).problemJson).toBe(null)
    site.hosts.full.set(mediumId!, 'quota')
    await Promise.all([look(site), site.pass(1)])
    await Promise.all([look(site), site.pass(1)])
    const problem = JSON.parse((await load(site)).problemJson!)
    expect(problem).toMatchObject({ code: 'VIRTUAL_DATABASE_FULL', details: { limit: 'quota' } })
    expect(problem.message).toContain('vdb extend --quota')
    expect(await fullEvents(site)).toHaveLength(1)
    const job = await site.run(verb('widen-virtual-database', { quotaBytes: 5_000_000 }))
    expect(job).toMatchObject({ state: 'succeeded' })
    expect(JSON.parse(job.resultJson!)).toEqual({ wasFull: true, restarted: true })
    expect(await load(site)).toMatchObject({
      state: 'running',
      problemJson: null,
      quotaBytes: 5_000_000,
    })
  })

  test('goes on by itself when the disk of its pool has room again', async () => {
    const site = await makeRunning()
    await site.run(verb('make-virtual-database', newest))
    const { mediumId } = await load(site)
    site.hosts.full.set(mediumId!, 'disk')
    await Promise.all([look(site), site.pass(1)])
    const widening = async () =>
      (await listCare(site.catalog.db, null, false)).filter(({ kind }) => kind.startsWith('widen'))
    expect(await widening()).toEqual([])
    site.hosts.full.clear()
    await Promise.all([look(site), site.pass(1)])
    const [request] = await widening()
    const job = await site.run(request!)
    expect(JSON.parse(job.resultJson!)).toEqual({ wasFull: true, restarted: true })
    expect((await load(site)).problemJson).toBe(null)
    expect(await widening()).toEqual([])
  })

  test('that has room notices nothing of a larger quota', async () => {
    const site = await makeRunning()
    await site.run(verb('make-virtual-database', newest))
    const job = await site.run(verb('widen-virtual-database', { quotaBytes: 5_000_000 }))
    expect(JSON.parse(job.resultJson!)).toEqual({ wasFull: false, restarted: false })
    expect(site.hosts.counts.get('database.deactivate')).toBe(undefined)
  })
})

describe('points taken on demand', () => {
  const onDemand = protectDatabaseRequest(source, { actor: 'user:usr_1', onDemand: true })

  test('cost the policy’s own no place, and go a day after their last use', async () => {
    const site = await makeSite()
    const spec = { rpo: '1h', retention: { last: 2 } }
    await addPolicy(site.catalog, 'plc_1', spec, { env: 'prod' })
    for (const request of [protect, onDemand, onDemand, protect, onDemand]) {
      expect(await site.run(request)).toMatchObject({ state: 'succeeded' })
      await site.pass(60)
    }
    await site.finishAll()
    const until = dateOfDay(Math.floor(site.catalog.clock.wallMs() / DAY_MS) + 1)
    const reasons = async () =>
      (await points(site)).map(({ reasonsJson }) => JSON.parse(reasonsJson))
    expect(await reasons()).toEqual([
      ['last'],
      [`on-demand ${until}`],
      [`on-demand ${until}`],
      // The volume of the standby stood on it when this was settled.
      ['last', 'newest', 'in-use'],
      ['newest', `on-demand ${until}`],
    ])
    site.clock.advance(2 * DAY_MS)
    // The volume stands on the last one until the first of these is sealed.
    await site.run(protect)
    await site.run(protect)
    await site.finishAll()
    expect((await points(site)).map(({ state }) => state)).toEqual([
      'deleted',
      'deleted',
      'deleted',
      'deleted',
      'deleted',
      'available',
      'available',
    ])
  })
})

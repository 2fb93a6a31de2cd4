import { describe, expect, test } from 'vitest'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { openCatalog } from '../../catalog/catalog.ts'
import { addGroup, GROUP, makeGroupSite, OTHER } from '../../group/groups.test-support.ts'
import { loadGroup, offeredPoints, showGroupPoints } from '../../group/rows.ts'
import { loadVirtualDatabase } from '../../virtual-database/rows.ts'
import { addVirtualDatabase } from './databases.test-support.ts'
import { expireRequest } from './expire.ts'
import { addPolicy } from './hosts.test-support.ts'
import { makeGroupDatabasesRequest } from './make-group-databases.ts'
import { protectGroupRequest } from './protect-group.ts'
import { HOST, type KindSite, POOL, SOURCE } from './site.test-support.ts'

const actor = 'user:usr_1'
const VDBS = ['vdb_1', 'vdb_2']

async function makeSite(policy: Parameters<typeof addPolicy>[2] | null = null): Promise<KindSite> {
  const catalog = await openCatalog({ url: 'sqlite::memory:', clock: new FakeClock() })
  const site = await makeGroupSite(catalog)
  if (policy === null) await addGroup(catalog)
  else {
    await addPolicy(catalog, 'plc_1', policy)
    await addGroup(catalog, { policyId: 'plc_1' })
  }
  return site
}

async function protect(site: KindSite) {
  const group = await loadGroup(site.catalog.db, GROUP)
  const job = await site.run(protectGroupRequest(group, { actor }))
  await site.finishAll()
  return job
}

const offered = async ({ catalog: { db } }: KindSite) =>
  showGroupPoints(db, await offeredPoints(db, GROUP).orderBy('at').execute())
const points = ({ catalog: { db } }: KindSite, sourceId: string) =>
  db.selectFrom('point').selectAll().where('sourceId', '=', sourceId).orderBy('takenAt').execute()
const events = ({ catalog: { db } }: KindSite, type: string) =>
  db.selectFrom('event').selectAll().where('type', '=', type).execute()

describe('protect-group', () => {
  test('makes a moment that lies between two points of every member', async () => {
    const site = await makeSite()
    expect(await protect(site)).toMatchObject({ state: 'succeeded' })
    const [point, ...more] = await offered(site)
    expect(more).toEqual([])
    const at = Date.parse(point!.at)
    expect(at % 1000).toBe(0)
    expect(point!.members).toHaveLength(2)
    for (const { sourceId, basePointId, pointId } of point!.members) {
      const [base, later] = await points(site, sourceId)
      expect([base!.id, later!.id]).toEqual([basePointId, pointId])
      expect(base!.takenAt + 1000).toBeLessThanOrEqual(at)
      expect(later!.takenAt).toBeGreaterThan(at)
    }
    expect(point!.clockSpreadMs).toBe(2)
    expect(await events(site, 'group-point.created')).toHaveLength(1)
    // From now on one point of each is enough: the base is that of the run before.
    expect(await protect(site)).toMatchObject({ state: 'succeeded' })
    expect(await points(site, SOURCE)).toHaveLength(3)
    expect(await offered(site)).toHaveLength(2)
  })

  test('says which member failed; the others have their point, the group has none', async () => {
    const site = await makeSite()
    await protect(site)
    site.hosts.fail = (verb, params) =>
      verb === 'database.mark' && (params as { id: string }).id === OTHER
        ? 'DATABASE_DENIED'
        : undefined
    const job = await protect(site)
    expect(job).toMatchObject({ state: 'failed' })
    expect(job.problemJson).toContain('no group point: src_2: database.mark failed')
    expect(await offered(site)).toHaveLength(1)
    const count = { [SOURCE]: 3, [OTHER]: 2 }
    for (const [id, expected] of Object.entries(count)) {
      expect(await points(site, id)).toHaveLength(expected)
    }
    const { problemJson } = await loadGroup(site.catalog.db, GROUP)
    expect(problemJson).toContain('GROUP_MEMBER_FAILED')
    expect(await events(site, 'group.failed')).toHaveLength(1)
    const left = await site.catalog.db.selectFrom('groupPointMember').selectAll().execute()
    expect(left).toHaveLength(2)
    site.hosts.fail = () => undefined
    expect(await protect(site)).toMatchObject({ state: 'succeeded' })
    expect((await loadGroup(site.catalog.db, GROUP)).problemJson).toBeNull()
  })

  test('refuses clocks that are further apart than the group allows, and warns before', async () => {
    const site = await makeSite()
    const { clocks } = site.hosts.databases
    clocks.set(OTHER, { offsetMs: 5000, errorMs: 2 })
    const job = await protect(site)
    expect(job).toMatchObject({ state: 'failed' })
    expect(job.problemJson).toContain('4994 ms apart')
    expect(await offered(site)).toEqual([])
    clocks.set(OTHER, { offsetMs: 500, errorMs: 2 })
    expect(await protect(site)).toMatchObject({ state: 'warning' })
    // Not measured: nobody says that they agree.
    clocks.delete(OTHER)
    expect(await protect(site)).toMatchObject({ state: 'warning' })
    expect((await offered(site)).map((each) => each.clockSpreadMs)).toEqual([500, null])
  })
})

describe('retention of a group', () => {
  test('keeps the points of its moments together, and lets them go together', async () => {
    const site = await makeSite({ rpo: '1h', retention: { last: 2 } })
    for (let i = 0; i < 5; i += 1) {
      expect(await protect(site)).toMatchObject({ state: 'succeeded' })
      await site.pass(30)
    }
    const kept = await offered(site)
    expect(kept.map(({ reasons }) => reasons)).toEqual([['last'], ['last', 'newest']])
    const needed = new Set(
      kept.flatMap(({ members }) => members).flatMap((each) => [each.basePointId, each.pointId]),
    )
    for (const sourceId of [SOURCE, OTHER]) {
      const there = (await points(site, sourceId)).filter(({ state }) => state === 'available')
      // Two by the policy, and the base of the older moment.
      expect(there).toHaveLength(3)
      for (const point of there) expect(needed).toContain(point.id)
      expect(there[0]!.reasonsJson).toBe('["group"]')
    }
  })

  test('a moment of which a member lost its point is not offered', async () => {
    const site = await makeSite()
    await protect(site)
    const [point] = await offered(site)
    const pointIds = [point!.members[0]!.basePointId]
    const of = { sourceId: point!.members[0]!.sourceId, poolId: POOL, labels: {}, actor, pointIds }
    expect(await site.run(expireRequest(of))).toMatchObject({ state: 'succeeded' })
    expect(await offered(site)).toEqual([])
  })
})

describe('make-group-databases', () => {
  async function makeRows(site: KindSite): Promise<void> {
    for (const [i, sourceId] of [SOURCE, OTHER].entries()) {
      await addVirtualDatabase(site.catalog, VDBS[i]!, { sourceId, hostId: HOST, poolId: POOL })
    }
  }
  async function make(site: KindSite, atMs: number) {
    await makeRows(site)
    const of = { atMs, virtualDatabaseIds: VDBS, actor, labels: {} }
    const job = await site.run(makeGroupDatabasesRequest({ id: GROUP }, of))
    await site.finishAll()
    return job
  }
  const states = async (site: KindSite) => {
    const rows = await Promise.all(VDBS.map((id) => loadVirtualDatabase(site.catalog.db, id)))
    return rows.map(({ state }) => state)
  }

  test('makes all of them at the moment', async () => {
    const site = await makeSite()
    await protect(site)
    const [point] = await offered(site)
    expect(await make(site, Date.parse(point!.at))).toMatchObject({ state: 'succeeded' })
    expect(await states(site)).toEqual(['running', 'running'])
    for (const id of VDBS) {
      const { dataAt } = await loadVirtualDatabase(site.catalog.db, id)
      expect(dataAt).toBe(Date.parse(point!.at))
    }
  })

  test('takes points first for a moment that is later than those there are', async () => {
    const site = await makeSite()
    await protect(site)
    await site.pass(60)
    const atMs = Math.floor(site.clock.wallMs() / 1000) * 1000
    await site.pass(2)
    expect(await make(site, atMs)).toMatchObject({ state: 'succeeded' })
    for (const id of [SOURCE, OTHER]) {
      expect((await points(site, id)).at(-1)).toMatchObject({ onDemand: 1 })
    }
  })

  test('makes none when one of them cannot be made, and leaves nothing', async () => {
    const site = await makeSite()
    await protect(site)
    const [point] = await offered(site)
    const before = [site.hosts.served.size, site.hosts.attached.size]
    site.hosts.fail = (verb, params) =>
      verb === 'database.activate' && (params as { id: string }).id === VDBS[1]
        ? 'PORT_TAKEN'
        : undefined
    const job = await make(site, Date.parse(point!.at))
    expect(job).toMatchObject({ state: 'failed' })
    expect(job.problemJson).toContain('none was made: vdb_2: database.activate failed')
    expect(await states(site)).toEqual(['dropped', 'failed'])
    expect(site.hosts.databases.instances.size).toBe(0)
    expect([site.hosts.served.size, site.hosts.attached.size]).toEqual(before)
  })
})

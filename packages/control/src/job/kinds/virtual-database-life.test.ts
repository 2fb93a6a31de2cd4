/** Following production, standing in its place, and moving to a local directory. */
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { openCatalog } from '../../catalog/catalog.ts'
import { listCare } from '../../schedule/database-care.ts'
import { loadVirtualDatabase } from '../../virtual-database/rows.ts'
import { addDatabase, addVirtualDatabase } from './databases.test-support.ts'
import { failSometimes } from './hosts.test-support.ts'
import { protectDatabaseRequest } from './protect-database.ts'
import { HOST, KindSite, NODE, POOL, SOURCE } from './site.test-support.ts'
import { virtualDatabaseRequest } from './virtual-database-params.ts'

const VDB = 'vdb_1'
const DIRECTORY = '/srv/pg/shop'
const source = { id: SOURCE, hostId: HOST, poolId: POOL, labelsJson: '{"env":"prod"}' }
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
const make = verb('make-virtual-database', { of: { moment: { kind: 'newest' } } })
const promote = verb('promote-virtual-database', {
  directory: DIRECTORY,
  bytesPerSecond: null,
  wasRunning: true,
})

async function makeSite(
  more: { readonly liveSync?: number; readonly mode?: 'copy' | 'production' } = { liveSync: 0 },
): Promise<KindSite> {
  const catalog = await openCatalog({ url: 'sqlite::memory:', clock: new FakeClock() })
  const site = await KindSite.make(catalog)
  await addDatabase(catalog, SOURCE)
  const protect = protectDatabaseRequest(source, { actor: 'user:usr_1' })
  expect(await site.run(protect)).toMatchObject({ state: 'succeeded' })
  await addVirtualDatabase(catalog, VDB, { sourceId: SOURCE, hostId: HOST, poolId: POOL })
  await catalog.db
    .updateTable('virtualDatabase')
    .set({ ...more })
    .where('id', '=', VDB)
    .execute()
  return site
}

async function makePromoting(): Promise<KindSite> {
  const site = await makeSite()
  await site.run(make)
  const leaseUntil = site.clock.wallMs() + 1e9
  const { db } = site.catalog
  await db.updateTable('virtualDatabase').set({ state: 'promoting', leaseUntil }).execute()
  return site
}

const load = ({ catalog }: KindSite) => loadVirtualDatabase(catalog.db, VDB)
const instances = ({ hosts }: KindSite) => [...hosts.databases.instances.values()]
const volumes = ({ hosts }: KindSite) => ({
  served: hosts.served.size,
  attached: hosts.attached.size,
})

describe('a promotion', () => {
  test('goes on at the directory with port and password, and lets the clone go', async () => {
    const site = await makePromoting()
    const before = await load(site)
    const job = await site.run(promote)
    expect(job).toMatchObject({ state: 'succeeded', problemJson: null })
    expect(JSON.parse(job.resultJson!)).toMatchObject({ pauseMs: expect.any(Number), passes: 1 })
    expect(await load(site)).toMatchObject({
      state: 'running',
      directory: DIRECTORY,
      mediumId: null,
      leaseUntil: null,
      port: before.port,
    })
    expect(instances(site)).toMatchObject([
      { id: VDB, directory: DIRECTORY, port: before.port, password: `secret of sec_${VDB}` },
    ])
    // The standby's own volume is left.
    expect(volumes(site)).toEqual({ served: 1, attached: 1 })
    await site.run(verb('stop-virtual-database', { immediate: false }))
    expect(instances(site)).toEqual([])
    await site.run(verb('start-virtual-database'))
    expect(instances(site)).toMatchObject([{ directory: DIRECTORY, port: before.port }])
  })

  test('that fails before it has moved leaves the instance on its clone, and no copy', async () => {
    const site = await makePromoting()
    const before = await load(site)
    site.hosts.fail = (each, params) =>
      each === 'database.relocate' && JSON.stringify(params).includes('finish')
        ? 'FS_NO_SPACE'
        : undefined
    expect((await site.run(promote)).state).toBe('failed')
    expect(await load(site)).toMatchObject({
      state: 'running',
      directory: null,
      mediumId: before.mediumId,
    })
    expect(instances(site)).toMatchObject([{ id: VDB, port: before.port }])
    expect(site.hosts.databases.directories.size).toBe(0)
  })

  test('that has moved is never taken back: what does not start there is started by care', async () => {
    const site = await makePromoting()
    site.hosts.fail = (each, params) =>
      each === 'database.activate' && JSON.stringify(params).includes(DIRECTORY)
        ? 'DATABASE_START_FAILED'
        : undefined
    expect((await site.run(promote)).state).toBe('failed')
    expect(await load(site)).toMatchObject({ state: 'lost', directory: DIRECTORY })
    expect(instances(site)).toEqual([])
    site.hosts.fail = () => undefined
    for (const request of await listCare(site.catalog.db, null, false)) await site.run(request)
    expect(await load(site)).toMatchObject({ state: 'running', mediumId: null })
    expect(instances(site)).toMatchObject([{ directory: DIRECTORY }])
    expect(volumes(site)).toEqual({ served: 1, attached: 1 })
  })

  test('runs at one place at a time, whatever fails and when', async () => {
    for (let seed = 1; seed <= 8; seed += 1) {
      const site = await makePromoting()
      const codes = ['HOST_OFFLINE', 'ORDER_TIMEOUT', 'DATABASE_START_FAILED', 'FS_IO'] as const
      site.hosts.fail = failSometimes(new SeededRandom(seed), 4, codes)
      await site.run(promote)
      site.hosts.fail = () => undefined
      await site.finishAll()
      for (const request of await listCare(site.catalog.db, null, true)) await site.run(request)
      const after = await load(site)
      expect(after.state, `seed ${seed}`).toBe('running')
      expect(instances(site), `seed ${seed}`).toHaveLength(1)
      const isAtDirectory = instances(site)[0]!.directory === DIRECTORY
      expect(isAtDirectory, `seed ${seed}`).toBe(after.directory === DIRECTORY)
    }
  })

  test('is dropped with its directory, or without when that is wanted', async () => {
    const site = await makePromoting()
    await site.run(promote)
    await site.run(verb('drop-virtual-database', { force: false, keepData: true }))
    expect(instances(site)).toEqual([])
    expect(site.hosts.databases.directories.get(DIRECTORY)).toBe(VDB)
    const other = await makePromoting()
    await other.run(promote)
    await other.run(verb('drop-virtual-database', { force: false }))
    expect(other.hosts.databases.directories.size).toBe(0)
    expect(await load(other)).toMatchObject({ state: 'dropped', port: null })
  })
})

describe('live sync', () => {
  test('follows, pauses, resumes, and is opened; production keeps nothing after that', async () => {
    const site = await makeSite({ liveSync: 1 })
    expect(await site.run(make)).toMatchObject({ state: 'succeeded', problemJson: null })
    expect(instances(site)).toMatchObject([{ follow: true, paused: false }])
    await site.run(verb('sync-virtual-database', { paused: true }))
    expect(instances(site)).toMatchObject([{ follow: true, paused: true }])
    expect(await load(site)).toMatchObject({ syncPaused: 1, state: 'running' })
    // A boot changes nothing of that.
    site.hosts.databases.instances.clear()
    for (const request of await listCare(site.catalog.db, null, true)) await site.run(request)
    expect(instances(site)).toMatchObject([{ paused: true }])
    await site.run(verb('sync-virtual-database', { paused: false }))
    expect(instances(site)).toMatchObject([{ paused: false }])
    const { port } = await load(site)
    expect((await site.run(verb('open-virtual-database'))).state).toBe('succeeded')
    expect(await load(site)).toMatchObject({ liveSync: 0, state: 'running', port })
    expect(instances(site)).toMatchObject([{ follow: false, port }])
    expect(site.hosts.databases.slots.size).toBe(0)
  })

  test('that has stopped following is helped, and one that is paused is left alone', async () => {
    const site = await makeSite({ liveSync: 1 })
    await site.run(make)
    const { db } = site.catalog
    const kinds = async () => (await listCare(db, null, false)).map(({ kind }) => kind)
    const { syncJson } = await load(site)
    const stopped = JSON.stringify({ ...JSON.parse(syncJson!), state: 'stopped' })
    await db.updateTable('virtualDatabase').set({ syncJson: stopped }).execute()
    expect(await kinds()).toEqual(['start-virtual-database'])
    await db.updateTable('virtualDatabase').set({ syncPaused: 1 }).execute()
    expect(await kinds()).toEqual([])
  })

  test('that is dropped leaves nothing on production', async () => {
    const site = await makeSite({ liveSync: 1 })
    await site.run(make)
    expect(site.hosts.databases.slots.size).toBe(1)
    await site.run(verb('drop-virtual-database', { force: false }))
    expect(site.hosts.databases.slots.size).toBe(0)
    expect(instances(site)).toEqual([])
  })

  test('is opened also while production is away, which is when it is needed', async () => {
    const site = await makeSite({ liveSync: 1 })
    await site.run(make)
    site.hosts.fail = (each) => (each === 'database.unfollow' ? 'DATABASE_UNREACHABLE' : undefined)
    expect((await site.run(verb('open-virtual-database'))).state).toBe('succeeded')
    expect(instances(site)).toMatchObject([{ follow: false }])
  })
})

describe('in the place of production', () => {
  test('nothing is started while production answers', async () => {
    const site = await makeSite({ mode: 'production' })
    const job = await site.run(make)
    expect(job.state).toBe('failed')
    expect(JSON.parse(job.problemJson!)).toMatchObject({ code: 'PRODUCTION_ANSWERS' })
    expect(instances(site)).toEqual([])
  })

  test('it starts with the accounts of production, from what the standby has received', async () => {
    const site = await makeSite({ mode: 'production' })
    site.hosts.databases.productionGone = true
    const last = protectDatabaseRequest(source, { actor: 'user:usr_1', receivedOnly: true })
    expect((await site.run(last)).state).toBe('succeeded')
    expect(site.hosts.counts.get('database.follow')).toBe(1)
    expect(await site.run(make)).toMatchObject({ state: 'succeeded' })
    expect(instances(site)).toMatchObject([{ asProduction: true }])
  })
})

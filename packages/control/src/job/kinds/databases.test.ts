import { describe, expect, test } from 'vitest'
import { openCatalog } from '../../catalog/catalog.ts'
import { loadVirtualDatabase } from '../../virtual-database/rows.ts'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { SeededRandom } from '@openmaas/kernel/random'
import { addDatabase, addVirtualDatabase } from './databases.test-support.ts'
import { mountPathOf } from './database-media.ts'
import { failSometimes } from './hosts.test-support.ts'
import { protectDatabaseRequest } from './protect-database.ts'
import { listCare } from '../../schedule/database-care.ts'
import { HOST, KindSite, NODE, POOL, SOURCE } from './site.test-support.ts'
import { verifyDatabaseRequest } from './verify-database.ts'
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
const refreshTo = (moment: object) => ({
  of: { moment },
  target: { kind: 'point' },
  bookmarkId: null,
  wasRunning: true,
})

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

/** What is on hosts and nodes beside the volume of the standby. */
function leftovers({ hosts }: KindSite, volumes: number) {
  return {
    served: hosts.served.size - volumes,
    attached: hosts.attached.size - volumes,
    instances: hosts.databases.instances.size,
  }
}
const NOTHING = { served: 0, attached: 0, instances: 0 }

describe('protect-database', () => {
  test('makes volume and copy once, and a point of the newest state each time', async () => {
    const site = await makeSite()
    expect(await site.run(protect)).toMatchObject({ state: 'succeeded', problemJson: null })
    await site.pass(60)
    expect(await site.run(protect)).toMatchObject({ state: 'succeeded' })
    expect(Object.fromEntries(site.hosts.counts)).toMatchObject({
      'volume.create': 1,
      'database.check': 1,
      'database.seed': 1,
      'database.follow': 2,
      'medium.seal': 2,
    })
    const rows = await points(site)
    expect(rows).toHaveLength(2)
    expect(rows[1]).toMatchObject({ kind: 'volume', consistency: 'application' })
    expect(JSON.parse(rows[1]!.databaseJson!)).toMatchObject({ engine: 'postgres', detail: '1' })
    const medium = await site.catalog.db.selectFrom('medium').selectAll().executeTakeFirstOrThrow()
    expect(medium).toMatchObject({ purpose: 'volume', pointId: rows[1]!.id, state: 'plugged' })
    const kept = await site.catalog.db.selectFrom('source').selectAll().executeTakeFirstOrThrow()
    expect(kept.lastPointId).toBe(rows[1]!.id)
  })

  test('says what production lacks, and makes nothing', async () => {
    const site = await makeSite()
    site.hosts.databases.checkOk = false
    const job = await site.run(protect)
    expect(job.state).toBe('failed')
    const problem = JSON.parse(job.problemJson!)
    expect(problem).toMatchObject({ code: 'DATABASE_UNFIT' })
    expect(JSON.stringify(problem)).toContain("ALTER SYSTEM SET wal_level = 'replica'")
    expect(site.hosts.served.size).toBe(0)
  })

  test('takes no point for what is not in the log of production yet', async () => {
    const site = await makeRunning()
    const takenFor = (wanted: string) =>
      site.run(protectDatabaseRequest(source, { actor: 'user:usr_1', onDemand: true, wanted }))
    expect(await takenFor('FFFF/0')).toMatchObject({
      state: 'failed',
      problemJson: expect.stringContaining('no point was taken for it'),
    })
    expect(await points(site)).toHaveLength(1)
    // Of what only a recovery can tell, and of what is there, one is taken.
    for (const wanted of ['a name of a restore point', '0/1']) {
      expect(await takenFor(wanted)).toMatchObject({ state: 'succeeded' })
    }
    expect(await points(site)).toHaveLength(3)
  })

  test('goes on with the volume that a failed run has left, and seeds it once', async () => {
    const site = await makeSite()
    site.hosts.fail = (each) => (each === 'database.follow' ? 'DATABASE_REFUSED' : undefined)
    expect((await site.run(protect)).state).toBe('failed')
    site.hosts.fail = () => undefined
    expect((await site.run(protect)).state).toBe('succeeded')
    expect(site.hosts.counts.get('volume.create')).toBe(1)
    expect(site.hosts.counts.get('database.seed')).toBe(1)
    expect(site.hosts.served.size).toBe(1)
  })
})

describe('a virtual database', () => {
  test('is made, keeps port and password through a refresh, and leaves nothing when dropped', async () => {
    const site = await makeRunning()
    expect(await site.run(verb('make-virtual-database', newest))).toMatchObject({
      state: 'succeeded',
      virtualDatabaseId: VDB,
    })
    const made = await load(site)
    expect(made).toMatchObject({
      state: 'running',
      port: 20_000,
      pointId: (await points(site))[0]!.id,
    })
    expect([...site.hosts.databases.instances.values()][0]).toMatchObject({ id: VDB, port: 20_000 })
    await site.pass(60)
    await site.run(protect)
    const refreshed = await site.run(
      verb('refresh-virtual-database', refreshTo({ kind: 'newest' })),
    )
    expect(refreshed.state).toBe('succeeded')
    const after = await load(site)
    expect(after).toMatchObject({
      state: 'running',
      port: 20_000,
      pointId: (await points(site))[1]!.id,
    })
    expect(after.mediumId).not.toBe(made.mediumId)
    expect([...site.hosts.databases.instances.values()]).toMatchObject([
      { port: 20_000, password: `secret of sec_${VDB}` },
    ])
    expect(leftovers(site, 1)).toEqual({ served: 1, attached: 1, instances: 1 })
    expect((await site.run(verb('drop-virtual-database', { force: false }))).state).toBe(
      'succeeded',
    )
    expect(leftovers(site, 1)).toEqual(NOTHING)
    expect(await load(site)).toMatchObject({ state: 'dropped', port: null, mediumId: null })
  })

  test('of a second is recovered beside the log of the later point, which goes again', async () => {
    const site = await makeRunning()
    const first = (await points(site))[0]!.takenAt
    await site.pass(120)
    await site.run(protect)
    const moment = { kind: 'time', atMs: first + 30_000 }
    const seen: unknown[] = []
    site.hosts.fail = (each, params) => {
      if (each === 'database.activate') seen.push(params)
      return undefined
    }
    expect((await site.run(verb('make-virtual-database', { of: { moment } }))).state).toBe(
      'succeeded',
    )
    expect(seen).toMatchObject([{ target: moment, logDirectories: [expect.any(String)] }])
    expect(leftovers(site, 1)).toEqual({ served: 1, attached: 1, instances: 1 })
    expect(await load(site)).toMatchObject({ dataAt: first + 30_000, state: 'running' })
  })

  test('of a transaction is looked for from the newest point back', async () => {
    const site = await makeRunning()
    for (let i = 0; i < 2; i += 1) {
      await site.pass(60)
      await site.run(protect)
    }
    const [, , last] = await points(site)
    site.hosts.databases.unreachable.add(last!.snapshotId)
    const of = { moment: { kind: 'transaction', id: '742' } }
    expect((await site.run(verb('make-virtual-database', { of }))).state).toBe('succeeded')
    expect(await load(site)).toMatchObject({ pointId: (await points(site))[1]!.id })
    expect(leftovers(site, 1)).toEqual({ served: 1, attached: 1, instances: 1 })
  })

  test('is plugged anew when an answer was lost after a first point was tried in vain', async () => {
    const site = await makeRunning()
    await site.pass(60)
    await site.run(protect)
    const [, last] = await points(site)
    site.hosts.databases.unreachable.add(last!.snapshotId)
    let lost = 0
    site.hosts.fail = (each) => {
      if (each !== 'database.activate' || (lost += 1) !== 2) return undefined
      return 'HOST_OFFLINE' // Its agent was killed: the next attempt asks under the same keys.
    }
    const of = { moment: { kind: 'transaction', id: '742' } }
    const made = await site.run(verb('make-virtual-database', { of }))
    expect(made).toMatchObject({ state: 'succeeded', problemJson: null })
    expect(await load(site)).toMatchObject({ pointId: (await points(site))[0]!.id })
    expect(leftovers(site, 1)).toEqual({ served: 1, attached: 1, instances: 1 })
  })

  test('whose clone is unmounted, or takes no writes, is mounted anew and started', async () => {
    const site = await makeRunning()
    const { hosts } = site
    const loseOnce = (lose: (mediumId: string) => void): void => {
      let isLost = false
      hosts.fail = (each, params) => {
        if (each !== 'database.activate' || isLost) return undefined
        isLost = true
        lose((params as { directory: string }).directory.split('/').at(-1)!)
        return undefined
      }
    }
    loseOnce((mediumId) => hosts.attached.delete(mediumId))
    expect((await site.run(verb('make-virtual-database', newest))).state).toBe('succeeded')
    loseOnce((mediumId) => hosts.databases.readOnly.add(mountPathOf(mediumId)))
    expect((await site.run(verb('start-virtual-database'))).state).toBe('succeeded')
    expect(hosts.databases.readOnly.size).toBe(0)
    expect(await load(site)).toMatchObject({ state: 'running', port: 20_000 })
    expect(leftovers(site, 1)).toEqual({ served: 1, attached: 1, instances: 1 })
  })

  test('that cannot be made leaves nothing behind, and says why', async () => {
    const site = await makeRunning()
    site.hosts.fail = (each) => (each === 'database.activate' ? 'DATABASE_START_FAILED' : undefined)
    expect((await site.run(verb('make-virtual-database', newest))).state).toBe('failed')
    expect(leftovers(site, 1)).toEqual(NOTHING)
    expect(await load(site)).toMatchObject({ state: 'failed', mediumId: null })
  })

  test('whose refresh fails runs on as it was', async () => {
    const site = await makeRunning()
    await site.run(verb('make-virtual-database', newest))
    const before = await load(site)
    let failures = 0
    site.hosts.fail = (each, params) => {
      const isNew = !JSON.stringify(params).includes(before.mediumId!)
      if (each !== 'database.activate' || !isNew) return undefined
      failures += 1
      return 'DATABASE_REFUSED'
    }
    const job = await site.run(verb('refresh-virtual-database', refreshTo({ kind: 'newest' })))
    expect(job.state).toBe('failed')
    expect(failures).toBe(1)
    expect(await load(site)).toMatchObject({
      state: 'running',
      mediumId: before.mediumId,
      port: 20_000,
    })
    expect([...site.hosts.databases.instances.values()]).toMatchObject([{ port: 20_000 }])
    expect(leftovers(site, 1)).toEqual({ served: 1, attached: 1, instances: 1 })
  })

  test('stops and starts at the same port, and is bookmarked while it runs', async () => {
    const site = await makeRunning()
    await site.run(verb('make-virtual-database', newest))
    await site.catalog.db
      .insertInto('bookmark')
      .values({
        id: 'bkm_1',
        virtualDatabaseId: VDB,
        name: 'before',
        state: 'creating',
        poolId: POOL,
        snapshotId: null,
        takenAt: null,
        sizeBytes: null,
        addedBytes: null,
        createdBy: 'user:usr_1',
        createdAt: 1,
        problemJson: null,
      })
      .execute()
    const bookmarked = await site.run(verb('make-bookmark', { bookmarkId: 'bkm_1' }))
    expect(bookmarked.state).toBe('succeeded')
    const stopped = await site.run(verb('stop-virtual-database', { immediate: false }))
    expect(stopped.state).toBe('succeeded')
    expect(site.hosts.databases.instances.size).toBe(0)
    expect(await load(site)).toMatchObject({ state: 'stopped', port: 20_000 })
    expect((await site.run(verb('start-virtual-database'))).state).toBe('succeeded')
    expect(await load(site)).toMatchObject({ state: 'running', port: 20_000 })
    const reset = { ...refreshTo({}), of: { bookmarkId: 'bkm_1' }, bookmarkId: 'bkm_1' }
    expect((await site.run(verb('refresh-virtual-database', reset))).state).toBe('succeeded')
    expect(await load(site)).toMatchObject({ state: 'running', bookmarkId: 'bkm_1', port: 20_000 })
    expect((await site.run(verb('drop-virtual-database', { force: false }))).state).toBe(
      'succeeded',
    )
    expect(leftovers(site, 1)).toEqual(NOTHING)
    // The volume's own and the points; no bookmark.
    const bookmarks = [...site.hosts.snapshots.values()].filter(
      ({ tags }) => tags['openmaas.bookmark'] !== undefined,
    )
    expect(bookmarks).toEqual([])
  })

  test('always ends whole or not at all, whatever fails, and a drop ends it', async () => {
    for (let seed = 1; seed <= 12; seed += 1) {
      const site = await makeRunning()
      const codes = ['HOST_OFFLINE', 'ORDER_TIMEOUT', 'DATABASE_START_FAILED', 'FS_IO'] as const
      site.hosts.fail = failSometimes(new SeededRandom(seed), 5, codes)
      await site.run(verb('make-virtual-database', newest))
      const made = await load(site)
      if (made.state === 'running') {
        await site.run(verb('refresh-virtual-database', refreshTo({ kind: 'newest' })))
      }
      site.hosts.fail = () => undefined
      await site.finishAll()
      await site.run(verb('drop-virtual-database', { force: true }))
      expect(site.hosts.databases.instances.size, `seed ${seed}`).toBe(0)
      expect(await load(site), `seed ${seed}`).toMatchObject({ state: 'dropped' })
    }
  })
})

describe('after a boot of the host', () => {
  test('standby and virtual database run again, at the port that people know', async () => {
    const site = await makeRunning()
    await site.run(verb('make-virtual-database', newest))
    const { databases, attached } = site.hosts
    attached.clear()
    databases.instances.clear()
    databases.following.clear()
    const { db } = site.catalog
    for (const request of await listCare(db, [HOST], true)) await site.run(request)
    expect(leftovers(site, 1)).toEqual({ served: 1, attached: 1, instances: 1 })
    expect([...databases.following.keys()]).toEqual([SOURCE])
    expect([...databases.instances.values()]).toMatchObject([{ id: VDB, port: 20_000 }])
    expect(await load(site)).toMatchObject({ state: 'running', port: 20_000 })
    // What somebody has stopped stays so.
    await site.run(verb('stop-virtual-database', { immediate: false }))
    const kinds = (await listCare(db, null, true)).map(({ kind }) => kind)
    expect(kinds).toEqual(['follow-database'])
  })

  test('a volume whose file system met an error is mounted anew, and followed on', async () => {
    const site = await makeSite()
    await site.run(protect)
    const { databases } = site.hosts
    const [mediumId] = [...site.hosts.attached.keys()]
    const heals = [protect, ...(await listCare(site.catalog.db, [HOST], true))]
    expect(heals).toHaveLength(2)
    for (const request of heals) {
      databases.readOnly.add(mountPathOf(mediumId!))
      databases.following.clear()
      const counted = site.hosts.counts.get('database.unfollow') ?? 0
      const job = await site.run(request)
      expect(job).toMatchObject({ state: 'succeeded', problemJson: null })
      expect([...databases.following.keys()]).toEqual([SOURCE])
      // It was stopped before its disk went away under it.
      expect(site.hosts.counts.get('database.unfollow')).toBe(counted + 1)
    }
    expect(site.hosts.counts.get('database.seed')).toBe(1)
    expect(site.hosts.attached.size).toBe(1)
  })

  test('one that does not start is lost, and found again', async () => {
    const site = await makeRunning()
    await site.run(verb('make-virtual-database', newest))
    site.hosts.databases.instances.clear()
    site.hosts.fail = (each) => (each === 'database.activate' ? 'DATABASE_REFUSED' : undefined)
    const again = verb('start-virtual-database', { again: true })
    await site.run(again)
    expect(await load(site)).toMatchObject({ state: 'lost' })
    site.hosts.fail = () => undefined
    for (const request of await listCare(site.catalog.db, null, false)) await site.run(request)
    expect(await load(site)).toMatchObject({ state: 'running', port: 20_000, problemJson: null })
  })
})

describe('verify-database', () => {
  test('proves a point on a clone that is gone afterwards', async () => {
    const site = await makeRunning()
    const request = verifyDatabaseRequest(source, { actor: 'user:usr_1' })
    const job = await site.run(request)
    expect(job.state).toBe('succeeded')
    expect(JSON.parse(job.resultJson!)).toMatchObject({
      ok: true,
      checks: [{ name: 'pg_amcheck' }],
    })
    expect((await points(site))[0]!.verifiedAt).not.toBeNull()
    expect(leftovers(site, 1)).toEqual(NOTHING)
    site.hosts.databases.verifyOk = false
    expect((await site.run(request)).state).toBe('warning')
    expect(leftovers(site, 1)).toEqual(NOTHING)
  })
})

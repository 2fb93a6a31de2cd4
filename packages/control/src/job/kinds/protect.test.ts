/** protect and expire: points come, are kept for a reason, and go. */
import { expect, test } from 'vitest'
import { describeBothCatalogs } from '../../catalog/both-catalogs.test-support.ts'
import { parsePointTags } from '../../catalog/point-tags.ts'
import { expireRequest } from './expire.ts'
import { addMedium, addPolicy } from './hosts.test-support.ts'
import { reconcilePointsRequest } from './reconcile-points.ts'
import { protectRequest } from './protect.ts'
import { HOST, KindSite, NODE, POOL, SOURCE } from './site.test-support.ts'

const REQUEST = protectRequest(
  { id: SOURCE, hostId: HOST, poolId: null, labelsJson: '{"env":"prod"}' },
  { actor: 'system' },
)
const listPoints = (site: KindSite) =>
  site.catalog.db.selectFrom('point').selectAll().orderBy('takenAt').execute()

describeBothCatalogs('protect', (make) => {
  test('makes a point, remembers the success, and tells about it', async () => {
    const site = await KindSite.make(await make())
    await addPolicy(site.catalog, 'plc_1', { rpo: '1h', lockDays: 2 }, { env: 'prod' })
    const job = await site.run(REQUEST)
    expect(job).toMatchObject({ state: 'succeeded', poolId: POOL, nodeId: NODE, policyId: 'plc_1' })
    const [point] = await listPoints(site)
    expect(point).toMatchObject({
      sourceId: SOURCE,
      snapshotId: 'snp_00000001',
      state: 'available',
      consistency: 'files',
    })
    const lockedMs = point!.lockUntil! - job.queuedAt
    expect(lockedMs).toBeGreaterThanOrEqual(2 * 86_400_000)
    expect(lockedMs).toBeLessThanOrEqual(2 * 86_400_000 + 10_000)
    expect(job.pointId).toBe(point!.id)
    const source = await site.catalog.db.selectFrom('source').selectAll().executeTakeFirst()
    expect(source).toMatchObject({ lastPointId: point!.id, lastSuccessAt: point!.takenAt })
    const events = await site.catalog.db.selectFrom('event').select('type').orderBy('seq').execute()
    // Progress is told twice a second: on a slow machine, of this job too.
    const types = events.map((row) => row.type).filter((type) => type !== 'job.progress')
    expect(types).toEqual(['job.queued', 'job.started', 'point.created', 'job.ended'])
    // Enough to rebuild the catalog from.
    const tags = parsePointTags([...site.hosts.snapshots.values()][0]!.tags)
    expect(tags).toMatchObject({
      sourceId: SOURCE,
      hostId: HOST,
      sourcePath: '/data',
      labels: { env: 'prod' },
      policy: { id: 'plc_1', spec: { rpo: '1h' } },
    })
    expect(site.errors).toEqual([])
  })

  test('builds upon the newest point there is', async () => {
    const site = await KindSite.make(await make())
    const parents: unknown[] = []
    site.hosts.fail = (verb, params) => {
      if (verb === 'source.capture') {
        parents.push((params as { readonly parentSnapshotId: string | null }).parentSnapshotId)
      }
      return undefined
    }
    await site.run(REQUEST)
    await site.run(REQUEST)
    await site.run(REQUEST)
    expect(parents).toEqual([null, 'snp_00000001', 'snp_00000002'])
  })

  test('leaves no snapshot behind when it is cancelled after the pool has it', async () => {
    const site = await KindSite.make(await make())
    site.hosts.captureMs = 60_000
    const jobId = await site.enqueue(REQUEST)
    await site.pass(3)
    // The capture is there, but its answer never came.
    const lost = { snapshotId: 'snp_lost', sourceId: SOURCE, requestId: jobId, takenAt: 1 }
    site.hosts.snapshots.set('snp_lost', { ...lost, lockUntil: null, tags: {} })
    await site.engine.cancel(jobId)
    expect(await site.finish(jobId)).toMatchObject({ state: 'cancelled' })
    expect(site.hosts.snapshots.size).toBe(0)
    expect(await listPoints(site)).toEqual([])
  })

  test('expires what the policy does not keep, with the reason at each point that stays', async () => {
    const site = await KindSite.make(await make())
    await addPolicy(site.catalog, 'plc_1', { rpo: '1h', retention: { last: 2 } }, { env: 'prod' })
    for (let i = 0; i < 4; i += 1) await site.run(REQUEST)
    await site.finishAll()
    const points = await listPoints(site)
    expect(points.map((point) => [point.state, point.reasonsJson])).toEqual([
      ['deleted', '[]'],
      ['deleted', '[]'],
      ['available', '["last"]'],
      ['available', '["last","newest"]'],
    ])
    expect([...site.hosts.snapshots.keys()]).toEqual(['snp_00000003', 'snp_00000004'])
  })

  test('keeps everything of a source that no policy holds for', async () => {
    const site = await KindSite.make(await make())
    for (let i = 0; i < 3; i += 1) await site.run(REQUEST)
    await site.finishAll()
    const points = await listPoints(site)
    expect(points.map((point) => point.reasonsJson)).toEqual(Array(3).fill('["no-policy"]'))
  })

  test('never deletes what a medium stands on, or what is locked, even when asked by name', async () => {
    const site = await KindSite.make(await make())
    for (let i = 0; i < 3; i += 1) await site.run(REQUEST)
    const points = await listPoints(site)
    const [used, locked, free] = points.map((point) => point.id) as [string, string, string]
    const place = { sourceId: SOURCE, poolId: POOL, nodeId: NODE, hostId: HOST }
    await addMedium(site.catalog, 'mnt_1', { ...place, pointId: used, protocol: 'local' })
    const lockUntil = site.clock.wallMs() + 86_400_000
    await site.catalog.db.updateTable('point').set({ lockUntil }).where('id', '=', locked).execute()
    const pointIds = [used, locked, free]
    const job = await site.run(
      expireRequest({ sourceId: SOURCE, poolId: POOL, labels: {}, actor: 'user:usr_1', pointIds }),
    )
    expect(job).toMatchObject({ state: 'warning' })
    expect(JSON.parse(job.resultJson!)).toEqual({
      deleted: 1,
      refused: expect.arrayContaining([
        { pointId: used, code: 'OBJECT_IN_USE' },
        { pointId: locked, code: 'SNAPSHOT_LOCKED' },
      ]),
    })
    const after = await listPoints(site)
    expect(after.map((point) => point.state)).toEqual(['available', 'available', 'deleted'])
    expect([...site.hosts.snapshots.keys()]).toEqual(['snp_00000001', 'snp_00000002'])
  })

  test('a point that was plugged since somebody asked for its end fails that job', async () => {
    const site = await KindSite.make(await make())
    await site.run(REQUEST)
    const [point] = await listPoints(site)
    const wanted = { sourceId: SOURCE, poolId: POOL, labels: {}, actor: 'user:usr_1' }
    const jobId = await site.enqueue(expireRequest({ ...wanted, pointIds: [point!.id] }))
    const place = { sourceId: SOURCE, poolId: POOL, nodeId: NODE, hostId: HOST }
    await addMedium(site.catalog, 'mnt_1', { ...place, pointId: point!.id, protocol: 'local' })
    const job = await site.finish(jobId)
    expect(job).toMatchObject({ state: 'failed' })
    expect(JSON.parse(job.problemJson!)).toMatchObject({
      code: 'OBJECT_IN_USE',
      details: { pointId: point!.id, mediumId: 'mnt_1' },
    })
    expect((await listPoints(site)).map(({ state }) => state)).toEqual(['available'])
    expect([...site.hosts.snapshots.keys()]).toEqual(['snp_00000001'])
  })

  test('learns what an expiry has deleted when its answer was lost for good', async () => {
    const site = await KindSite.make(await make())
    await addPolicy(site.catalog, 'plc_1', { rpo: '1h', retention: { last: 1 } }, { env: 'prod' })
    await site.run(REQUEST)
    site.hosts.fail = (verb) => {
      if (verb !== 'pool.delete') return undefined
      // It is gone although we hear of a failure.
      site.hosts.snapshots.delete('snp_00000001')
      return 'POOL_BUSY'
    }
    await site.run(REQUEST)
    await site.finishAll()
    const states = (await listPoints(site)).map((point) => point.state)
    expect(states).toEqual(['deleted', 'available'])
    const jobs = await site.catalog.db.selectFrom('job').select(['kind', 'state']).execute()
    expect(jobs).toContainEqual({ kind: 'expire', state: 'failed' })
  })

  test('what the pool has and nobody knows becomes a point; what it lacks is missing', async () => {
    const site = await KindSite.make(await make())
    await site.run(REQUEST)
    await site.run(REQUEST)
    const reconcile = reconcilePointsRequest({ id: POOL, nodeId: NODE }, 'system')
    expect((await site.run(reconcile)).state).toBe('succeeded')
    const [first] = await listPoints(site)
    site.hosts.snapshots.delete(first!.snapshotId)
    const stray = { sourceId: SOURCE, requestId: 'job_gone', takenAt: site.clock.wallMs() }
    const more = { lockUntil: null, tags: {} }
    site.hosts.snapshots.set('snp_stray', { ...stray, ...more, snapshotId: 'snp_stray' })
    site.hosts.snapshots.set('snp_foreign', {
      ...stray,
      ...more,
      sourceId: 'src_x',
      snapshotId: 'snp_foreign',
    })
    const job = await site.run(reconcile)
    expect(job.state).toBe('warning')
    expect(JSON.parse(job.resultJson!)).toEqual({ snapshots: 3, adopted: 1, missing: 1 })
    const points = await listPoints(site)
    expect(points.map((point) => [point.snapshotId, point.state, point.reasonsJson])).toEqual([
      ['snp_00000001', 'missing', '["no-policy"]'],
      ['snp_00000002', 'available', '["no-policy"]'],
      ['snp_stray', 'available', '["adopted"]'],
    ])
    const source = await site.catalog.db.selectFrom('source').selectAll().executeTakeFirst()
    expect(source?.lastPointId).toBe(points[2]!.id)
  })

  test('says why it cannot begin: no pool, host drained', async () => {
    const site = await KindSite.make(await make())
    const { db } = site.catalog
    await db.updateTable('host').set({ drained: 1 }).where('id', '=', HOST).execute()
    const drained = await site.run(REQUEST)
    expect(JSON.parse(drained.problemJson!)).toMatchObject({ code: 'HOST_DRAINED' })
    await db.updateTable('host').set({ drained: 0 }).where('id', '=', HOST).execute()
    await db.deleteFrom('pool').execute()
    const homeless = await site.run(REQUEST)
    expect(homeless.state).toBe('failed')
    expect(JSON.parse(homeless.problemJson!)).toMatchObject({ code: 'SOURCE_HAS_NO_POOL' })
  })
})

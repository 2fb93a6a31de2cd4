/** What keeps pools healthy, and what shows a secret once. */
import { expect, test } from 'vitest'
import { describeBothCatalogs } from '../../catalog/both-catalogs.test-support.ts'
import { catalogBackupRequest } from './catalog-backup.ts'
import { discoverRequest } from './discover.ts'
import { checkRequest, collectRequest, verifyRequest } from './pool-care.ts'
import { protectRequest } from './protect.ts'
import { restoreRequest } from './restore.ts'
import { HOST, KindSite, NODE, POOL, SOURCE } from './site.test-support.ts'

const pool = { id: POOL, nodeId: NODE, labelsJson: '{}' }
const source = { id: SOURCE, hostId: HOST, poolId: null, labelsJson: '{}' }

describeBothCatalogs('the care of pools', (make) => {
  test('collects, checks, discovers and stores copies of the catalog', async () => {
    const site = await KindSite.make(await make())
    const requests = [
      collectRequest(pool, 'system'),
      checkRequest(pool, 'system'),
      discoverRequest({ id: HOST, labelsJson: '{}' }, 'system'),
      catalogBackupRequest(pool, 'system'),
    ]
    for (const request of requests) {
      const job = await site.run(request)
      expect([job.kind, job.state]).toEqual([request.kind, 'succeeded'])
      expect(job.resultJson).not.toBeNull()
    }
  })

  test('verifies the newest point, and remembers when', async () => {
    const site = await KindSite.make(await make())
    await site.run(protectRequest(source, { actor: 'system' }))
    const job = await site.run(verifyRequest(source, { actor: 'system', data: true }))
    expect(job.state).toBe('succeeded')
    const point = await site.catalog.db.selectFrom('point').select('verifiedAt').executeTakeFirst()
    expect(point?.verifiedAt).toBeGreaterThanOrEqual(job.startedAt!)
  })

  test('restores a point to a host, and refuses one that is gone', async () => {
    const site = await KindSite.make(await make())
    const { pointId } = await site.run(protectRequest(source, { actor: 'system' }))
    const point = { id: pointId!, sourceId: SOURCE, poolId: POOL, labelsJson: '{}' }
    const wish = { hostId: HOST, paths: [], to: '/restored', bytesPerSecond: null }
    const request = restoreRequest(point, { ...wish, conflict: 'fail', actor: 'user:usr_1' })
    const job = await site.run(request)
    expect(JSON.parse(job.resultJson!)).toMatchObject({ files: 3, bytes: 30 })
    await site.catalog.db.updateTable('point').set({ state: 'deleted' }).execute()
    const refused = await site.run(request)
    expect(JSON.parse(refused.problemJson!)).toMatchObject({ code: 'POINT_NOT_AVAILABLE' })
  })
})

import { FakeClock } from '@openmaas/testkit/fake-clock'
import { describe, expect, test } from 'vitest'
import { openCatalog } from '../../catalog/catalog.ts'
import type { RuleContext } from '../../monitor/alerts/rule-group.ts'
import { verificationRules } from '../../monitor/alerts/verification-rules.ts'
import { showVerification } from '../../points/verification.ts'
import { addDatabase } from './databases.test-support.ts'
import { addPolicy } from './hosts.test-support.ts'
import { protectDatabaseRequest } from './protect-database.ts'
import { HOST, KindSite, POOL, SOURCE } from './site.test-support.ts'
import { verifyDatabaseRequest } from './verify-database.ts'

const source = { id: SOURCE, hostId: HOST, poolId: POOL, labelsJson: '{"env":"prod"}' }
const protect = protectDatabaseRequest(source, { actor: 'user:usr_1' })
const verify = verifyDatabaseRequest(source, { actor: 'system' })

async function makeSite(): Promise<KindSite> {
  const catalog = await openCatalog({ url: 'sqlite::memory:', clock: new FakeClock() })
  const site = await KindSite.make(catalog)
  await addDatabase(catalog, SOURCE)
  return site
}

const newest = ({ catalog }: KindSite) =>
  catalog.db.selectFrom('point').selectAll().orderBy('takenAt', 'desc').executeTakeFirstOrThrow()
const alerts = ({ catalog }: KindSite) =>
  verificationRules.find({ db: catalog.db, now: catalog.clock.wallMs() } as RuleContext)

describe('the evidence of a verification', () => {
  test('stays with its point, and says which check failed', async () => {
    const site = await makeSite()
    await site.run(protect)
    const job = await site.run(verify)
    const good = await newest(site)
    expect(good.verifiedAt).not.toBeNull()
    expect(showVerification(good, true)).toMatchObject({
      state: 'verified',
      by: 'database',
      jobId: job.id,
      reason: '',
      checks: [{ name: 'pg_amcheck', ok: true, evidence: 'x' }],
    })
    expect(showVerification(good, false)).not.toHaveProperty('checks')
    expect(await alerts(site)).toEqual([])

    site.hosts.databases.verifyOk = false
    expect((await site.run(verify)).state).toBe('warning')
    const bad = await newest(site)
    // What failed is no verified point, for which retention would keep it.
    expect(bad.verifiedAt).toBeNull()
    const failed = { state: 'failed', reason: 'pg_amcheck: x', checkCount: 1, failedCount: 1 }
    expect(showVerification(bad, false)).toMatchObject(failed)
    expect(await alerts(site)).toMatchObject([
      {
        rule: 'database-unverified',
        subject: SOURCE,
        params: { pointId: bad.id, reason: 'pg_amcheck: x' },
      },
    ])
    site.hosts.databases.verifyOk = true
    await site.pass(1)
    await site.run(verify)
    expect(await alerts(site)).toEqual([])
  })

  test('is also that nothing starts on it; a host that is away says nothing of a point', async () => {
    const site = await makeSite()
    await site.run(protect)
    site.hosts.fail = (verb) => (verb === 'database.activate' ? 'DATABASE_START_FAILED' : undefined)
    expect((await site.run(verify)).state).toBe('failed')
    const point = await newest(site)
    expect(showVerification(point, true)).toMatchObject({
      state: 'failed',
      reason: expect.stringMatching(/^start: /),
    })
    expect(await alerts(site)).toHaveLength(1)

    const other = await makeSite()
    await other.run(protect)
    other.hosts.fail = (verb) => (verb === 'database.activate' ? 'MEDIUM_NOT_FOUND' : undefined)
    expect((await other.run(verify)).state).toBe('failed')
    expect(showVerification(await newest(other), true)).toBeNull()
  })
})

describe('a policy that wants each point verified', () => {
  const jobs = ({ catalog }: KindSite) =>
    catalog.db.selectFrom('job').selectAll().where('kind', '=', 'verify-database').execute()

  test('has it queued with the point, for that point', async () => {
    const site = await makeSite()
    const each = { every: '1d', points: 'each' } as const
    await addPolicy(site.catalog, 'each', { rpo: '1h', verify: each })
    await site.run(protect)
    const point = await newest(site)
    expect(await jobs(site)).toMatchObject([{ pointId: point.id, actor: 'system' }])
  })

  test('is no other: the newest point is verified by time', async () => {
    const site = await makeSite()
    await addPolicy(site.catalog, 'newest', { rpo: '1h', verify: { every: '1d' } })
    await site.run(protect)
    expect(await jobs(site)).toEqual([])
  })
})

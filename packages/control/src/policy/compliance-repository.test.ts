import { expect, test } from 'vitest'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import { HOUR_MS } from './zone.ts'
import { makeSite } from '../monitor/monitor.test-support.ts'
import { loadCompliance } from './compliance-repository.ts'
import { loadPolicies } from './resolve.ts'

describeBothCatalogs('facts about sources', (make) => {
  test('name the newest failure, whatever is scheduled now, and what a database waits for', async () => {
    const site = await makeSite(make)
    const { db } = site.catalog
    await site.addHost()
    await site.addPolicy({ rpo: '1h' })
    for (const id of ['src_1', 'src_2']) await site.addSource({ id, name: id, kind: 'postgres' })
    const of = { sourceId: 'src_1', kind: 'protect-database' } as const
    const failed = (code: string) =>
      ({ state: 'failed', problemJson: `{"code":"${code}"}` }) as const
    const now = site.clock.wallMs()
    await site.addJob({ id: 'job_1', ...of, ...failed('POOL_FULL'), queuedAt: now - 3 })
    await site.addJob({ id: 'job_2', ...of, ...failed('DATABASE_UNREACHABLE'), queuedAt: now - 2 })
    await site.addJob({ id: 'job_3', ...of, state: 'running', queuedAt: now - 1 })
    const schedule = { policyId: 'plc_1', purpose: 'protect', nextRunAt: now + HOUR_MS }
    const rows = [
      { ...schedule, sourceId: 'src_1', lastDueAt: null, lastJobId: 'job_3', failures: 2 },
      { ...schedule, sourceId: 'src_2', lastDueAt: null, lastJobId: null, failures: 0 },
    ]
    await db.insertInto('schedule').values(rows).execute()
    const policies = await loadPolicies(db)
    const found = await loadCompliance(db, ['src_1', 'src_2'], { policies, now })
    const failure = { code: 'LAST_FAILURE', params: { code: 'DATABASE_UNREACHABLE', failures: 2 } }
    expect(found[0]!.reasons).toContainEqual(failure)
    expect(found[0]!.reasons.map(({ code }) => code)).toContain('RUNNING')
    expect(found[1]!.reasons.map(({ code }) => code)).not.toContain('LAST_FAILURE')
  })
})

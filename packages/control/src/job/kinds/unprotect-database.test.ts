/** A source that is protected no longer: what of it is left, and where. */
import { describe, expect, test } from 'vitest'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { openCatalog } from '../../catalog/catalog.ts'
import { loadSourceDatabase } from '../../database/source-database.ts'
import type { JobRequest } from '../queue.ts'
import { addDatabase } from './databases.test-support.ts'
import { protectDatabaseRequest } from './protect-database.ts'
import { HOST, KindSite, POOL, SOURCE } from './site.test-support.ts'
import { unprotectDatabaseRequest } from './unprotect-database.ts'

const HOUR = 3600

async function makeProtected(): Promise<{
  site: KindSite
  request: (force: boolean) => JobRequest
}> {
  const catalog = await openCatalog({ url: 'sqlite::memory:', clock: new FakeClock() })
  const site = await KindSite.make(catalog)
  await addDatabase(catalog, SOURCE)
  const source = { id: SOURCE, hostId: HOST, poolId: POOL, labelsJson: '{"env":"prod"}' }
  const protect = protectDatabaseRequest(source, { actor: 'user:usr_1' })
  expect(await site.run(protect)).toMatchObject({ state: 'succeeded' })
  const { mediumId, connectionJson } = await loadSourceDatabase(catalog.db, SOURCE)
  const of = { engine: 'postgres', hostId: HOST, mediumId, secretId: null, connectionJson }
  const request = (force: boolean): JobRequest =>
    unprotectDatabaseRequest(source, { ...of, force, actor: 'user:usr_1' })
  return { site, request }
}

const left = ({ hosts }: KindSite): number =>
  hosts.served.size + hosts.attached.size + hosts.databases.following.size

describe('unprotect-database', () => {
  test('leaves nothing, and says so', async () => {
    const { site, request } = await makeProtected()
    const job = await site.run(request(false))
    expect(job).toMatchObject({ state: 'succeeded', resultJson: '{"left":null}' })
    expect(left(site)).toBe(0)
  })

  test('waits for a production that is away, a day at most', async () => {
    const { site, request } = await makeProtected()
    site.hosts.databases.productionGone = true
    const jobId = await site.enqueue(request(false))
    const load = () =>
      site.catalog.db
        .selectFrom('job')
        .selectAll()
        .where('id', '=', jobId)
        .executeTakeFirstOrThrow()
    const pass = async (hours: number): Promise<void> => {
      for (let i = 0; i < hours * 4; i += 1) {
        site.clock.advance((HOUR / 4) * 1000)
        await site.pass(2)
      }
    }
    await pass(23)
    expect((await load()).endedAt).toBeNull()
    expect(left(site)).toBeGreaterThan(0)
    await pass(2)
    expect(await load()).toMatchObject({ state: 'warning' })
    expect(left(site)).toBe(0)
  })

  test('ends at once with force, and names what production has still and the SQL that ends it', async () => {
    const { site, request } = await makeProtected()
    site.hosts.databases.productionGone = true
    const job = await site.run(request(true))
    expect(job.state).toBe('warning')
    expect(JSON.parse(job.resultJson!)).toEqual({
      left: {
        reason: 'nobody answers',
        what: `replication slot openmaas_${SOURCE}`,
        remedy: 'SELECT drop',
      },
    })
    const lines = await site.catalog.db
      .selectFrom('jobLog')
      .select('text')
      .where('jobId', '=', job.id)
      .execute()
    expect(lines.map(({ text }) => text).join('\n')).toContain('end it there with: SELECT drop')
    expect(left(site)).toBe(0)
  })

  test('takes a refusal for an answer: it would be refused again', async () => {
    const { site, request } = await makeProtected()
    site.hosts.fail = (verb, params) =>
      verb === 'database.unfollow' && JSON.stringify(params).includes('"forget":true')
        ? 'DATABASE_DENIED'
        : undefined
    expect((await site.run(request(false))).state).toBe('warning')
    expect(left(site)).toBe(0)
  })
})

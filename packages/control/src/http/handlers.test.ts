/** Reading and changing, on both dialects: what SQL could answer differently. */
import { describe, expect, test } from 'vitest'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { waitFor } from '@openmaas/testkit/wait-for'
import type { Principal } from '@openmaas/api/permissions'
import type { RouteName } from '@openmaas/api/routes/routes'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import type { MakeCatalog } from '../catalog/both-catalogs.test-support.ts'
import { makeTestServer } from './server.test-support.ts'
import type { TestServer } from './server.test-support.ts'
import { addPolicy } from '../job/kinds/hosts.test-support.ts'
import { addTenant } from './site.test-support.ts'
import { makeHandlers } from './handlers.test-support.ts'
import { readLabelFilter } from './list-query.ts'

async function withSite(
  make: MakeCatalog,
  body: (site: TestServer, get: (url: string, as?: string) => Promise<Answer>) => Promise<void>,
): Promise<void> {
  const clock = new FakeClock()
  const site = await makeTestServer((parts) => makeHandlers(parts), {
    catalog: await make(clock),
    clock,
  })
  const get = async (url: string, as = 'admin') => {
    const headers = { 'x-test-as': as }
    const { statusCode, body: text } = await site.server.app.inject({ url, headers })
    return { status: statusCode, body: JSON.parse(text) as Answer['body'] }
  }
  try {
    await body(site, get)
  } finally {
    await site.server.close()
  }
}
interface Answer {
  readonly status: number
  readonly body: { readonly items: { id: string }[]; readonly next: string | null; code?: string }
}

const RED: Principal = { actor: 'user:usr_red', roles: ['operator'], scope: { tenant: 'red' } }

describeBothCatalogs('the handlers', (make) => {
  test('every list answers with every sort and filter, and sees one tenant only', () =>
    withSite(make, async (site, get) => {
      const red = await addTenant(site, 'red')
      await addTenant(site, 'blue')
      site.callers.set('red', RED)
      const lists: Partial<Record<RouteName, readonly string[]>> = {
        listSources: ['sort=-lastSuccessAt', `filter[hostId]=${red.host}`, 'filter[paused]=false'],
        listHosts: ['sort=-lastSeenAt', 'filter[state]=online', 'filter[drained]=false'],
        listPools: ['sort=-createdAt', 'filter[state]=online', `filter[nodeId]=${red.host}`],
        listPoints: [
          'sort=takenAt',
          'sort=-takenAt',
          'filter[verified]=false',
          'filter[locked]=false',
          'filter[from]=2020-01-01T00:00:00Z',
          'filter[until]=2030-01-01T00:00:00%2B08:00',
        ],
        listJobs: ['sort=-startedAt', 'sort=endedAt', 'filter[state]=queued,running'],
        listMedia: ['sort=leaseUntil', 'sort=-leaseUntil', 'filter[state]=plugged,lost'],
      }
      const paths: Record<string, string> = { listMedia: 'media' }
      for (const [name, queries] of Object.entries(lists)) {
        const path = paths[name] ?? name.slice(4).toLowerCase()
        for (const query of [...queries, 'filter[labels]=tenant=red']) {
          const url = `/api/v1/${path}?${query}`
          const { status, body } = await get(url, 'red')
          expect([status, body.items?.length], url).toEqual([200, 1])
        }
        expect((await get(`/api/v1/${path}`)).body.items, path).toHaveLength(2)
        const none = await get(`/api/v1/${path}?filter[labels]=tenant=blue`, 'red')
        expect(none.body.items, path).toEqual([])
      }
    }))

  test('a list goes on over rows without a value', () =>
    withSite(make, async (site, get) => {
      for (let i = 0; i < 5; i += 1) await addTenant(site, `t${i}`)
      const some = site.catalog.db.updateTable('medium').set({ leaseUntil: 5 })
      await some.where('name', 'in', ['t1-medium', 't3-medium']).execute()
      for (const sort of ['leaseUntil', '-leaseUntil']) {
        const seen: string[] = []
        let cursor = ''
        do {
          const { body } = await get(`/api/v1/media?limit=2&sort=${sort}${cursor}`)
          seen.push(...body.items.map(({ id }) => id))
          cursor = body.next === null ? '' : `&cursor=${body.next}`
        } while (cursor !== '')
        expect(new Set(seen).size, sort).toBe(5)
        expect(seen, sort).toHaveLength(5)
      }
    }))

  test('the summary counts what its reader sees, and nothing else', () =>
    withSite(make, async (site, get) => {
      await addTenant(site, 'red', 'user:usr_c')
      await addTenant(site, 'blue')
      await addTenant(site, 'red2')
      site.callers.set('red', RED)
      site.callers.set('consumer', { ...RED, actor: 'user:usr_c', roles: ['data-consumer'] })
      const all = (await get('/api/v1/status')).body
      expect(all).toMatchObject({
        sources: { total: 3, unprotected: 3, violated: 0, verifiedShare: 0 },
        points: { total: 3, sizeBytes: 3 },
        jobs: { running: 3, queued: 0 },
        media: { active: 3, expiringSoon: 0 },
        hosts: { total: 3, online: 3 },
        pools: { total: 3 },
        alerts: { warning: 3, critical: 0 },
      })
      expect((await get('/api/v1/status', 'red')).body).toMatchObject({
        sources: { total: 1 },
        points: { total: 1 },
        jobs: { running: 1 },
        pools: { total: 1 },
        alerts: { warning: 1 },
        attention: [{ name: 'red-source', state: 'unprotected' }],
      })
      // May not see pools and alerts, and of jobs only the own.
      expect((await get('/api/v1/status', 'consumer')).body).toMatchObject({
        pools: { total: 0 },
        alerts: { warning: 0 },
        jobs: { running: 1 },
      })
    }))

  test('a source under a policy is unprotected until its first point, and says when that is due', () =>
    withSite(make, async (site, get) => {
      const { source, point } = await addTenant(site, 'red')
      await addPolicy(site.catalog, 'plc_1', { rpo: '1h' }, { tenant: 'red' })
      const sources = site.catalog.db.updateTable('source').where('id', '=', source)
      await sources.set({ lastSuccessAt: null, lastPointId: null }).execute()
      await site.catalog.db.deleteFrom('point').where('id', '=', point).execute()
      expect((await get('/api/v1/status')).body).toMatchObject({
        sources: { total: 1, protected: 0, unprotected: 1, compliant: 0, violated: 0 },
        attention: [
          {
            state: 'unprotected',
            reasons: expect.arrayContaining([
              expect.objectContaining({ text: 'no point yet' }),
              expect.objectContaining({ text: expect.stringMatching(/^the first is due by 2/) }),
            ]),
          },
        ],
      })
    }))

  test('a cursor that somebody made up is refused, or a place in the list', () =>
    withSite(make, async (site, get) => {
      await addTenant(site, 'red')
      const values = ['abc', '', 1e300, -1, 1.5, null, '9'.repeat(400)]
      for (const sort of ['createdAt', 'leaseUntil', 'name']) {
        for (const value of values) {
          for (const tie of ['x', 5]) {
            const cursor = JSON.stringify([`medium:${sort}`, value, tie])
            const text = Buffer.from(cursor).toString('base64url')
            const { status } = await get(`/api/v1/media?sort=${sort}&cursor=${text}`)
            expect([200, 422], cursor).toContain(status)
          }
        }
      }
    }))

  test('the summary is shown a little old while it is counted anew, and never very old', () =>
    withSite(make, async (site, get) => {
      const total = async () => {
        const { body } = await get('/api/v1/status')
        return (body as unknown as { sources: { total: number } }).sources.total
      }
      expect(await total()).toBe(0)
      await addTenant(site, 'red')
      expect(await total()).toBe(0)
      site.clock.advance(5000)
      expect(await total()).toBe(0)
      await waitFor('it is counted', async () => (await total()) === 1)
      await addTenant(site, 'blue')
      site.clock.advance(60_000)
      expect(await total()).toBe(2)
    }))

  test('the log of a job comes in the order of its lines', () =>
    withSite(make, async (site, get) => {
      const { job } = await addTenant(site, 'red')
      for (let i = 0; i < 5; i += 1) {
        const level = i % 2 === 0 ? 'info' : 'error'
        const line = { jobId: job, at: i, level, code: 'X', text: `line ${i}` } as const
        await site.catalog.db.insertInto('jobLog').values(line).execute()
      }
      const first = (await get(`/api/v1/jobs/${job}/log?limit=3`)).body
      const rest = (await get(`/api/v1/jobs/${job}/log?limit=3&cursor=${first.next}`)).body
      const texts = [...first.items, ...rest.items].map((line) => (line as { text?: string }).text)
      expect(texts).toEqual(['line 0', 'line 1', 'line 2', 'line 3', 'line 4'])
      const errors = await get(`/api/v1/jobs/${job}/log?filter[level]=error`)
      expect(errors.body.items).toHaveLength(2)
    }))
})

describe('filters', () => {
  test('read labels, also with an equals sign in the value', () => {
    expect(readLabelFilter('env=prod,path=a=b')).toEqual({ env: 'prod', path: 'a=b' })
    expect(readLabelFilter(undefined)).toBeNull()
    expect(() => readLabelFilter('env=a,env=b')).toThrowError('twice')
  })
})

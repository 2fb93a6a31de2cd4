/** Points over the API: looked into, fetched from, locked, verified, restored, deleted. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MaasError } from '@openmaas/kernel/errors'
import { systemRandom } from '@openmaas/kernel/random'
import { SettingsStore } from '../auth/settings-store.ts'
import { registerHandlers } from '../http/handler.ts'
import { makeHandlers, makeJobControl, SERVER_KEY } from '../http/handlers.test-support.ts'
import { ScriptedHosts } from '../http/orders.test-support.ts'
import { makeTestServer } from '../http/server.test-support.ts'
import type { TestServer } from '../http/server.test-support.ts'
import { addTenant } from '../http/site.test-support.ts'
import type { Tenant } from '../http/site.test-support.ts'
import { makeBrowseHandlers } from './browse.ts'
import { makePointHandlers } from './handlers.ts'

let site: TestServer
let hosts: ScriptedHosts
let red: Tenant
let base: string

beforeEach(async () => {
  hosts = new ScriptedHosts()
  site = await makeTestServer((parts) => {
    const settings = new SettingsStore(parts.catalog, parts.clock, SERVER_KEY)
    const jobs = makeJobControl(parts)
    const context = { ...parts, random: systemRandom, settings, jobs, orders: hosts }
    return registerHandlers(
      makeHandlers(parts),
      makeBrowseHandlers(context),
      makePointHandlers(context),
    )
  })
  red = await addTenant(site, 'red')
  base = `/api/v1/points/${red.point}`
})
afterEach(() => site[Symbol.asyncDispose]())

async function ask(method: 'GET' | 'POST', url: string, payload?: object) {
  const answer = await site.server.app.inject({
    method,
    url,
    headers: { 'x-test-as': 'admin' },
    ...(payload !== undefined && { payload }),
  })
  const isJson = String(answer.headers['content-type']).includes('json')
  const body = (isJson ? JSON.parse(answer.body) : {}) as Record<string, unknown>
  return { status: answer.statusCode, body, headers: answer.headers, bytes: answer.rawPayload }
}
const setPoint = (set: object) =>
  site.catalog.db.updateTable('point').set(set).where('id', '=', red.point).execute()
const listJobs = () =>
  site.catalog.db.selectFrom('job').select(['kind', 'paramsJson']).where('id', '<>', red.job)
const ENTRY = { name: 'a.txt', kind: 'file', size: 3, mtimeMs: 0, mode: 0o644, owner: 'root' }

describe('looking into a point', () => {
  test('asks the node of its pool for a directory', async () => {
    const entry = { ...ENTRY, kind: 'file' } as const
    hosts.answers['point.list'] = () => ({ entries: [entry], more: true })
    const { body } = await ask('GET', `${base}/entries?path=/docs&limit=10&after=a`)
    expect(body).toMatchObject({ items: [{ name: 'a.txt', sizeBytes: 3 }], more: true })
    const place = { poolId: red.pool, snapshotId: 'snp_1', path: '/docs', after: 'a', limit: 10 }
    expect(hosts.asked).toEqual([{ hostId: red.host, verb: 'point.list', params: place }])
  })

  test('a search goes over the points of a source and says in which it was found', async () => {
    const entry = { ...ENTRY, kind: 'file' } as const
    hosts.answers['point.find'] = ({ snapshotIds }) => ({
      // One that nobody asked for is left out.
      found: [...snapshotIds, 'snp_other'].map((snapshotId) => ({
        snapshotId,
        path: 'docs/a.txt',
        entry,
      })),
      more: false,
    })
    const { body } = await ask('GET', `/api/v1/points/find?pattern=a*&sourceId=${red.source}`)
    expect(body).toMatchObject({ items: [{ pointId: red.point, path: 'docs/a.txt' }], more: false })
    expect(body['items']).toHaveLength(1)
  })

  test.each(['deleting', 'missing', 'deleted'])(
    'one that is %s is not looked into',
    async (state) => {
      await setPoint({ state })
      for (const url of [`${base}/entries?path=/`, `${base}/content?path=/a`]) {
        expect(await ask('GET', url), url).toMatchObject({
          status: 409,
          body: { code: 'POINT_NOT_AVAILABLE', details: { state } },
        })
      }
      expect(hosts.asked).toEqual([])
    },
  )
})

describe('the bytes of a file', () => {
  const FILE = Buffer.from(Array.from({ length: 2_500_000 }, (_, i) => i % 251))
  beforeEach(() => {
    hosts.answers['point.read'] = ({ offset, length }) => ({
      data: FILE.subarray(offset, offset + length).toString('base64'),
      size: FILE.length,
    })
  })

  test('come in pieces and whole, with an entry of who fetched them', async () => {
    const { status, bytes, headers } = await ask('GET', `${base}/content?path=/docs/a%20b.bin`)
    expect([status, bytes.equals(FILE)]).toEqual([200, true])
    expect(headers['content-length']).toBe(String(FILE.length))
    expect(headers['content-disposition']).toContain('a%20b.bin')
    expect(hosts.asked).toHaveLength(3)
    const audit = await site.catalog.db.selectFrom('audit').selectAll().execute()
    expect(audit).toMatchObject([{ action: 'getContent', object: red.point, outcome: 'ok' }])
  })

  test('come from the place and in the length asked for, never past the end', async () => {
    const part = await ask('GET', `${base}/content?path=/a&offset=1000000&length=1200000`)
    expect(part.bytes.equals(FILE.subarray(1_000_000, 2_200_000))).toBe(true)
    const end = await ask('GET', `${base}/content?path=/a&offset=2499990&length=100`)
    expect(end.bytes.equals(FILE.subarray(-10))).toBe(true)
  })

  test('of a file that is not there, there is a problem and no torn body', async () => {
    hosts.answers['point.read'] = () => {
      throw new MaasError('FS_NOT_FOUND', 'no such file', { path: '/none' })
    }
    const { status, body } = await ask('GET', `${base}/content?path=/none`)
    expect([status, body['code']]).toEqual([404, 'FS_NOT_FOUND'])
  })
})

describe('a lock', () => {
  const until = (days: number) => new Date(site.clock.wallMs() + days * 86_400_000).toISOString()

  test('is kept by the pool first, and by nobody when the pool cannot', async () => {
    const failed = await ask('POST', `${base}/lock`, { until: until(1) })
    expect(failed).toMatchObject({ status: 503, body: { code: 'HOST_OFFLINE' } })
    const before = await ask('GET', base)
    expect(before.body).toMatchObject({ lockUntil: null })
    hosts.answers['pool.lock'] = () => ({})
    expect(await ask('POST', `${base}/lock`, { until: until(1) })).toMatchObject({ status: 200 })
    expect((await ask('GET', base)).body).toMatchObject({ lockUntil: until(1) })
  })

  test('is only ever made longer', async () => {
    hosts.answers['pool.lock'] = () => ({})
    await ask('POST', `${base}/lock`, { until: until(2) })
    for (const days of [-1, 1, 2]) {
      const { status } = await ask('POST', `${base}/lock`, { until: until(days) })
      expect(status, `${days} days`).toBe(422)
    }
    expect(hosts.asked).toHaveLength(1)
  })
})

describe('a job for a point', () => {
  test('verifies it, or restores it where the request says', async () => {
    const verify = await ask('POST', `${base}/verify`, { data: true })
    expect(verify.status).toBe(202)
    expect(verify.headers['location']).toBe(`/api/v1/jobs/${String(verify.body['jobId'])}`)
    const wish = { hostId: red.host, to: '/tmp/back', paths: ['docs'], conflict: 'skip' }
    const dry = await ask('POST', `${base}/restore?dryRun=true`, wish)
    expect(dry).toMatchObject({ status: 200, body: { warnings: [] } })
    expect((await ask('POST', `${base}/restore`, wish)).status).toBe(202)
    const jobs = await listJobs().orderBy('kind').execute()
    expect(jobs.map(({ kind }) => kind)).toEqual(['restore', 'verify'])
    expect(JSON.parse(jobs[0]!.paramsJson)).toMatchObject({ to: '/tmp/back', paths: ['docs'] })
  })
})

describe('deleting a point', () => {
  const danger = () => ({ confirm: red.point, reason: 'asked for by its owner' })

  test('is refused while a medium stands on it, or it is locked, before any job', async () => {
    const used = await ask('POST', `${base}/delete`, danger())
    expect(used).toMatchObject({
      status: 409,
      body: { code: 'OBJECT_IN_USE', details: { mediumId: red.medium } },
    })
    await site.catalog.db.updateTable('medium').set({ state: 'ejected' }).execute()
    await setPoint({ lockUntil: site.clock.wallMs() + 1000 })
    const locked = await ask('POST', `${base}/delete`, danger())
    expect(locked).toMatchObject({ status: 403, body: { code: 'SNAPSHOT_LOCKED' } })
    expect(await listJobs().execute()).toEqual([])
  })

  test('wants its id typed again and a reason, and then is a job', async () => {
    await site.catalog.db.updateTable('medium').set({ state: 'ejected' }).execute()
    const dry = await ask('POST', `${base}/delete?dryRun=true`, danger())
    expect(dry.body).toMatchObject({ warnings: ['it is the newest point of its source'] })
    const careless = await ask('POST', `${base}/delete`, { confirm: 'yes', reason: 'because' })
    expect(careless.body).toMatchObject({ code: 'CONSENT_MISSING' })
    expect(await listJobs().execute()).toEqual([])
    expect((await ask('POST', `${base}/delete`, danger())).status).toBe(202)
    const [job] = await listJobs().execute()
    expect(JSON.parse(job!.paramsJson)).toMatchObject({ pointIds: [red.point] })
    const audit = await site.catalog.db.selectFrom('audit').selectAll().execute()
    expect(audit.find(({ action }) => action === 'deletePoint')).toMatchObject({
      reason: 'asked for by its owner',
    })
  })
})

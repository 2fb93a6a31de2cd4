/** What is told or refused before there is a job, a row or a stored change. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { MaasError } from '@openmaas/kernel/errors'
import type { OrderGiver } from '@openmaas/protocols/channel/orders'
import { addSourceDatabase, markPoint } from '../http/database.test-support.ts'
import { makeHandlers } from '../http/handlers.test-support.ts'
import { makeTestServer } from '../http/server.test-support.ts'
import type { TestServer } from '../http/server.test-support.ts'
import { addTenant } from '../http/site.test-support.ts'
import type { Tenant } from '../http/site.test-support.ts'

const ALL = '/api/v1/virtual-databases'

let site: TestServer
let tenant: Tenant
/** What the host answers, and what it was asked. */
let answer: () => Promise<unknown>
let asked: { readonly verb: string; readonly params: object }[]

const orders = {
  order: (_hostId: string, verb: string, params: object) => {
    asked.push({ verb, params })
    return answer()
  },
  isConnected: () => true,
} as unknown as OrderGiver

const FOUND = { version: '15.1', sizeBytes: 1, identity: '7001', checks: [] }
const fails = (code: 'DATABASE_UNREACHABLE' | 'DATABASE_DENIED' | 'DIRECTORY_UNFIT') => () =>
  Promise.reject(new MaasError(code, 'as the host said'))

beforeEach(async () => {
  asked = []
  answer = fails('DATABASE_UNREACHABLE')
  const post = () => Promise.resolve({ status: 204 })
  site = await makeTestServer((parts) => makeHandlers(parts, post, orders))
  tenant = await addTenant(site, 'red', 'user:usr_other')
  await addSourceDatabase(site.catalog, tenant.source, { identity: '7001' })
  await markPoint(site.catalog, tenant.point, site.clock.wallMs())
})
afterEach(() => site[Symbol.asyncDispose]())

const send = (method: 'GET' | 'POST' | 'PATCH', url: string, body?: object) =>
  site.send('admin', method, url, body)

const one = () => `${ALL}/${tenant.virtualDatabase}`
const setVdb = (set: object) => site.catalog.db.updateTable('virtualDatabase').set(set).execute()
const countOf = async (table: 'job' | 'virtualDatabase'): Promise<number> =>
  (await site.catalog.db.selectFrom(table).select('id').execute()).length

describe('a refresh or reset that is only looked at', () => {
  test('tells what would be lost, since when, and changes nothing', async () => {
    const since = site.clock.wallMs() - 60_000
    await setVdb({ lastRefreshAt: since, writtenBytes: 12 * 1024 ** 2, pointId: tenant.point })
    const before = await countOf('job')
    for (const verb of ['refresh', 'reset']) {
      const { status, body } = await send('POST', `${one()}/${verb}?dryRun=true`, {})
      expect(status, JSON.stringify(body)).toBe(200)
      const lost = `What was written to it since ${new Date(since).toISOString()} is lost: 12.0 MiB.`
      expect(body, verb).toMatchObject({ warnings: [lost] })
    }
    expect(await countOf('job')).toBe(before)
    expect((await send('GET', one())).body).toMatchObject({ state: 'running' })
  })

  test('loses nothing of one that follows production', async () => {
    await setVdb({ liveSync: 1 })
    const { body } = await send('POST', `${one()}/refresh?dryRun=true`, {})
    expect(body).toMatchObject({ warnings: [] })
  })

  test('is refused for the same reasons as the deed', async () => {
    await setVdb({ state: 'stopping' })
    const { body } = await send('POST', `${one()}/refresh?dryRun=true`, {})
    expect(body).toMatchObject({ code: 'VIRTUAL_DATABASE_BUSY' })
  })
})

describe('names', () => {
  const wish = () => ({ pointId: tenant.point, hostId: tenant.host })
  const refused = { code: 'REQUEST_INVALID', errors: [{ pointer: '/name' }] }

  test.each(['bad name/..', '.hidden', 'a@b', 'tab\u200Bless', ' '])(
    'such as %j are refused for everything that people name',
    async (name) => {
      const other = tenant.source.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
      const source = { name, hostId: tenant.host, path: '/srv' }
      const asks: [string, object][] = [
        [ALL, { ...wish(), name }],
        [`${ALL}?dryRun=true`, { ...wish(), name }],
        [`${one()}/bookmarks`, { name }],
        ['/api/v1/sources', source],
        ['/api/v1/groups', { name, sourceIds: [tenant.source, other] }],
      ]
      for (const [url, body] of asks) {
        const { status, body: problem } = await send('POST', url, body)
        expect(status, `${url} ${JSON.stringify(problem)}`).toBe(422)
        expect(problem, url).toMatchObject(refused)
      }
    },
  )

  test('of letters of any script, with blanks within, are taken', async () => {
    expect((await send('POST', ALL, { ...wish(), name: '订单库 测试-2.1' })).status).toBe(202)
  })

  test('that were given before there was a rule stay', async () => {
    const old = 'bad name/..'
    const { db } = site.catalog
    await db.updateTable('source').set({ name: old }).where('id', '=', tenant.source).execute()
    const url = `/api/v1/sources/${tenant.source}`
    expect((await send('PATCH', url, { name: old, labels: {} })).status).toBe(200)
    expect((await send('PATCH', url, { name: 'worse/name' })).body).toMatchObject(refused)
    expect((await send('PATCH', url, { name: 'better' })).status).toBe(200)
  })
})

describe('a promotion that is only looked at', () => {
  const promote = () => send('POST', `${one()}/promote?dryRun=true`, { directory: '/srv/pg/a' })

  test('has its host look at the directory', async () => {
    answer = () => Promise.resolve({ sizeBytes: 1, writtenBytes: 0, passes: 0, stoppedMs: 0 })
    expect((await promote()).status).toBe(200)
    expect(asked).toMatchObject([
      { verb: 'database.relocate', params: { to: '/srv/pg/a', phase: 'look' } },
    ])
  })

  test('is refused with what the host says of it, or of another one in it', async () => {
    answer = fails('DIRECTORY_UNFIT')
    expect((await promote()).body).toMatchObject({ code: 'DIRECTORY_UNFIT' })
    const taken = { directory: '/srv/pg', hostId: tenant.host, name: 'other' }
    const { db } = site.catalog
    const row = await db.selectFrom('virtualDatabase').selectAll().executeTakeFirstOrThrow()
    const other = {
      ...row,
      ...taken,
      id: row.id.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
    }
    await db.insertInto('virtualDatabase').values(other).execute()
    expect((await promote()).body).toMatchObject({ code: 'REQUEST_INVALID' })
  })
})

describe('recovering production', () => {
  const recover = async () => {
    const confirm = 'red-source'
    const wish = { name: 'now', sourceId: tenant.source, hostId: tenant.host, port: 5432 }
    return send('POST', `${ALL}/recover-production`, { ...wish, confirm, reason: 'a fire' })
  }

  test('makes no row while production answers', async () => {
    answer = () => Promise.resolve(FOUND)
    const before = await countOf('virtualDatabase')
    expect((await recover()).body).toMatchObject({
      code: 'PRODUCTION_ANSWERS',
      details: { host: 'db', port: 5432 },
    })
    // It refuses our user: it is there.
    answer = fails('DATABASE_DENIED')
    expect((await recover()).body).toMatchObject({ code: 'PRODUCTION_ANSWERS' })
    expect(await countOf('virtualDatabase')).toBe(before)
  })

  test('begins when nobody answers', async () => {
    const { status, body } = await recover()
    expect(status, JSON.stringify(body)).toBe(202)
    expect(asked).toMatchObject([{ verb: 'database.check' }])
  })
})

describe('a changed connection', () => {
  const url = () => `/api/v1/sources/${tenant.source}`
  const change = (database: object) => send('PATCH', url(), { database })
  const host = async () => (await send('GET', url())).body['path']

  test('is tried from the host of the standby, with what is not changed, before it is stored', async () => {
    answer = () => Promise.resolve(FOUND)
    expect((await change({ connection: { host: 'db2' } })).status).toBe(200)
    const connection = { host: 'db2', port: 5432, user: 'backup' }
    expect(asked).toMatchObject([{ verb: 'database.check', params: { connection } }])
    expect(await host()).toBe('db2:5432')
  })

  test('that does not work is not stored, unless nobody shall try', async () => {
    const before = await host()
    expect((await change({ connection: { host: 'typo' } })).body).toMatchObject({
      code: 'DATABASE_UNREACHABLE',
    })
    const missing = { name: 'role', ok: false, message: 'the role is missing', remedy: 'CREATE …' }
    answer = () => Promise.resolve({ ...FOUND, checks: [missing] })
    expect((await change({ connection: { user: 'other' } })).body).toMatchObject({
      code: 'DATABASE_UNFIT',
      details: { checks: ['role: the role is missing CREATE …'] },
    })
    answer = () => Promise.resolve({ ...FOUND, identity: '7002' })
    expect((await change({ connection: { host: 'other' } })).body).toMatchObject({
      code: 'DATABASE_UNFIT',
      details: { identity: '7002', expected: '7001' },
    })
    expect(await host()).toBe(before)
    asked = []
    expect((await change({ connection: { host: 'typo' }, check: false })).status).toBe(200)
    expect(await host()).toBe('typo:5432')
    expect(asked).toEqual([])
  })

  test('is not tried when only something else changes', async () => {
    expect((await change({ connection: { host: 'db' }, synchronous: true })).status).toBe(200)
    expect((await change({ selfService: 'on' })).status).toBe(200)
    expect(asked).toEqual([])
  })
})

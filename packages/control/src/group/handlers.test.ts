import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Principal } from '@openmaas/api/permissions'
import { addSourceDatabase, markJson } from '../http/database.test-support.ts'
import { makeHandlers } from '../http/handlers.test-support.ts'
import { makeTestServer } from '../http/server.test-support.ts'
import type { TestServer } from '../http/server.test-support.ts'
import { addTenant } from '../http/site.test-support.ts'
import type { Tenant } from '../http/site.test-support.ts'
import { addPolicy } from '../job/kinds/hosts.test-support.ts'

const GROUPS = '/api/v1/groups'
const MINUTE_MS = 60_000
const person = (name: string, role: 'admin' | 'data-consumer', scope: Principal['scope']) => ({
  actor: `user:usr_${name}`,
  userId: `usr_${name}`,
  roles: [role] as const,
  scope,
})

let site: TestServer
let red: Tenant
let blue: Tenant

beforeEach(async () => {
  site = await makeTestServer((parts) => makeHandlers(parts))
  red = await addTenant(site, 'red')
  blue = await addTenant(site, 'blue')
  site.callers.set('boss', person('boss', 'admin', null))
  site.callers.set('red', person('red', 'admin', { tenant: 'red' }))
  site.callers.set('dev', person('dev', 'data-consumer', null))
  await becomeDatabase(red)
  await becomeDatabase(blue)
})
afterEach(() => site[Symbol.asyncDispose]())

/** With points of a minute ago and of now. */
async function becomeDatabase(tenant: Tenant, identity = tenant.source): Promise<void> {
  const { db } = site.catalog
  const now = site.clock.wallMs()
  await addSourceDatabase(site.catalog, tenant.source, { identity })
  const first = { databaseJson: markJson(now - MINUTE_MS), takenAt: now - MINUTE_MS }
  await db.updateTable('point').set(first).where('id', '=', tenant.point).execute()
  const row = await db
    .selectFrom('point')
    .selectAll()
    .where('id', '=', tenant.point)
    .executeTakeFirstOrThrow()
  const later = { id: site.id('point'), snapshotId: `snp_${tenant.source}`, takenAt: now }
  await db
    .insertInto('point')
    .values({ ...row, ...later, databaseJson: markJson(now) })
    .execute()
}

type Method = 'GET' | 'POST' | 'PATCH'
const send = (as: string, method: Method, url: string, body?: object) =>
  site.send(as, method, url, body)

const both = () => [red.source, blue.source]
async function makeGroup(more: object = {}): Promise<string> {
  const body = { name: 'shop', sourceIds: both(), ...more }
  const made = await send('boss', 'POST', GROUPS, body)
  expect(made).toMatchObject({ status: 201, body: { name: 'shop' } })
  return String(made.body['id'])
}
const policyOf = async (sourceId: string) =>
  (await send('boss', 'GET', `/api/v1/sources/${sourceId}`)).body['policyId']

describe('a group', () => {
  test('is made of databases, of which each is in one group only', async () => {
    const id = await makeGroup({ labels: { tenant: 'red' } })
    expect((await send('red', 'GET', `${GROUPS}/${id}`)).body).toMatchObject({
      sourceIds: expect.arrayContaining(both()) as unknown,
      clockLimitMs: 1000,
      lastPointAt: null,
    })
    const again = { name: 'another', sourceIds: both() }
    expect(await send('boss', 'POST', GROUPS, again)).toMatchObject({
      status: 409,
      body: { code: 'OBJECT_IN_USE' },
    })
    const { body } = await send('boss', 'GET', GROUPS)
    // The tenants' own groups without members are there too.
    expect((body['items'] as { id: string }[]).map((each) => each.id)).toContain(id)
  })

  test('is refused for one database, for files, and for two sources of one instance', async () => {
    const one = { name: 'shop', sourceIds: [red.source] }
    expect(await send('boss', 'POST', GROUPS, one)).toMatchObject({ status: 422 })
    const { db } = site.catalog
    await db.updateTable('sourceDatabase').set({ identity: '7' }).execute()
    const same = await send('boss', 'POST', GROUPS, { name: 'shop', sourceIds: both() })
    expect(same).toMatchObject({ status: 422 })
    expect(JSON.stringify(same.body)).toContain('each point of it is one moment')
    await db.updateTable('source').set({ kind: 'files' }).where('id', '=', blue.source).execute()
    expect(await send('boss', 'POST', GROUPS, { name: 'shop', sourceIds: both() })).toMatchObject({
      body: { code: 'SOURCE_NOT_DATABASE' },
    })
  })

  test('takes no member that its maker cannot see, and runs none either', async () => {
    const labels = { tenant: 'red' }
    const body = { name: 'shop', sourceIds: both(), labels }
    expect(await send('red', 'POST', GROUPS, body)).toMatchObject({ status: 422 })
    const id = await makeGroup({ labels })
    expect(await send('red', 'POST', `${GROUPS}/${id}/protect`, {})).toMatchObject({ status: 422 })
    const wish = { name: 'test', hostId: red.host }
    const vdbs = await send('red', 'POST', `${GROUPS}/${id}/virtual-databases`, wish)
    expect(vdbs).toMatchObject({ status: 404 })
  })

  test('gives its policy to its members, which keep it while they are in it', async () => {
    await addPolicy(site.catalog, site.id('policy'), { rpo: '1h' })
    const policy = await site.catalog.db.selectFrom('policy').select('id').executeTakeFirstOrThrow()
    const id = await makeGroup({ policyId: policy.id })
    for (const sourceId of both()) expect(await policyOf(sourceId)).toBe(policy.id)
    const url = `/api/v1/sources/${red.source}`
    expect(await send('boss', 'PATCH', url, { policyId: null })).toMatchObject({
      status: 409,
      body: { code: 'OBJECT_IN_USE' },
    })
    const danger = { confirm: 'red-source', reason: 'not any more' }
    await site.catalog.db.deleteFrom('job').execute()
    expect(await send('boss', 'POST', `${url}/delete`, danger)).toMatchObject({ status: 409 })
    await send('boss', 'PATCH', `${GROUPS}/${id}`, { policyId: null })
    expect(await send('boss', 'PATCH', url, { policyId: null })).toMatchObject({ status: 200 })
  })

  test('is dissolved with its points; its members stay', async () => {
    const id = await makeGroup()
    const danger = { confirm: 'shop', reason: 'one database now' }
    const dry = await send('boss', 'POST', `${GROUPS}/${id}/delete?dryRun=true`, danger)
    expect(JSON.stringify(dry.body)).toContain('dissolve it')
    expect(await send('boss', 'POST', `${GROUPS}/${id}/delete`, danger)).toMatchObject({
      status: 204,
    })
    expect(await send('boss', 'GET', `${GROUPS}/${id}`)).toMatchObject({ status: 404 })
    const { rows } = { rows: await site.catalog.db.selectFrom('groupMember').selectAll().execute() }
    expect(rows).toEqual([])
    const audit = await site.catalog.db.selectFrom('audit').select('action').execute()
    expect(audit.map(({ action }) => action)).toEqual(['createGroup', 'deleteGroup'])
  })

  test('is protected by one job', async () => {
    const id = await makeGroup()
    const { status, body } = await send('boss', 'POST', `${GROUPS}/${id}/protect`, {})
    expect(status).toBe(202)
    const job = await send('boss', 'GET', `/api/v1/jobs/${String(body['jobId'])}`)
    expect(job.body).toMatchObject({ kind: 'protect-group' })
  })
})

describe('virtual databases of a group', () => {
  const wish = (more: object = {}) => ({ name: 'test', hostId: red.host, ...more })
  const ask = async (as: string, id: string, body: object, query = '') =>
    send(as, 'POST', `${GROUPS}/${id}/virtual-databases${query}`, body)
  const iso = (ms: number) => new Date(ms).toISOString()

  test('are made all at once, of the whole second at or before the moment', async () => {
    const id = await makeGroup()
    const now = site.clock.wallMs()
    const at = iso(now - 30_000 + 400)
    const planned = await ask('boss', id, wish({ at }), '?dryRun=true')
    expect(planned).toMatchObject({ status: 200, body: { takesPointFirst: false } })
    const { status, body } = await ask('boss', id, wish({ at }))
    expect(status).toBe(202)
    expect(Date.parse(String(body['at']))).toBe(Math.floor(Date.parse(at) / 1000) * 1000)
    const made = body['virtualDatabases'] as { virtualDatabaseId: string; name: string }[]
    expect(made.map(({ name }) => name)).toEqual(['test-blue-source', 'test-red-source'])
    for (const { virtualDatabaseId } of made) {
      const url = `/api/v1/virtual-databases/${virtualDatabaseId}`
      expect((await send('boss', 'GET', url)).body).toMatchObject({
        state: 'creating',
        target: { kind: 'time', at: body['at'] },
      })
    }
    const again = await ask('boss', id, wish({ at }))
    expect(again).toMatchObject({ status: 409, body: { code: 'NAME_TAKEN' } })
  })

  test('are refused for moments that cannot be had, with the member in words', async () => {
    const id = await makeGroup()
    const now = site.clock.wallMs()
    const early = await ask('boss', id, wish({ at: iso(now - 3_600_000) }))
    expect(early).toMatchObject({ body: { code: 'DATABASE_TARGET_UNREACHABLE' } })
    expect(JSON.stringify(early.body)).toContain('blue-source: ')
    expect(await ask('boss', id, wish({ at: iso(now + 60_000) }))).toMatchObject({ status: 422 })
    expect(await ask('boss', id, wish())).toMatchObject({ body: { code: 'POINT_NOT_AVAILABLE' } })
    const members = [{ sourceId: site.id('source') }]
    expect(await ask('boss', id, wish({ members }))).toMatchObject({ status: 422 })
  })

  test('are had by data consumers when all members are offered without consent', async () => {
    const id = await makeGroup()
    const at = iso(site.clock.wallMs() - 30_000)
    const body = wish({ at, quotaBytes: 1024 ** 3, lifetimeSeconds: 3600 })
    const { db } = site.catalog
    await db.updateTable('sourceDatabase').set({ selfService: 'on' }).execute()
    const one = db.updateTable('sourceDatabase').where('sourceId', '=', blue.source)
    await one.set({ selfService: 'approval' }).execute()
    expect(await ask('dev', id, body)).toMatchObject({ body: { code: 'DATABASE_NOT_OFFERED' } })
    await one.set({ selfService: 'on' }).execute()
    expect(await ask('dev', id, { ...body, quotaBytes: null })).toMatchObject({ status: 422 })
    expect(await ask('dev', id, body)).toMatchObject({ status: 202 })
  })
})

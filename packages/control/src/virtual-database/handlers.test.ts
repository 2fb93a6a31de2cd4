import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Principal } from '@openmaas/api/permissions'
import { addSourceDatabase, markPoint } from '../http/database.test-support.ts'
import { makeHandlers } from '../http/handlers.test-support.ts'
import { makeTestServer } from '../http/server.test-support.ts'
import type { TestServer } from '../http/server.test-support.ts'
import { addTenant } from '../http/site.test-support.ts'
import type { Tenant } from '../http/site.test-support.ts'
import type { JobRequest } from '../job/queue.ts'
import { beginRefresh, listExpired } from '../schedule/database-care.ts'
import { loadVirtualDatabase } from './rows.ts'

const ALL = '/api/v1/virtual-databases'
const consumer: Principal = {
  actor: 'user:usr_dev',
  userId: 'usr_dev',
  roles: ['data-consumer'],
  scope: null,
}

let site: TestServer
let tenant: Tenant

beforeEach(async () => {
  site = await makeTestServer((parts) => makeHandlers(parts))
  tenant = await addTenant(site, 'red', 'user:usr_other')
  site.callers.set('dev', consumer)
})
afterEach(() => site[Symbol.asyncDispose]())

/** The source of the tenant becomes a database that is offered so. */
async function offer(selfService: 'off' | 'approval' | 'on'): Promise<void> {
  await addSourceDatabase(site.catalog, tenant.source, { selfService })
  await markPoint(site.catalog, tenant.point, site.clock.wallMs())
}

/** Whose copies are bounded by what is offered. */
async function addConsumer(): Promise<void> {
  await site.catalog.db
    .insertInto('user')
    .values({
      id: 'usr_dev',
      name: 'dev',
      displayName: '',
      email: null,
      passwordHash: null,
      totpSecret: null,
      rolesJson: JSON.stringify(consumer.roles),
      scopeJson: null,
      state: 'active',
      mustChangePassword: 0,
      oidcIssuer: null,
      oidcSubject: null,
      failedLogins: 0,
      lockedUntil: null,
      createdAt: 0,
      lastLoginAt: null,
      version: 1,
    })
    .execute()
}

type Method = 'GET' | 'POST' | 'PATCH'
const send = (as: string, method: Method, url: string, body?: object) =>
  site.send(as, method, url, body)

const wish = () => ({
  name: 'mine',
  pointId: tenant.point,
  hostId: tenant.host,
  quotaBytes: 1_000_000,
})

describe('self-service', () => {
  test('gives a data consumer nothing that was not offered', async () => {
    await offer('off')
    const { status, body } = await send('dev', 'POST', ALL, wish())
    expect(status).toBe(403)
    expect(body).toMatchObject({ code: 'DATABASE_NOT_OFFERED' })
    // Whoever runs the place needs no offer.
    expect((await send('admin', 'POST', ALL, wish())).status).toBe(202)
  })

  test('asks somebody else first where the source says so', async () => {
    await offer('approval')
    const { body } = await send('dev', 'POST', ALL, wish())
    expect(body).toMatchObject({
      code: 'APPROVAL_REQUIRED',
      details: { approvalId: expect.any(String) },
    })
  })

  test('wants a quota and an end, and shows each only their own', async () => {
    await offer('on')
    const { quotaBytes, ...boundless } = wish()
    expect((await send('dev', 'POST', ALL, boundless)).status).toBe(422)
    expect((await send('dev', 'POST', ALL, { ...wish(), lifetimeSeconds: null })).status).toBe(422)
    const made = await send('dev', 'POST', ALL, wish())
    expect(made.status, JSON.stringify(made.body)).toBe(202)
    expect(quotaBytes).toBeGreaterThan(0)
    const { body: mine } = await send('dev', 'GET', ALL)
    expect(mine['items']).toMatchObject([{ name: 'mine', createdBy: 'user:usr_dev' }])
    // That of somebody else: neither seen, nor connected to.
    const other = `${ALL}/${tenant.virtualDatabase}`
    expect((await send('dev', 'GET', other)).status).toBe(403)
    expect((await send('dev', 'POST', `${other}/connection`)).status).toBe(403)
  })

  test('that is switched off ends refreshes and branches', async () => {
    await offer('on')
    const { body: made } = await send('dev', 'POST', ALL, wish())
    const mine = `${ALL}/${String(made['virtualDatabaseId'])}`
    const { db } = site.catalog
    await db.updateTable('virtualDatabase').set({ state: 'running', mediumId: 'mnt_1' }).execute()
    await db.updateTable('sourceDatabase').set({ selfService: 'off' }).execute()
    const refused = { code: 'DATABASE_NOT_OFFERED' }
    const branch = { name: 'second', hostId: tenant.host, quotaBytes: 1_000_000 }
    expect((await send('dev', 'POST', `${mine}/refresh`, {})).body).toMatchObject(refused)
    expect((await send('dev', 'POST', `${mine}/branch`, branch)).body).toMatchObject(refused)
  })

  test('that is switched off ends what refreshes by itself, says so, and goes on when it is on', async () => {
    await offer('on')
    const { catalog, clock } = site
    const { db } = catalog
    const wanted = { ...wish(), autoRefresh: { every: '1h' } }
    const { body: made } = await send('dev', 'POST', ALL, wanted)
    const mine = String(made['virtualDatabaseId'])
    await addConsumer()
    await db.updateTable('virtualDatabase').set({ state: 'running' }).execute()
    const refresh = async (): Promise<JobRequest | null> => {
      const row = await loadVirtualDatabase(db, mine)
      const now = clock.wallMs()
      const request = await catalog.transaction((trx) => beginRefresh(trx, row, now))
      // Looked at again in an hour, whatever came of it.
      expect((await loadVirtualDatabase(db, mine)).nextRefreshAt).toBe(now + 3_600_000)
      return request
    }
    await db.updateTable('sourceDatabase').set({ selfService: 'off' }).execute()
    expect(await refresh()).toBeNull()
    const { body } = await send('dev', 'GET', `${ALL}/${mine}`)
    expect(body).toMatchObject({
      state: 'running',
      problem: {
        code: 'DATABASE_NOT_OFFERED',
        message: expect.stringContaining('not refreshed by itself any more'),
      },
    })
    await db.updateTable('sourceDatabase').set({ selfService: 'on' }).execute()
    expect(await refresh()).toMatchObject({ kind: 'refresh-virtual-database' })
    // Of somebody who needs no offer it goes on in any case.
    const running = { state: 'running', createdBy: 'user:usr_boss' } as const
    await db.updateTable('virtualDatabase').set(running).execute()
    await db.updateTable('sourceDatabase').set({ selfService: 'off' }).execute()
    expect(await refresh()).not.toBeNull()
  })

  test('has no quota beyond the volume of the source', async () => {
    await offer('on')
    await site.catalog.db.updateTable('sourceDatabase').set({ volumeBytes: 2_000_000 }).execute()
    const all = { ...wish(), quotaBytes: 2_000_000 }
    const { status, body } = await send('dev', 'POST', ALL, { ...all, quotaBytes: 2_000_001 })
    expect(status).toBe(422)
    expect(JSON.stringify(body)).toContain('the size of the volume of the source')
    expect((await send('admin', 'POST', ALL, { ...all, quotaBytes: 4_000_000 })).status).toBe(202)
    const { body: made } = await send('dev', 'POST', ALL, { ...all, name: 'other' })
    const mine = `${ALL}/${String(made['virtualDatabaseId'])}`
    expect((await send('dev', 'POST', `${mine}/extend`, { quotaBytes: 3_000_000 })).status).toBe(
      422,
    )
    expect((await send('dev', 'POST', `${mine}/extend`, { quotaBytes: 1_500_000 })).status).toBe(
      200,
    )
  })

  test('keeps nothing for good', async () => {
    await offer('on')
    const { body: made } = await send('dev', 'POST', ALL, wish())
    const mine = `${ALL}/${String(made['virtualDatabaseId'])}`
    expect((await send('dev', 'PATCH', mine, { kept: true })).status).toBe(422)
    expect((await send('dev', 'PATCH', mine, { purpose: 'tests' })).status).toBe(200)
  })

  test('shows how production is reached to nobody who may only make copies', async () => {
    await offer('on')
    const url = `/api/v1/sources/${tenant.source}`
    const { body } = await send('dev', 'GET', url)
    expect(body['database']).toMatchObject({ connection: null, selfService: 'on' })
    const { body: full } = await send('admin', 'GET', url)
    expect(full['database']).toMatchObject({ connection: { host: 'db', hasPassword: false } })
  })
})

describe('a virtual database', () => {
  const one = () => `${ALL}/${tenant.virtualDatabase}`

  test('does one thing at a time, and says what it is at', async () => {
    await offer('on')
    expect((await send('admin', 'POST', `${one()}/refresh`, {})).status).toBe(202)
    const again = await send('admin', 'POST', `${one()}/stop`, {})
    expect(again.body).toMatchObject({
      code: 'VIRTUAL_DATABASE_BUSY',
      details: { state: 'refreshing' },
    })
  })

  test('that is kept is not dropped', async () => {
    expect((await send('admin', 'PATCH', one(), { kept: true })).status).toBe(200)
    const { body } = await send('admin', 'POST', `${one()}/drop`, {})
    expect(body).toMatchObject({ code: 'VIRTUAL_DATABASE_KEPT' })
    expect((await send('admin', 'PATCH', one(), { kept: false })).status).toBe(200)
    expect((await send('admin', 'POST', `${one()}/drop`, {})).status).toBe(202)
  })

  test('shows its password to its owner, and the audit log who has seen it', async () => {
    const { body } = await send('admin', 'POST', `${one()}/connection`)
    expect(body).toMatchObject({
      password: 'secret of sec_none',
      url: expect.stringContaining('postgresql://openmaas:secret%20of%20sec_none@127.0.0.1:5433/'),
      environment: { PGPORT: '5433' },
    })
    const rows = await site.catalog.db
      .selectFrom('audit')
      .select(['action', 'actor', 'afterJson'])
      .execute()
    expect(rows.at(-1)).toMatchObject({ action: 'revealConnection', actor: 'user:usr_admin' })
    expect(JSON.stringify(rows)).not.toContain('secret of')
  })

  test('has a name of its own, and a user that is none of the server', async () => {
    await offer('on')
    const taken = await site.catalog.db
      .selectFrom('virtualDatabase')
      .select('name')
      .where('id', '=', tenant.virtualDatabase)
      .executeTakeFirstOrThrow()
    const again = await send('admin', 'POST', ALL, { ...wish(), name: taken.name })
    expect(again.body).toMatchObject({ code: 'NAME_TAKEN' })
    const { status, body } = await send('admin', 'POST', ALL, { ...wish(), user: 'pg_me' })
    expect(status).toBe(422)
    expect(JSON.stringify(body)).toContain('begin with pg_')
  })

  test('that follows has no moment of its own, and none of what needs one', async () => {
    await offer('on')
    const { name, hostId } = wish()
    const live = { name, hostId, sourceId: tenant.source, liveSync: true }
    const at = new Date(site.clock.wallMs() - 1000).toISOString()
    const refused = await send('admin', 'POST', ALL, { ...live, at })
    expect(refused.body).toMatchObject({ errors: [{ pointer: '/liveSync' }] })
    const { db } = site.catalog
    await db.updateTable('virtualDatabase').set({ liveSync: 1 }).execute()
    expect((await send('admin', 'GET', one())).body).toMatchObject({
      accounts: 'production',
      sync: { state: 'unknown', lagMs: null },
    })
    for (const verb of ['reset', 'bookmarks', 'promote']) {
      const more = { bookmarks: { name: 'x' }, promote: { directory: '/srv/x' } }[verb] ?? {}
      const { body } = await send('admin', 'POST', `${one()}/${verb}`, more)
      expect(body, verb).toMatchObject({ code: 'VIRTUAL_DATABASE_FOLLOWS' })
    }
    expect((await send('admin', 'POST', `${one()}/connection`)).body).toMatchObject({
      password: '',
      readOnly: true,
      url: expect.not.stringContaining('@'),
    })
    expect((await send('admin', 'POST', `${one()}/pause`, {})).status).toBe(202)
    await db.updateTable('virtualDatabase').set({ liveSync: 0 }).execute()
    const open = await send('admin', 'POST', `${one()}/open`, {})
    expect(open.body).toMatchObject({ code: 'VIRTUAL_DATABASE_OPEN' })
  })

  test('that was promoted goes with its directory only when its name is typed', async () => {
    const directory = '/srv/pg/shop'
    await site.catalog.db.updateTable('virtualDatabase').set({ directory }).execute()
    const { body: plan } = await send('admin', 'POST', `${one()}/drop?dryRun=true`, {})
    expect(JSON.stringify(plan)).toContain(`remove ${directory}`)
    const { body } = await send('admin', 'POST', `${one()}/drop`, {})
    expect(body).toMatchObject({ code: 'CONSENT_MISSING' })
    const { body: refresh } = await send('admin', 'POST', `${one()}/refresh`, {})
    expect(refresh).toMatchObject({ code: 'VIRTUAL_DATABASE_PROMOTED' })
    expect((await send('admin', 'POST', `${one()}/drop`, { keepData: true })).status).toBe(202)
  })

  test('on its way to a directory needs the same words to be dropped as one that is there', async () => {
    const promoting = { state: 'promoting' } as const
    await site.catalog.db.updateTable('virtualDatabase').set(promoting).execute()
    const { body } = await send('admin', 'POST', `${one()}/drop`, {})
    expect(body).toMatchObject({ code: 'CONSENT_MISSING' })
  })

  test('is promoted neither below another one nor above it', async () => {
    await offer('on')
    const { body: made } = await send('admin', 'POST', ALL, { ...wish(), name: 'second' })
    const second = String(made['virtualDatabaseId'])
    const { db } = site.catalog
    const running = { state: 'running', mediumId: 'mnt_1' } as const
    await db.updateTable('virtualDatabase').set(running).where('id', '=', second).execute()
    const there = { directory: '/srv/pg/shop', hostId: tenant.host }
    await db
      .updateTable('virtualDatabase')
      .set(there)
      .where('id', '=', tenant.virtualDatabase)
      .execute()
    for (const directory of ['/srv/pg/shop', '/srv/pg/shop/nested', '/srv/pg']) {
      const asked = await send('admin', 'POST', `${ALL}/${second}/promote`, { directory })
      expect(asked.body, directory).toMatchObject({ code: 'REQUEST_INVALID' })
    }
    const beside = { directory: '/srv/pg/shop2' }
    expect((await send('admin', 'POST', `${ALL}/${second}/promote`, beside)).status).toBe(202)
  })

  test('has bookmarks of different names, and room for what it has written', async () => {
    const running = { state: 'running', mediumId: 'mnt_1', writtenBytes: 5000 } as const
    await site.catalog.db.updateTable('virtualDatabase').set(running).execute()
    const bookmark = { name: 'before' }
    expect((await send('admin', 'POST', `${one()}/bookmarks`, bookmark)).status).toBe(202)
    const again = await send('admin', 'POST', `${one()}/bookmarks`, bookmark)
    expect(again.body).toMatchObject({ code: 'NAME_TAKEN' })
    expect((await send('admin', 'POST', `${one()}/extend`, { quotaBytes: 4000 })).status).toBe(422)
  })

  test('stands in the place of production only by who may, with a name typed and a reason', async () => {
    await offer('on')
    const { hostId } = wish()
    const recovery = { name: 'now', sourceId: tenant.source, hostId, port: 5432 }
    const danger = { confirm: 'wrong', reason: 'it is on fire' }
    const url = `${ALL}/recover-production`
    const asked = { ...recovery, ...danger }
    site.callers.set('operator', { ...consumer, roles: ['operator'] })
    expect((await send('operator', 'POST', url, asked)).status).toBe(403)
    expect((await send('admin', 'POST', url, asked)).body).toMatchObject({
      code: 'CONSENT_MISSING',
    })
    const { name: confirm } = await site.catalog.db
      .selectFrom('source')
      .select('name')
      .where('id', '=', tenant.source)
      .executeTakeFirstOrThrow()
    const made = await send('admin', 'POST', url, { ...asked, confirm })
    expect(made.status, JSON.stringify(made.body)).toBe(202)
    const id = String(made.body['virtualDatabaseId'])
    expect((await send('admin', 'GET', `${ALL}/${id}`)).body).toMatchObject({
      mode: 'production',
      accounts: 'production',
      leaseUntil: null,
      port: 5432,
    })
    // What was written to it is nowhere else.
    await site.catalog.db.updateTable('virtualDatabase').set({ state: 'running' }).execute()
    for (const verb of ['refresh', 'reset', 'refresh?dryRun=true', 'reset?dryRun=true']) {
      const refused = await send('admin', 'POST', `${ALL}/${id}/${verb}`, {})
      expect(refused.body, verb).toMatchObject({ code: 'VIRTUAL_DATABASE_IS_PRODUCTION' })
    }
  })

  test.each([
    ['on a local directory', { directory: '/srv/a' }, 'VIRTUAL_DATABASE_PROMOTED'],
    ["in production's place", { mode: 'production' }, 'VIRTUAL_DATABASE_IS_PRODUCTION'],
  ] as const)(
    'that is for good, %s, neither ends nor is refreshed by itself',
    async (_, is, code) => {
      const { db } = site.catalog
      await offer('on')
      await db.updateTable('virtualDatabase').set(is).execute()
      const cron = { autoRefresh: { cron: '* * * * *' } }
      expect((await send('admin', 'PATCH', one(), cron)).body).toMatchObject({ code })
      const ttl = { lifetimeSeconds: 60 }
      expect((await send('admin', 'POST', `${one()}/extend`, ttl)).body).toMatchObject({ code })
      // Of rows that were given them before, too.
      const autoRefreshJson = JSON.stringify(cron.autoRefresh)
      const due = { leaseUntil: 1, autoRefreshJson, nextRefreshAt: 1 }
      await db.updateTable('virtualDatabase').set(due).execute()
      expect(await listExpired(db, site.clock.wallMs())).toEqual([])
      const row = await loadVirtualDatabase(db, tenant.virtualDatabase)
      const begun = await site.catalog.transaction((trx) => beginRefresh(trx, row, 2))
      expect(begun).toBeNull()
      expect(await loadVirtualDatabase(db, row.id)).toMatchObject({
        state: 'running',
        nextRefreshAt: null,
      })
    },
  )

  test('has a port that no other one on its host has, where they listen', async () => {
    await offer('on')
    const { name, hostId } = wish()
    const body = { name, hostId, sourceId: tenant.source, port: 15_432, listen: ['127.0.0.1'] }
    expect((await send('admin', 'POST', ALL, body)).status).toBe(202)
    for (const listen of [['127.0.0.1'], ['0.0.0.0']]) {
      const second = { ...body, name: 'second', listen }
      const { body: refused } = await send('admin', 'POST', ALL, second)
      expect(refused).toMatchObject({ code: 'PORT_TAKEN', errors: [{ pointer: '/port' }] })
    }
    const beside = { ...body, name: 'beside', listen: ['10.0.0.7'] }
    expect((await send('admin', 'POST', ALL, beside)).status).toBe(202)
  })

  test('of a moment that has not been yet is refused', async () => {
    await offer('on')
    const at = new Date(site.clock.wallMs() + 3_600_000).toISOString()
    const { name, hostId } = wish()
    const body = { name, hostId, sourceId: tenant.source, at }
    expect((await send('admin', 'POST', ALL, body)).body).toMatchObject({
      errors: [{ pointer: '/at' }],
    })
  })
})

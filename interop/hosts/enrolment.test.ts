import { existsSync, readFileSync, statSync } from 'node:fs'
import { makeAgentHandlers } from '@openmaas/agent/session/handlers'
import { makeKeyRequest, saveIdentity } from '@openmaas/agent/session/identity'
import { join } from '@openmaas/agent/session/join'
import { agentSettings } from '@openmaas/agent/session/settings'
import { systemClock } from '@openmaas/kernel/clock'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ShiftedClock } from './shifted-clock.test-support.ts'
import { Site } from './site.test-support.ts'

let site: Site
let clock: ShiftedClock
beforeEach(async () => {
  clock = new ShiftedClock()
  site = await Site.start({ clock })
})
afterEach(() => site[Symbol.asyncDispose]())
const handlers = makeAgentHandlers({ ports: {}, settings: agentSettings.parse({}) })
const soon = { timeoutMs: 10_000 }

describe('a host', () => {
  test('joins by one line, is online at once, and does orders', async () => {
    const { server } = site
    const host = await site.joinHost()
    const { hostId } = host.identity
    expect(statSync(`${host.directory}/identity.json`).mode & 0o777).toBe(0o600)
    expect(await server.hostState(hostId)).toBe('pending')
    const session = site.openSession(host, handlers)
    await server.waitOnline(hostId)
    expect(await server.hostState(hostId)).toBe('online')
    const found = await server.orders.order(hostId, 'host.discover', {}, { key: 'k1', ...soon })
    expect(found.items.map(({ path }) => path)).toContain('/')
    const params = { path: '/', limit: 1 }
    const listed = await server.orders.order(hostId, 'host.list', params, { key: 'k2', ...soon })
    expect(listed).toMatchObject({ entries: [{ owner: 'root' }], more: true })
    expect(session.ticketKeys).toEqual(server.ca.ticketKeys)
  })

  test('joins once with a token: a replay gets the same answer as nonsense', async () => {
    const token = await site.server.makeToken()
    await site.joinHost(token)
    for (const other of [token, 'mjt_nonsense', '']) {
      await expect(site.joinHost(other)).rejects.toMatchObject({
        code: 'JOIN_TOKEN_INVALID',
        message: 'the join token is wrong, used or expired',
      })
    }
    const { db } = site.server.catalog
    const audit = await db.selectFrom('audit').select(['action', 'outcome']).execute()
    expect(audit).toEqual([
      { action: 'host.join', outcome: 'ok' },
      { action: 'host.join', outcome: 'refused' },
    ])
    expect(JSON.stringify(await db.selectFrom('joinToken').selectAll().execute())).not.toContain(
      token,
    )
  })

  test('joins neither with an expired token nor as something else', async () => {
    const node = await site.server.makeToken('node')
    await expect(site.joinHost(node)).rejects.toMatchObject({ code: 'JOIN_TOKEN_INVALID' })
    const token = await site.server.makeToken()
    clock.advance(3600_000)
    await expect(site.joinHost(token)).rejects.toMatchObject({ code: 'JOIN_TOKEN_INVALID' })
  })

  test('of many that use one token at once, one joins', async () => {
    const token = await site.server.makeToken()
    const all = await Promise.allSettled([1, 2, 3, 4, 5].map(() => site.joinHost(token)))
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const hosts = await site.server.catalog.db.selectFrom('host').select('id').execute()
    expect(hosts).toHaveLength(1)
  })

  test('tells nothing to a server with another fingerprint', async () => {
    const token = await site.server.makeToken()
    const options = {
      url: site.server.url,
      token,
      name: 'x',
      kind: 'agent' as const,
      software: '0',
      directory: site.directory.join('x'),
      clock: systemClock,
    }
    const wrong = `sha256:${'0'.repeat(64)}`
    const { fingerprint } = site.server.ca
    await expect(join({ ...options, fingerprint: wrong })).rejects.toMatchObject({
      code: 'SERVER_NOT_TRUSTED',
      details: { shown: fingerprint },
    })
    expect(existsSync(options.directory)).toBe(false)
    // The server's own certificate is as good a pin as the CA's; colons and capitals are fine.
    const own = (await site.server.ca.serverCredentials()).fingerprint
    const spelt = own.slice(7).toUpperCase().match(/../g)!.join(':')
    expect(await join({ ...options, fingerprint: spelt })).toMatchObject({ name: 'x' })
    await expect(join({ ...options, fingerprint })).rejects.toMatchObject({ code: 'JOIN_ALREADY' })
  })

  test('of a name that is taken gets a number', async () => {
    const names: string[] = []
    for (const directory of ['a', 'b']) {
      const { name } = await join({
        url: site.server.url,
        token: await site.server.makeToken(),
        fingerprint: site.server.ca.fingerprint,
        name: 'db',
        kind: 'agent',
        software: '0',
        directory: site.directory.join(directory),
        clock: systemClock,
      })
      names.push(name)
    }
    expect(names).toEqual(['db', 'db-2'])
  })

  test('renews its certificate with a new key before it ends, and uses it', async () => {
    const { server } = site
    const host = await site.joinHost()
    const { hostId } = host.identity
    const { key, csr } = await makeKeyRequest()
    const short = { csr, hostId, kind: 'agent', lifetimeMs: 3600_000 } as const
    // Certificates begin a day before they are issued, so two thirds of this one are over.
    const { pem, serial, fingerprint, notAfter } = await server.ca.issueHost(short)
    const row = { serial, hostId, fingerprint, notAfter, revokedAt: null }
    await server.catalog.db.insertInto('certificate').values(row).execute()
    host.identity = { ...host.identity, key, certificate: pem }
    saveIdentity(host.directory, host.identity)
    const first = site.openSession(host, handlers)
    const path = `${host.directory}/identity.json`
    const read = () => JSON.parse(readFileSync(path, 'utf8')) as typeof host.identity
    await waitFor('the identity is new', () => read().certificate !== host.identity.certificate)
    expect(read().key).not.toBe(host.identity.key)
    await first[Symbol.asyncDispose]()
    const identity = read()
    const second = site.openSession({ ...host, identity }, handlers)
    await waitFor('it is back', () => second.state === 'online')
    await server.orders.order(hostId, 'host.list', { path: '/' }, { key: 'k', ...soon })
    const { db } = server.catalog
    expect(await db.selectFrom('certificate').select('serial').execute()).toHaveLength(2)
  })

  test('with a wrong clock does its work; the skew is known and tickets are judged by control', async () => {
    const { server } = site
    const host = await site.joinHost()
    const { hostId } = host.identity
    const wrong = new ShiftedClock()
    wrong.wallShiftMs = -3600_000
    const session = site.openSession(host, handlers, wrong)
    await server.waitOnline(hostId)
    await server.orders.order(hostId, 'host.list', { path: '/' }, { key: 'k', ...soon })
    expect(Math.abs(session.controlMs() - clock.wallMs())).toBeLessThan(60_000)
    const events = await server.catalog.db.selectFrom('event').select('type').execute()
    expect(events.map(({ type }) => type)).toEqual([
      'host.joined',
      'host.online',
      'host.clock_wrong',
    ])
    const { db } = server.catalog
    const row = await db.selectFrom('host').select('clockSkewMs').executeTakeFirstOrThrow()
    expect(Math.abs(row.clockSkewMs + 3600_000)).toBeLessThan(60_000)
  })

  test('whose clock is days behind is told so, and its token is still good', async () => {
    // The same from the other side: a server whose certificates begin in this machine's future.
    const later = new ShiftedClock()
    later.wallShiftMs = 10 * 24 * 3600_000
    await using ahead = await Site.start({ clock: later })
    const token = await ahead.server.makeToken()
    await expect(ahead.joinHost(token)).rejects.toMatchObject({ code: 'HOST_CLOCK_WRONG' })
    const rows = ahead.server.catalog.db.selectFrom('joinToken').select('usedAt')
    expect(await rows.execute()).toEqual([{ usedAt: null }])
  })

  test('does not take a damaged identity for none', async () => {
    const host = await site.joinHost()
    saveIdentity(host.directory, { ...host.identity, hostId: 'hst_short' })
    await expect(
      join({
        ...host.identity,
        url: '',
        token: '',
        fingerprint: '',
        software: '',
        directory: host.directory,
        clock,
      }),
    ).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})

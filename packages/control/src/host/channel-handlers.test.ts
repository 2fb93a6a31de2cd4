import { systemClock } from '@openmaas/kernel/clock'
import { systemRandom } from '@openmaas/kernel/random'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ServerKey } from '../auth/server-key.ts'
import { SettingsStore } from '../auth/settings-store.ts'
import { makeTestServer } from '../http/server.test-support.ts'
import type { TestServer } from '../http/server.test-support.ts'
import { CertificateAuthority } from './ca.ts'
import { makeRequest } from './csr.test-support.ts'
import { Enrolment } from './enrolment.ts'
import { makeHostChannelHandlers } from './channel-handlers.ts'
import { makeJoinTokenHandlers } from './join-token-handlers.ts'
import { HostRegistry } from './host-registry.ts'
import { Orders } from './orders.ts'

let site: TemporaryDirectory
let test_: TestServer
let orders: Orders
let enrolment: Enrolment
let removed: string[]

beforeEach(async () => {
  site = new TemporaryDirectory()
  removed = []
  const directory = site.join('ca')
  const ca = await CertificateAuthority.open({ directory, clock: systemClock, names: [] })
  const random = systemRandom
  const serverKey = new ServerKey(random.bytes(32), random)
  test_ = await makeTestServer(({ catalog, clock }) => {
    orders = new Orders({ clock })
    enrolment = new Enrolment({ catalog, ca, clock, random })
    const registry = new HostRegistry({ catalog, clock })
    registry.onDenied((hostId) => removed.push(hostId))
    const settings = new SettingsStore(catalog, clock, serverKey)
    const channelUrl = (): string => 'https://maas.example.org:8731'
    const context = { catalog, clock, random, settings, registry, orders, channelUrl }
    return {
      ...makeHostChannelHandlers(context),
      ...makeJoinTokenHandlers({ ...context, ca, enrolment }),
    }
  })
})
afterEach(async () => {
  await orders[Symbol.asyncDispose]()
  await test_[Symbol.asyncDispose]()
  site.dispose()
})

async function ask(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown) {
  const answer = await test_.server.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { 'x-test-as': 'admin', 'idempotency-key': systemRandom.bytes(8).toString('hex') },
    ...(body !== undefined && { payload: body as object }),
  })
  const json: unknown = answer.body === '' ? null : JSON.parse(answer.body)
  return { status: answer.statusCode, json: json as Record<string, never> }
}

function tokenOf(json: unknown): string {
  return (json as { joinToken: { id: string } }).joinToken.id
}

async function joinHost(secret: string): Promise<string> {
  const about = { addresses: [], os: '', kernel: '', arch: '', hostname: '', cpuCount: 1 }
  const { hostId } = await enrolment.join(
    {
      token: secret,
      csr: await makeRequest('CN=x'),
      name: 'db-1',
      kind: 'agent',
      software: '0.1.0',
      about: { ...about, memoryBytes: 0, engines: [] },
      wallMs: test_.clock.wallMs(),
    },
    '10.0.0.1',
  )
  return hostId
}

async function makeHost(): Promise<string> {
  const made = await ask('POST', '/hosts/join-tokens', { labels: { site: 'x' } })
  return joinHost(made.json['secret']!)
}

describe('the routes of hosts', () => {
  test('make a join token that is shown once, with the line to run', async () => {
    const { status, json } = await ask('POST', '/hosts/join-tokens', { labels: { site: 'x' } })
    expect(status).toBe(201)
    const { secret, fingerprint, command } = json as Record<string, string>
    const server = 'https://maas.example.org:8731'
    expect(command).toBe(
      `openmaas agent join ${server} --token ${secret} --fingerprint ${fingerprint}`,
    )
    const hostId = await joinHost(secret!)
    const listed = await ask('GET', '/hosts/join-tokens')
    expect(listed.json).toMatchObject({ items: [{ hostId, labels: { site: 'x' } }] })
    expect(JSON.stringify(listed.json)).not.toContain(secret)
    const used = await ask('DELETE', `/hosts/join-tokens/${tokenOf(json)}`)
    expect(used.status).toBe(404)
  })

  test('revoke a token that nobody used', async () => {
    const { json } = await ask('POST', '/hosts/join-tokens', {})
    const id = tokenOf(json)
    expect((await ask('DELETE', `/hosts/join-tokens/${id}`)).status).toBe(204)
    await expect(joinHost(json['secret']!)).rejects.toMatchObject({ code: 'JOIN_TOKEN_INVALID' })
  })

  test('let nobody make tokens who sees a part of the hosts only', async () => {
    test_.callers.set('admin', { actor: 'user:usr_x', roles: ['admin'], scope: { site: 'y' } })
    const body = { labels: { site: 'y' } }
    expect((await ask('POST', '/hosts/join-tokens', body)).status).toBe(403)
    expect((await ask('GET', '/hosts/join-tokens')).status).toBe(403)
  })

  test('drain and resume a host', async () => {
    const hostId = await makeHost()
    const drained = await ask('POST', `/hosts/${hostId}/drain`, { reason: 'maintenance' })
    expect(drained).toMatchObject({ status: 200, json: { drained: true, version: 2 } })
    const again = await ask('POST', `/hosts/${hostId}/drain`, {})
    expect(again).toMatchObject({ status: 200, json: { drained: true, version: 2 } })
    const resumed = await ask('POST', `/hosts/${hostId}/resume`)
    expect(resumed).toMatchObject({ status: 200, json: { drained: false } })
  })

  test('remove a host after its name was typed, and cut it off', async () => {
    const hostId = await makeHost()
    const body = { confirm: 'db-1', reason: 'scrapped' }
    const plan = await ask('POST', `/hosts/${hostId}/remove?dryRun=true`, body)
    expect(plan).toMatchObject({ status: 200, json: { plan: [{ object: hostId }] } })
    const wrong = await ask('POST', `/hosts/${hostId}/remove`, { ...body, confirm: 'db-2' })
    expect(wrong.json).toMatchObject({ code: 'CONSENT_MISSING' })
    expect(removed).toEqual([])
    expect((await ask('POST', `/hosts/${hostId}/remove`, body)).status).toBe(204)
    expect(removed).toEqual([hostId])
    const { db } = test_.catalog
    const rows = await db.selectFrom('certificate').select('revokedAt').execute()
    expect(rows.every(({ revokedAt }) => revokedAt !== null)).toBe(true)
    const audit = await db.selectFrom('audit').select(['action', 'reason']).execute()
    expect(audit).toContainEqual({ action: 'removeHost', reason: 'scrapped' })
  })

  test('ask a host that is there what it has, and say when it is not', async () => {
    const hostId = await makeHost()
    expect((await ask('POST', `/hosts/${hostId}/discover`)).json).toMatchObject({
      code: 'HOST_OFFLINE',
    })
    const item = { kind: 'files' as const, path: '/srv', sizeBytes: 1, detail: 'ext4' }
    const entry = { name: 'a', kind: 'file' as const, size: 1, mtimeMs: 1e300, mode: 0, owner: 'x' }
    orders.embed(hostId, {
      'host.discover': () => Promise.resolve({ items: [item] }),
      'host.list': () => Promise.resolve({ entries: [entry], more: false }),
    })
    const found = await ask('POST', `/hosts/${hostId}/discover`)
    expect(found).toMatchObject({
      status: 200,
      json: { items: [{ path: '/srv', sourceId: null }] },
    })
    const listed = await ask('GET', `/hosts/${hostId}/list?path=/`)
    const modifiedAt = '9999-12-31T23:59:59.999Z'
    expect(listed).toMatchObject({ json: { items: [{ name: 'a', modifiedAt }] } })
  })
})

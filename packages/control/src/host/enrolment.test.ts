import { X509Certificate } from 'node:crypto'
import { makeControlId } from '@openmaas/api/ids'
import { systemClock } from '@openmaas/kernel/clock'
import { systemRandom } from '@openmaas/kernel/random'
import { hostAbout } from '@openmaas/protocols/channel/frames'
import type { Hello } from '@openmaas/protocols/channel/frames'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { describeBothCatalogs } from '../catalog/both-catalogs.test-support.ts'
import type { MakeCatalog } from '../catalog/both-catalogs.test-support.ts'
import { CertificateAuthority } from './ca.ts'
import { makeRequest } from './csr.test-support.ts'
import { embedRole } from './embedded.ts'
import { Enrolment } from './enrolment.ts'
import { HostRegistry } from './host-registry.ts'
import { Orders } from './orders.ts'

let site: TemporaryDirectory
beforeEach(() => (site = new TemporaryDirectory()))
afterEach(() => site.dispose())
const about = hostAbout.parse({})

async function open(make: MakeCatalog) {
  const clock = new FakeClock(systemClock.wallMs())
  const catalog = await make(clock)
  const ca = await CertificateAuthority.open({ directory: site.join('ca'), clock, names: [] })
  const random = systemRandom
  const enrolment = new Enrolment({ catalog, ca, clock, random })
  const registry = new HostRegistry({ catalog, clock })
  const makeToken = async (hostId?: string): Promise<string> => {
    const wanted = { kind: 'agent' as const, labels: { site: 'a' }, createdBy: 'user:usr_1' }
    const bound = hostId === undefined ? wanted : { ...wanted, hostId }
    return (await catalog.transaction((trx) => enrolment.makeToken(trx, bound))).secret
  }
  const join = async (token: string, name = 'db', kind: 'agent' | 'node' = 'agent') => {
    const request = { token, csr: await makeRequest('CN=x'), name, kind, software: '0.1.0', about }
    return enrolment.join({ ...request, wallMs: clock.wallMs() }, '10.0.0.1')
  }
  const stateOf = (id: string) =>
    catalog.db.selectFrom('host').selectAll().where('id', '=', id).executeTakeFirstOrThrow()
  return { clock, catalog, ca, random, enrolment, registry, makeToken, join, stateOf }
}

function helloOf(hostId: string): Hello {
  const who = { hostId, role: 'agent', instance: 'i', software: '0.1.0' } as const
  const addresses = { dataAddress: null, nbdAddress: null, portFingerprint: null }
  return { type: 'hello', version: 1, ...who, wallMs: 0, verbs: [], about, ...addresses }
}

describeBothCatalogs('enrolment', (make) => {
  test('makes a host of the token: its labels, its kind, once', async () => {
    const { makeToken, join, stateOf, registry } = await open(make)
    const token = await makeToken()
    const { hostId, certificate } = await join(token)
    expect(await stateOf(hostId)).toMatchObject({ name: 'db', state: 'pending', kind: 'agent' })
    await expect(join(token)).rejects.toMatchObject({ code: 'JOIN_TOKEN_INVALID' })
    await expect(join(await makeToken(), 'x', 'node')).rejects.toMatchObject({
      code: 'JOIN_TOKEN_INVALID',
    })
    const peer = await registry.checkPeer(new X509Certificate(certificate))
    expect(peer).toMatchObject({ hostId, host: { labelsJson: '{"site":"a"}' } })
  })

  test('lets a machine take the place of a host: id, name and labels stay, certificates do not', async () => {
    const { makeToken, join, stateOf, registry } = await open(make)
    const first = await join(await makeToken())
    const again = await join(await makeToken(first.hostId), 'other')
    expect(again).toMatchObject({ hostId: first.hostId, name: 'db' })
    expect(await stateOf(first.hostId)).toMatchObject({ state: 'pending', version: 2 })
    await expect(registry.checkPeer(new X509Certificate(first.certificate))).rejects.toMatchObject({
      code: 'HOST_REMOVED',
    })
    await registry.checkPeer(new X509Certificate(again.certificate))
  })

  test('does not bring back a host that was removed', async () => {
    const { makeToken, join, catalog, registry } = await open(make)
    const { hostId } = await join(await makeToken())
    const token = await makeToken(hostId)
    await catalog.transaction((trx) => registry.remove(trx, hostId))
    await expect(join(token)).rejects.toMatchObject({ code: 'JOIN_TOKEN_INVALID' })
  })

  test('gives whoever joins the host of a rebuilt catalog that has his name', async () => {
    const { makeToken, join, catalog, clock, random } = await open(make)
    const id = makeControlId('host', clock, random)
    const row = { id, name: 'db', kind: 'agent', labelsJson: '{}', state: 'pending' } as const
    const rest = { drained: 0, softwareVersion: '', aboutJson: '{}', clockSkewMs: 0, createdAt: 0 }
    await catalog.db
      .insertInto('host')
      .values({ ...row, ...rest, version: 1 })
      .execute()
    expect(await join(await makeToken())).toMatchObject({ hostId: id, name: 'db' })
    const next = await join(await makeToken())
    expect(next.name).toBe('db-2')
  })

  test('renews for who is not removed', async () => {
    const { makeToken, join, enrolment, catalog, registry, ca } = await open(make)
    const { hostId, certificate } = await join(await makeToken())
    const first = await registry.checkPeer(new X509Certificate(certificate))
    const lost = await enrolment.renew(first, await makeRequest('CN=x'))
    const issued = await enrolment.renew(first, await makeRequest('CN=x'))
    await expect(registry.checkPeer(new X509Certificate(lost.pem))).rejects.toMatchObject({
      code: 'CERTIFICATE_INVALID',
    })
    await registry.checkPeer(new X509Certificate(certificate))
    const peer = await registry.checkPeer(new X509Certificate(issued.pem))
    expect(peer.serial).toBe(issued.serial)
    expect(ca.fingerprint).toMatch(/^sha256:[0-9a-f]{64}$/)
    await catalog.transaction((trx) => registry.remove(trx, hostId))
    await expect(enrolment.renew(first, await makeRequest('CN=x'))).rejects.toMatchObject({
      code: 'HOST_REMOVED',
    })
  })
})

describeBothCatalogs('the registry of hosts', (make) => {
  test('follows a host from its first hello to its end', async () => {
    const { makeToken, join, stateOf, registry, clock, catalog } = await open(make)
    const { hostId, certificate } = await join(await makeToken())
    const peer = await registry.checkPeer(new X509Certificate(certificate))
    await registry.connect(peer, helloOf(hostId), 7000)
    expect(await stateOf(hostId)).toMatchObject({ state: 'online', clockSkewMs: 7000 })
    await registry.alive(hostId, 100)
    clock.advance(60_000)
    await registry.tick()
    expect(await stateOf(hostId)).toMatchObject({ lastSeenAt: clock.wallMs() })
    registry.disconnect(hostId)
    clock.advance(29_999)
    await registry.tick()
    expect(await stateOf(hostId)).toMatchObject({ state: 'online' })
    clock.advance(1)
    await registry.tick()
    expect(await stateOf(hostId)).toMatchObject({ state: 'offline' })
    const removed: string[] = []
    registry.onDenied((id) => removed.push(id))
    await registry.connect(peer, helloOf(hostId), 0)
    await catalog.transaction((trx) => registry.remove(trx, hostId))
    // Nobody called cutOff, as when another server removed it.
    clock.advance(20_000)
    await registry.tick()
    expect(removed).toEqual([hostId])
    registry.disconnect(hostId)
    await expect(registry.connect(peer, helloOf(hostId), 0)).rejects.toMatchObject({
      code: 'HOST_REMOVED',
    })
    const events = await catalog.db.selectFrom('event').select('type').orderBy('seq').execute()
    expect(events.map(({ type }) => type.slice(5))).toEqual([
      'joined',
      'online',
      'clock_wrong',
      'clock_right',
      'offline',
      'online',
      'removed',
    ])
  })

  test('knows where a node is, and by which certificate, whatever it renews', async () => {
    const { makeToken, join, registry, enrolment, catalog, stateOf } = await open(make)
    const { hostId, certificate } = await join(await makeToken())
    const none = { dataAddress: null, nbdAddress: null }
    const first = await registry.checkPeer(new X509Certificate(certificate))
    expect(await registry.placeOf(hostId)).toMatchObject({
      ...none,
      fingerprint: expect.stringMatching(/^sha256:/),
    })
    const place = { dataAddress: 'n:1', nbdAddress: 'n:2', portFingerprint: 'sha256:00' }
    const renewed = await enrolment.renew(first, await makeRequest('CN=x'))
    const peer = await registry.checkPeer(new X509Certificate(renewed.pem))
    await registry.connect(peer, { ...helloOf(hostId), ...place }, 0)
    const { dataAddress, nbdAddress } = place
    const known = await registry.placeOf(hostId)
    expect(known).toEqual({ dataAddress, nbdAddress, fingerprint: 'sha256:00' })
    // One that shook hands before it was replaced, and says hello after, is not let in.
    await catalog.db.updateTable('certificate').set({ revokedAt: 1 }).execute()
    const late = registry.connect(peer, helloOf(hostId), 0)
    await expect(late).rejects.toMatchObject({ code: 'HOST_REMOVED' })
    expect(await stateOf(hostId)).toMatchObject({ state: 'online', version: 2 })
  })

  test('cuts off a host whose certificate ran out while it was connected', async () => {
    const { makeToken, join, registry, clock } = await open(make)
    const { hostId, certificate } = await join(await makeToken())
    const peer = await registry.checkPeer(new X509Certificate(certificate))
    await registry.connect(peer, helloOf(hostId), 0)
    const denied: string[] = []
    registry.onDenied((_id, { code }) => denied.push(code))
    clock.advance(30 * 24 * 3600_000 - 1000)
    await registry.tick()
    expect(denied).toEqual([])
    clock.advance(20_000)
    await registry.tick()
    expect(denied).toEqual(['CERTIFICATE_INVALID'])
  })

  test('keeps embedded roles online over restarts, under one id', async () => {
    const { catalog, clock, random, registry, stateOf } = await open(make)
    const orders = new Orders({ clock })
    const role = { kind: 'agent', handlers: {}, about, software: '0', dataAddress: null } as const
    const id = await embedRole({ catalog, clock, random, registry, orders }, role)
    const next = new HostRegistry({ catalog, clock })
    expect(await embedRole({ catalog, clock, random, registry: next, orders }, role)).toBe(id)
    await next.begin()
    clock.advance(60_000)
    await next.tick()
    expect(await stateOf(id)).toMatchObject({ state: 'online', lastSeenAt: clock.wallMs() })
    await expect(catalog.transaction((trx) => next.remove(trx, id))).rejects.toMatchObject({
      code: 'HOST_IN_USE',
    })
    await orders[Symbol.asyncDispose]()
  })
})

describe('a certificate', () => {
  test('that names two hosts, or a host and more, speaks for none', async () => {
    const { hostIdOf } = await import('./ca.ts')
    const id = `hst_${'0'.repeat(26)}`
    const of = (subjectAltName: string) => hostIdOf({ subjectAltName } as X509Certificate)
    expect(of(`URI:urn:openmaas:host:${id}`)).toBe(id)
    expect(of(`URI:urn:openmaas:host:${id}, URI:urn:openmaas:host:${id}`)).toBeUndefined()
    expect(of(`DNS:x, URI:urn:openmaas:host:${id}`)).toBeUndefined()
    expect(of('URI:urn:openmaas:control')).toBeUndefined()
  })
})

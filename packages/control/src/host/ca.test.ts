import { statSync, writeFileSync } from 'node:fs'
import { X509Certificate } from 'node:crypto'
import { systemClock } from '@openmaas/kernel/clock'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CertificateAuthority, fingerprintOf, hostIdOf, HOST_LIFETIME_MS } from './ca.ts'
import { makeRequest } from './csr.test-support.ts'

const HOST = 'hst_01ARZ3NDEKTSV4RRFFQ69G5FAV'
let site: TemporaryDirectory
beforeEach(() => (site = new TemporaryDirectory()))
afterEach(() => site.dispose())
const open = (clock = new FakeClock(), names = ['localhost', '10.0.0.1']) =>
  CertificateAuthority.open({ directory: site.join('ca'), clock, names })

describe('the certificate authority', () => {
  test('is the same after a restart, and keeps its keys to itself', async () => {
    const first = await open()
    const credentials = await first.serverCredentials()
    const second = await open()
    expect(second.fingerprint).toBe(first.fingerprint)
    expect(second.ticketKeys).toEqual(first.ticketKeys)
    expect(await second.serverCredentials()).toEqual(credentials)
    for (const name of ['root.pem', 'server.pem', 'ticket.pem']) {
      expect(statSync(site.join('ca', name)).mode & 0o777, name).toBe(0o600)
    }
  })

  test('gives a host a certificate of 30 days that speaks for it alone', async () => {
    const clock = new FakeClock(Math.floor(systemClock.wallMs() / 1000) * 1000)
    const ca = await open(clock)
    const csr = await makeRequest('CN=hst_other')
    const issued = await ca.issueHost({ csr, hostId: HOST, kind: 'agent' })
    const certificate = new X509Certificate(issued.pem)
    expect(hostIdOf(certificate)).toBe(HOST)
    expect(certificate.subject).toBe(`CN=${HOST}`)
    expect(certificate.verify(new X509Certificate(ca.rootPem).publicKey)).toBe(true)
    expect(certificate.validToDate.getTime()).toBe(issued.notAfter)
    expect(issued.notAfter).toBe(clock.wallMs() + HOST_LIFETIME_MS)
    expect(issued.fingerprint).toBe(fingerprintOf(issued.pem))
    expect(certificate.ca).toBe(false)
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
    const node = await ca.issueHost({ csr, hostId: HOST, kind: 'node' })
    expect(new X509Certificate(node.pem).keyUsage).toContain('1.3.6.1.5.5.7.3.1')
    expect(node.serial).not.toBe(issued.serial)
  })

  test('renews the server certificate at two thirds of its life and for new names', async () => {
    const clock = new FakeClock()
    const ca = await open(clock)
    const first = await ca.serverCredentials()
    clock.advance(240 * 24 * 3600_000)
    expect((await ca.serverCredentials()).fingerprint).toBe(first.fingerprint)
    clock.advance(5 * 24 * 3600_000)
    // One process shows one certificate until the last month.
    expect((await ca.serverCredentials()).fingerprint).toBe(first.fingerprint)
    const second = await (await open(clock)).serverCredentials()
    expect(second.fingerprint).not.toBe(first.fingerprint)
    clock.advance(336 * 24 * 3600_000)
    const last = await ca.serverCredentials()
    expect([first.fingerprint, second.fingerprint]).not.toContain(last.fingerprint)
    const named = await open(clock, ['localhost', 'maas.example.org'])
    const third = await named.serverCredentials()
    expect(third.fingerprint).not.toBe(last.fingerprint)
    expect(new X509Certificate(third.cert).checkHost('maas.example.org')).toBe('maas.example.org')
  })

  test.each([
    ['nothing', () => ''],
    [
      'no request',
      () => '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----',
    ],
    ['a long one', (csr: string) => csr + '\n'.repeat(5000)],
    [
      'one with another signature',
      (csr: string) => {
        const lines = csr.trim().split('\n')
        const body = Buffer.from(lines.slice(1, -1).join(''), 'base64')
        body[body.length - 1]! ^= 1
        return [lines[0], body.toString('base64'), lines.at(-1)].join('\n')
      },
    ],
  ])('refuses a request that is %s', async (_what, change) => {
    const ca = await open()
    const csr = change(await makeRequest('CN=x'))
    await expect(ca.issueHost({ csr, hostId: HOST, kind: 'agent' })).rejects.toMatchObject({
      code: 'CERTIFICATE_INVALID',
    })
  })

  test('is not made anew over a damaged one', async () => {
    await open()
    writeFileSync(site.join('ca', 'root.pem'), 'garbage')
    await expect(open()).rejects.toMatchObject({ code: 'CA_INVALID' })
  })
})

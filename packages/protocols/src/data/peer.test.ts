import type { PeerCertificate } from 'node:tls'
import { expect, test } from 'vitest'
import { hasFingerprint, hostOfCertificate, nameOfCertificate } from './peer.ts'

const certificate = (subjectaltname?: string): PeerCertificate =>
  ({ subjectaltname, fingerprint256: 'AB:'.repeat(31) + 'CD' }) as PeerCertificate

test.each([
  ['URI:urn:openmaas:host:hst_1', 'hst_1', 'urn:openmaas:host:hst_1'],
  ['DNS:a, URI:urn:openmaas:control, IP Address:127.0.0.1', undefined, 'urn:openmaas:control'],
  ['DNS:"a, URI:urn:openmaas:host:hst_1, b"', undefined, undefined],
  ['DNS:a, URI:urn:openmaas:host:hst_1', undefined, 'urn:openmaas:host:hst_1'],
  ['URI:urn:openmaas:control', undefined, 'urn:openmaas:control'],
  ['URI:urn:openmaas:host:hst_1, URI:urn:openmaas:host:hst_2', undefined, undefined],
  ['URI:urn:openmaas:host:hst 1', undefined, 'urn:openmaas:host:hst 1'],
  ['DNS:URI:urn:openmaas:host:hst_1', undefined, undefined],
  [undefined, undefined, undefined],
])('%s names the host %s', (names, host, name) => {
  expect(hostOfCertificate(certificate(names))).toBe(host)
  expect(nameOfCertificate(certificate(names))).toBe(name)
})

test('a fingerprint is compared in any spelling, and as a whole', () => {
  const hex = `${'ab'.repeat(31)}cd`
  expect(hasFingerprint(certificate(), `sha256:${hex}`)).toBe(true)
  expect(hasFingerprint(certificate(), `SHA-256:${hex.toUpperCase()}`)).toBe(true)
  expect(hasFingerprint(certificate(), `sha256:${hex.slice(0, 62)}`)).toBe(false)
  expect(hasFingerprint(certificate(), '')).toBe(false)
  expect(hasFingerprint({ subjectaltname: '' } as PeerCertificate, '')).toBe(false)
})

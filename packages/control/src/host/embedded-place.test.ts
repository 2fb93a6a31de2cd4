import { expect, test } from 'vitest'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { CertificateAuthority } from './ca.ts'
import { placeOfEmbedded } from './embedded-place.ts'
import type { EmbeddedNode } from './embedded-place.ts'

const DAY_MS = 24 * 3600_000

test('the ports of an embedded node show the renewed certificate that a ticket names', async () => {
  using directory = new TemporaryDirectory()
  let nowMs = Date.parse('2026-11-22T00:00:00Z')
  const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs }
  const names = ['localhost']
  const ca = await CertificateAuthority.open({ directory: directory.join('ca'), clock, names })
  const first = await ca.serverCredentials()
  const shown: string[] = []
  const node: EmbeddedNode = {
    dataAddress: 'node:8732',
    nbdAddress: 'node:8733',
    fingerprint: first.fingerprint,
    renew: ({ fingerprint }) => shown.push(fingerprint),
  }
  expect((await placeOfEmbedded(ca, node)).fingerprint).toBe(first.fingerprint)
  expect(shown).toEqual([])
  // Far enough for any certificate of the server to be in its last month, or past it.
  nowMs += 400 * DAY_MS
  const renewed = await ca.serverCredentials()
  expect(renewed.fingerprint).not.toBe(first.fingerprint)
  expect(await placeOfEmbedded(ca, node)).toEqual({
    dataAddress: 'node:8732',
    nbdAddress: 'node:8733',
    fingerprint: renewed.fingerprint,
  })
  await placeOfEmbedded(ca, node)
  expect(shown).toEqual([renewed.fingerprint])
})

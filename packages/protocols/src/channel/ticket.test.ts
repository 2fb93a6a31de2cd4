import { generateKeyPairSync } from 'node:crypto'
import { isMaasError } from '@openmaas/kernel/errors'
import { describe, expect, test } from 'vitest'
import { signTicket, TICKET_LIFETIME_MAX_MS, verifyTicket } from './ticket.ts'
import type { TicketFields } from './ticket.ts'

const NOW = Date.UTC(2026, 0, 1)
const pair = generateKeyPairSync('ed25519')
const other = generateKeyPairSync('ed25519')
const pem = (key: typeof pair) => key.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const keys = [{ id: 'k1', publicKey: pem(pair) }]
const fields: TicketFields = {
  purpose: 'nbd',
  poolId: 'pol_1',
  sourceId: 'src_1',
  hostId: 'hst_1',
  exportName: 'mnt_1',
  expiresAt: NOW + 3600_000,
}
const signer = { keyId: 'k1', privateKey: pair.privateKey, nowMs: NOW }

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    if (isMaasError(error)) return error.code
    throw error
  }
  return 'accepted'
}

describe('a ticket', () => {
  test('says what control signed', () => {
    const ticket = verifyTicket(signTicket(fields, signer), keys, NOW)
    expect(ticket).toEqual({ ...fields, v: 1, keyId: 'k1', issuedAt: NOW })
  })

  test('is refused with any single character changed', () => {
    const text = signTicket(fields, signer)
    for (let at = 0; at < text.length; at += 1) {
      const changed = text[at] === 'A' ? 'B' : 'A'
      const damaged = text.slice(0, at) + changed + text.slice(at + 1)
      // The last character of a base64url part may have bits that are not used.
      const same = Buffer.from(text.split('.')[1]!, 'base64url')
      const now = Buffer.from(damaged.split('.')[1] ?? '', 'base64url')
      if (same.equals(now) && damaged.split('.')[0] === text.split('.')[0]) continue
      expect(
        codeOf(() => verifyTicket(damaged, keys, NOW)),
        `at ${at}`,
      ).toBe('TICKET_INVALID')
    }
  })

  test('of another signer is refused, whatever key it names', () => {
    const forged = signTicket(fields, { ...signer, privateKey: other.privateKey })
    expect(codeOf(() => verifyTicket(forged, keys, NOW))).toBe('TICKET_INVALID')
    const both = [...keys, { id: 'k2', publicKey: pem(other) }]
    expect(codeOf(() => verifyTicket(forged, both, NOW))).toBe('TICKET_INVALID')
  })

  test.each(['', '.', 'a.b.c', 'x'.repeat(100_000), '\0.\0'])('%j is none', (text) => {
    expect(codeOf(() => verifyTicket(text, keys, NOW))).toBe('TICKET_INVALID')
  })

  test('ends at its date, and lasts a week at most', () => {
    const text = signTicket({ ...fields, purpose: 'capture', expiresAt: NOW + 1e12 }, signer)
    expect(codeOf(() => verifyTicket(text, keys, NOW + TICKET_LIFETIME_MAX_MS))).toBe('accepted')
    const after = NOW + TICKET_LIFETIME_MAX_MS + 1
    expect(codeOf(() => verifyTicket(text, keys, after))).toBe('TICKET_EXPIRED')
  })

  test('of a medium outlives every lease: it is shown at each reconnect', () => {
    const text = signTicket({ ...fields, purpose: 'nbd', expiresAt: NOW + 1e12 }, signer)
    expect(codeOf(() => verifyTicket(text, keys, NOW + 366 * 86_400_000))).toBe('accepted')
  })

  test('from the future tells of a wrong clock', () => {
    const text = signTicket(fields, signer)
    expect(codeOf(() => verifyTicket(text, keys, NOW - 5_000))).toBe('accepted')
    expect(codeOf(() => verifyTicket(text, keys, NOW - 5_001))).toBe('TICKET_EXPIRED')
  })
})

/**
 * Signing in the form of Standard Webhooks: HMAC-SHA256 over "id.timestamp.body", so that a
 * receiver can check origin and age with the libraries of that project.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Random } from '@openmaas/kernel/random'

const PREFIX = 'whsec_'
const SECRET_SIZE = 32

export function makeWebhookSecret(random: Random): string {
  return PREFIX + random.bytes(SECRET_SIZE).toString('base64')
}

/** What is not in the form of that project is taken as it stands. */
function keyOf(secret: string): Buffer {
  return secret.startsWith(PREFIX)
    ? Buffer.from(secret.slice(PREFIX.length), 'base64')
    : Buffer.from(secret, 'utf8')
}

export interface SignedMessage {
  /** The same for every attempt at one delivery. */
  readonly id: string
  readonly timestampSeconds: number
  readonly body: string
}

export function sign(secret: string, message: SignedMessage): string {
  const text = `${message.id}.${message.timestampSeconds}.${message.body}`
  return `v1,${createHmac('sha256', keyOf(secret)).update(text).digest('base64')}`
}

/** What a receiver does; a header may hold several signatures while a secret is changed. */
export function verify(secret: string, message: SignedMessage, header: string): boolean {
  const expected = Buffer.from(sign(secret, message))
  return header.split(' ').some((one) => {
    const given = Buffer.from(one)
    return given.length === expected.length && timingSafeEqual(given, expected)
  })
}

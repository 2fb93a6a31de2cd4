import { describe, expect, test } from 'vitest'
import { systemRandom } from '@openmaas/kernel/random'
import { answerGreeting, makeGreeting, readReply, serveRequest } from './owner-protocol.ts'

describe('the owner protocol', () => {
  const socketKey = Buffer.alloc(32, 7)
  const owner = { pin: async () => undefined, unpin: async () => undefined }
  const { line: greeting, nonce } = makeGreeting(systemRandom)
  const request = answerGreeting(socketKey, greeting, { op: 'unpin', id: 'a' })

  test('answers a signed request', async () => {
    expect(() => readReply('{"ok":true}')).not.toThrow()
    expect(await serveRequest(owner, { socketKey, nonce }, request)).toBe('{"ok":true}\n')
  })

  test('refuses a request that was played again, changed, or is no request', async () => {
    const other = makeGreeting(systemRandom).nonce
    const replies = await Promise.all([
      serveRequest(owner, { socketKey, nonce: other }, request),
      serveRequest(owner, { socketKey, nonce }, request.replace('"a"', '"b"')),
      serveRequest(owner, { socketKey, nonce }, '{}'),
      serveRequest(owner, { socketKey, nonce }, 'nonsense'),
    ])
    for (const reply of replies) expect(() => readReply(reply)).toThrowError(/request|socket/)
  })
})

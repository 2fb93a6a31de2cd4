/** What a stranger can do with the port: garbage in, refusal or silence out, and it goes on. */
import { connect } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { routeNames, routeOf } from '@openmaas/api/routes/routes'
import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { CertificateAuthority } from '../host/ca.ts'
import { makeHandlers } from './handlers.test-support.ts'
import { BUCKET_COUNT_MAX, RateLimiter } from './rate-limit.ts'
import { makeTestServer } from './server.test-support.ts'
import type { TestServer } from './server.test-support.ts'

let site: TestServer
let port: number

beforeAll(async () => {
  site = await makeTestServer((parts) => makeHandlers(parts))
  port = Number(new URL(await site.server.listen({ host: '127.0.0.1', port: 0 })).port)
})
afterAll(() => site[Symbol.asyncDispose]())

/** Sends bytes, and reads until the server closes or has said nothing more. */
function say(bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(port, '127.0.0.1')
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1')
      socket.end()
    })
    socket.on('close', () => resolve(text))
    socket.on('error', () => resolve(text))
    socket.end(bytes)
  })
}

describe('the port', () => {
  test('answers what is no HTTP with a problem, or not at all, and goes on', async () => {
    const random = new SeededRandom(1)
    const cases: (string | Buffer)[] = [
      'hello\r\n\r\n',
      // As HTTP/0.9 has it; the console's own page would be an answer.
      'GET /api/nothing\r\n\r\n',
      'GET / HTTP/9.9\r\n\r\n',
      `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(100_000)}\r\n\r\n`,
      `GET /${'a'.repeat(100_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      'POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'POST /api/v1/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
      'GET / HTTP/1.1\r\n\r\n',
      '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
      ...Array.from({ length: 50 }, () => random.bytes(1 + random.below(300))),
    ]
    for (const bytes of cases) {
      const text = await say(bytes)
      if (text !== '') expect(text, bytes.toString().slice(0, 80)).toMatch(/^HTTP\/1\.1 4\d\d /)
      if (text.includes('{')) expect(text).toContain('application/problem+json')
    }
    const health = await say('GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    expect(health).toContain('200 OK')
  })

  test('gives a stranger health, the ways to log in, and otherwise refusals', async () => {
    for (const name of routeNames) {
      const { method, path, permission } = routeOf(name)
      const url = path.replaceAll(/\{\w+\}/g, 'x')
      const response = await fetch(`http://127.0.0.1:${port}${url}`, { method })
      await response.body?.cancel()
      if (permission !== 'public') expect([401, 404], name).toContain(response.status)
    }
  })

  test('believes no proxy that it was not told of', async () => {
    const slow = { address: { burst: 2, perSecond: 0.001 } }
    const strict = await makeTestServer((parts) => makeHandlers(parts), { rates: slow })
    const open = { rates: slow, trustedProxies: ['127.0.0.1'] }
    const trusting = await makeTestServer((parts) => makeHandlers(parts), open)
    const statuses = async ({ server }: TestServer) => {
      const seen: number[] = []
      for (let i = 0; i < 4; i += 1) {
        const headers = { 'x-forwarded-for': `192.0.2.${i}` }
        seen.push((await server.app.inject({ url: '/healthz', headers })).statusCode)
      }
      return seen
    }
    expect(await statuses(strict)).toEqual([200, 200, 429, 429])
    expect(await statuses(trusting)).toEqual([200, 200, 200, 200])
    await strict[Symbol.asyncDispose]()
    await trusting[Symbol.asyncDispose]()
  })

  test('lets an answer that is under way come out when the server is stopped', async () => {
    const held = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const own = await makeTestServer(() => ({
      getHealth: async () => {
        begun.resolve()
        await held.promise
        return { body: { status: 'ok' } }
      },
    }))
    const url = await own.server.listen({ host: '127.0.0.1', port: 0 })
    const answer = fetch(`${url}/api/v1/health`)
    await begun.promise
    const closing = own.server.close()
    held.resolve()
    expect(await (await answer).json()).toEqual({ status: 'ok' })
    await closing
    await own.catalog[Symbol.asyncDispose]()
  })
})

describe('TLS', () => {
  test('is spoken with the certificate that holds now', async () => {
    using scratch = new TemporaryDirectory()
    const clock = new FakeClock(Date.now())
    const names = ['localhost']
    const [first, second] = await Promise.all(
      ['a', 'b'].map(async (name) => {
        const directory = scratch.join(name)
        const ca = await CertificateAuthority.open({ directory, clock, names })
        return ca.serverCredentials()
      }),
    )
    const own = await makeTestServer((parts) => makeHandlers(parts), { tls: first! })
    const url = new URL(await own.server.listen({ host: '127.0.0.1', port: 0 }))
    const shown = () =>
      new Promise<string>((resolve, reject) => {
        const socket = tlsConnect(Number(url.port), '127.0.0.1', { rejectUnauthorized: false })
        socket.on('error', reject)
        socket.on('secureConnect', () => {
          resolve(socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase())
          socket.destroy()
        })
      })
    const plain = (text: string) =>
      text
        .replace(/^sha256:/, '')
        .replaceAll(':', '')
        .toLowerCase()
    expect(await shown()).toBe(plain(first!.fingerprint))
    own.server.setCertificate(second!)
    expect(await shown()).toBe(plain(second!.fingerprint))
    const { headers } = await own.server.app.inject('/healthz')
    expect(headers['strict-transport-security']).toContain('max-age=')
    expect(() => site.server.setCertificate(second!)).toThrowError('without TLS')
    await own[Symbol.asyncDispose]()
  })
})

describe('RateLimiter', () => {
  test('takes a burst, then what time gives back, for each key by itself', () => {
    const clock = new FakeClock()
    const limiter = new RateLimiter(clock, { burst: 3, perSecond: 2 })
    const take = (key: string) => limiter.take(key).allowed
    expect([take('a'), take('a'), take('a')]).toEqual([true, true, true])
    expect([take('a'), take('b')]).toEqual([false, true])
    clock.advance(500)
    expect([take('a'), take('a')]).toEqual([true, false])
    clock.jump(0)
    expect(take('a')).toBe(false)
    clock.advance(60_000)
    expect([take('a'), take('a'), take('a'), take('a')]).toEqual([true, true, true, false])
  })

  test('remembers a bounded number of callers', () => {
    const limiter = new RateLimiter(new FakeClock(), { burst: 1, perSecond: 1 })
    for (let i = 0; i < BUCKET_COUNT_MAX + 10; i += 1) limiter.take(`192.0.2.${i}`)
    expect(limiter.size).toBe(BUCKET_COUNT_MAX)
  })
})

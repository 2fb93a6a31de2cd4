import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect } from 'node:tls'
import { WebSocket } from 'ws'
import { makeKeyRequest } from '@openmaas/agent/session/identity'
import { systemClock } from '@openmaas/kernel/clock'
import { CertificateAuthority } from '@openmaas/control/host/ca'
import { AgentConnection } from '@openmaas/protocols/channel/agent-connection'
import { CHANNEL_PROTOCOL, hostAbout } from '@openmaas/protocols/channel/frames'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ShiftedClock } from './shifted-clock.test-support.ts'
import { Site } from './site.test-support.ts'

const DAY_MS = 24 * 3600_000
let site: Site
beforeAll(async () => {
  site = await Site.start()
})
afterAll(() => site[Symbol.asyncDispose]())

interface Credentials {
  readonly key?: string
  readonly certificate?: string
}

function dial({ key, certificate }: Credentials, path = '/channel'): WebSocket {
  const socket = new WebSocket(`wss://127.0.0.1:${site.server.port}${path}`, CHANNEL_PROTOCOL, {
    rejectUnauthorized: false,
    ...(key !== undefined && { key, cert: certificate }),
  })
  return socket
}

/** `open`, or the status and code of the refusal. */
function outcome(credentials: Credentials, path?: string): Promise<string> {
  const socket = dial(credentials, path)
  return new Promise((resolve, reject) => {
    socket.on('open', () => {
      socket.terminate()
      resolve('open')
    })
    socket.on('error', reject)
    socket.on('unexpected-response', (_request, response) => {
      let text = ''
      response.on('data', (piece: Buffer) => (text += piece.toString()))
      response.on('end', () => {
        const { code } = JSON.parse(text) as { code: string }
        resolve(`${response.statusCode} ${code}`)
      })
    })
  })
}

/** All that comes back until the server closes. */
async function exchange(bytes: string | Buffer): Promise<string> {
  const socket = connect({ port: site.server.port, host: '127.0.0.1', rejectUnauthorized: false })
  let answer = ''
  socket.on('data', (piece: Buffer) => (answer += piece.toString()))
  await once(socket, 'secureConnect')
  socket.write(bytes)
  await once(socket, 'close')
  return answer
}

async function issue(ca: CertificateAuthority, hostId: string): Promise<Required<Credentials>> {
  const { key, csr } = await makeKeyRequest()
  const { pem } = await ca.issueHost({ csr, hostId, kind: 'agent' })
  return { key, certificate: pem }
}

describe('the channel port', () => {
  test('opens for the certificate of a host', async () => {
    const { identity } = await site.joinHost()
    expect(await outcome(identity)).toBe('open')
    expect(await outcome(identity, '/other')).toBe('401 CERTIFICATE_MISSING')
  })

  test('refuses who has no certificate', async () => {
    expect(await outcome({})).toBe('401 CERTIFICATE_MISSING')
  })

  test('refuses the certificate of another CA, even one in the name of a host', async () => {
    const { identity } = await site.joinHost()
    const directory = site.directory.join('foreign')
    const foreign = await CertificateAuthority.open({ directory, clock: systemClock, names: [] })
    const forged = await issue(foreign, identity.hostId)
    expect(await outcome(forged)).toBe('403 CERTIFICATE_INVALID')
  })

  test('refuses an expired one and one that is not in the catalog', async () => {
    const { identity } = await site.joinHost()
    expect(await outcome(await issue(site.server.ca, identity.hostId))).toBe(
      '403 CERTIFICATE_INVALID',
    )
    const past = new ShiftedClock()
    past.wallShiftMs = -31 * DAY_MS
    const directory = `${site.server.directory}/ca`
    const earlier = await CertificateAuthority.open({
      directory,
      clock: past,
      names: ['127.0.0.1'],
    })
    const expired = await issue(earlier, identity.hostId)
    expect(await outcome(expired)).toBe('403 CERTIFICATE_INVALID')
  })

  test('refuses a revoked one', async () => {
    const { identity } = await site.joinHost()
    const { catalog, registry } = site.server
    await catalog.transaction((trx) => registry.remove(trx, identity.hostId))
    expect(await outcome(identity)).toBe('403 HOST_REMOVED')
  })

  test('answers strangers with nothing but refusals', async () => {
    const get = (line: string, more = '') => exchange(`${line} HTTP/1.1\r\nhost: x\r\n${more}\r\n`)
    for (const line of ['GET /', 'GET /channel', 'GET /join', 'PUT /join', 'OPTIONS *']) {
      expect(await get(line, 'connection: close\r\n'), line).toMatch(/^HTTP\/1.1 401 /)
    }
    expect(await exchange('garbage\r\n\r\n')).toMatch(/^HTTP\/1.1 400 /)
    for (const body of ['', '{', '[]', '{"token":1}', 'null', '['.repeat(60_000)]) {
      const head = `POST /join HTTP/1.1\r\nhost: x\r\ncontent-length: ${body.length}\r\n\r\n`
      expect(await exchange(head + body), body.slice(0, 20)).toMatch(/^HTTP\/1.1 400 /)
    }
    const long = `POST /join HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n${' '.repeat(100_000)}`
    expect(await exchange(long)).toMatch(/^HTTP\/1.1 400 /)
  })

  test('outlives bytes that are no TLS', async () => {
    const socket = connectTcp({ port: site.server.port, host: '127.0.0.1' })
    socket.on('error', () => {})
    socket.resume()
    socket.end('GET / HTTP/1.1\r\n\r\n')
    await once(socket, 'close')
    expect(await outcome({})).toBe('401 CERTIFICATE_MISSING')
  })

  // Goal: whatever a host sends first, the server is there for the next. Method: each byte of a
  // hello changed, each on a connection of its own.
  test('survives every damaged byte of a hello', async () => {
    const { identity } = await site.joinHost()
    const { hostId } = identity
    const about = hostAbout.parse({})
    const names = {
      role: 'agent',
      hostId,
      instance: 'i',
      software: '0',
      dataAddress: null,
      nbdAddress: null,
      portFingerprint: null,
    } as const
    const hello = new AgentConnection(systemClock).begin({ ...names, verbs: [], about })
    const places = [...Buffer.from(hello).keys()]
    const answers = new Map<string, number>()
    const sendDamaged = async (at: number): Promise<void> => {
      const bytes = Buffer.from(hello)
      bytes[at]! ^= 1 << (at % 8)
      const socket = dial(identity)
      const answered = new Promise<string>((resolve) => {
        socket.on('message', (text: Buffer) => {
          resolve((JSON.parse(text.toString()) as { type: string }).type)
        })
        socket.on('close', () => resolve('closed'))
        socket.on('error', () => resolve('closed'))
      })
      await once(socket, 'open')
      socket.send(bytes, { binary: false })
      const type = await answered
      answers.set(type, (answers.get(type) ?? 0) + 1)
      socket.terminate()
    }
    const workers = Array.from({ length: 4 }, async () => {
      for (let at = places.pop(); at !== undefined; at = places.pop()) await sendDamaged(at)
    })
    await Promise.all(workers)
    expect([...answers.keys()].toSorted()).toEqual(['closed', 'refusal', 'welcome'])
    expect(await outcome(identity)).toBe('open')
  })

  test('drops a host that says nothing, sends binary, or too much', async () => {
    const { identity } = await site.joinHost()
    for (const message of [Buffer.from([1, 2, 3]), 'x'.repeat(100_000), 'x'.repeat(5_000_000)]) {
      const socket = dial(identity)
      socket.on('error', () => {})
      await once(socket, 'open')
      socket.send(message)
      await once(socket, 'close')
    }
    await waitFor('nobody is there', () => !site.server.orders.isConnected(identity.hostId))
  })
})

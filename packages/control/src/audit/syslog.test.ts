import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { createServer as createTlsServer, Server as TlsServer } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { requires } from '@openmaas/testkit/requires'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { waitFor } from '@openmaas/testkit/wait-for'
import { ServerKey } from '../auth/server-key.ts'
import { SettingsStore } from '../auth/settings-store.ts'
import { openCatalog } from '../catalog/catalog.ts'
import { AuditForwarder } from './audit-forwarder.ts'
import { appendAudit } from './audit-log.ts'
import { parseTarget, SyslogSender } from './syslog-sender.ts'
import { datagramOf, FACILITY, formatSyslog, frameSyslog, SEVERITY } from './syslog.ts'

const MESSAGE = {
  facility: FACILITY.audit,
  severity: SEVERITY.info,
  atMs: Date.UTC(2026, 0, 1, 12, 0, 0, 7),
  id: 'audit',
  fields: { seq: 7, name: 'a "b" \\ ]c' },
  text: '用户\nlogin',
}

const open: (() => void)[] = []
afterEach(() => {
  for (const close of open.splice(0)) close()
})

/** A server that keeps what it receives. */
async function listen(
  server: Server,
): Promise<{ port: number; received: () => string; drop: () => void }> {
  const parts: Buffer[] = []
  const sockets = new Set<Socket>()
  const take = (socket: Socket) => {
    sockets.add(socket)
    socket.on('data', (bytes: Buffer) => parts.push(bytes))
    socket.on('error', () => undefined)
  }
  server.on(server instanceof TlsServer ? 'secureConnection' : 'connection', take)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const drop = () => {
    for (const socket of sockets) socket.destroy()
  }
  open.push(() => {
    drop()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { port, received: () => Buffer.concat(parts).toString('utf8'), drop }
}

test('a message has the form of RFC 5424, and nothing in it can forge another', () => {
  const text = formatSyslog(MESSAGE)
  expect(text).toMatch(
    /^<110>1 2026-01-01T12:00:00\.007Z [!-~]+ openmaas \d+ audit \[openmaas@32473 seq="7" name="a \\"b\\" \\\\ \\\]c"\] \ufeff用户 login$/,
  )
  expect(formatSyslog({ ...MESSAGE, fields: {}, id: '' })).toContain(' - - \ufeff')
  expect(formatSyslog({ ...MESSAGE, id: 'two words\n' })).toContain(' two_words_ ')
})

test('a frame counts octets, not characters', () => {
  expect(frameSyslog('<1>1 é').toString()).toBe('7 <1>1 é')
})

test('a datagram that is too long is cut between characters', () => {
  const bytes = datagramOf(`x${'中'.repeat(1000)}`)
  expect(bytes.length).toBe(2047)
  expect(bytes.toString('utf8')).toBe(`x${'中'.repeat(682)}`)
  expect(datagramOf('short').toString()).toBe('short')
})

test.each([
  ['logs.example', 'udp', { host: 'logs.example', port: 514 }],
  ['logs.example:6515', 'tls', { host: 'logs.example', port: 6515 }],
  ['[2001:db8::1]:99', 'tcp', { host: '2001:db8::1', port: 99 }],
  ['2001:db8::1', 'tls', { host: '2001:db8::1', port: 6514 }],
] as const)('the address %s over %s is understood', (address, transport, expected) => {
  expect(parseTarget({ address, transport })).toEqual(expected)
})

test.each(['', 'a:0', 'a:70000', 'a:b', '[::1', 'a b:c:d'])(
  'the address "%s" is refused',
  (address) => {
    expect(() => parseTarget({ address, transport: 'tcp' })).toThrow('host:port')
  },
)

test('UDP: one datagram each', async () => {
  const socket = createSocket('udp4')
  const received: string[] = []
  socket.on('message', (bytes) => received.push(bytes.toString('utf8')))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  open.push(() => socket.close())
  const sender = new SyslogSender({
    address: `127.0.0.1:${socket.address().port}`,
    transport: 'udp',
  })
  await sender.send(['one', '二'])
  await waitFor('both are there', () => received.length === 2 || undefined)
  expect(received).toEqual(['one', '二'])
})

test('TCP: frames on one connection, which is made anew when it broke', async () => {
  const { port, received, drop } = await listen(createServer())
  await using sender = new SyslogSender({ address: `127.0.0.1:${port}`, transport: 'tcp' })
  await sender.send(['one', '二'])
  await waitFor('the first are there', () => received() === '3 one3 二' || undefined)
  drop()
  await waitFor('it is noticed', async () => {
    await sender.send(['x'])
    return received().endsWith('1 x') || undefined
  })
})

test('nobody there is an error of the table', async () => {
  const sender = new SyslogSender({ address: '127.0.0.1:9', transport: 'tcp' })
  await expect(sender.send(['x'])).rejects.toMatchObject({ code: 'SYSLOG_UNREACHABLE' })
})

requires(['openssl'], () => {
  test('TLS: only to a server whose certificate is known', async () => {
    using site = new TemporaryDirectory()
    const [key, cert] = [site.join('key.pem'), site.join('cert.pem')]
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1']
    const fresh = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    execFileSync('openssl', [...fresh, '-keyout', key, '-out', cert, ...subject], {
      stdio: 'ignore',
    })
    const ca = readFileSync(cert, 'utf8')
    const server = createTlsServer({ key: readFileSync(key), cert: ca })
    server.on('tlsClientError', () => undefined)
    const { port, received } = await listen(server)
    const address = `127.0.0.1:${port}`
    const stranger = new SyslogSender({ address, transport: 'tls' })
    await expect(stranger.send(['x'])).rejects.toMatchObject({ code: 'SYSLOG_UNREACHABLE' })
    await using sender = new SyslogSender({ address, transport: 'tls', ca })
    await sender.send(['secret'])
    await waitFor('it is there', () => received() === '6 secret' || undefined)
  })
})

test('the forwarder sends every row once, also over a restart and while the server is away', async () => {
  const clock = new FakeClock()
  const random = new SeededRandom(1)
  const catalog = await openCatalog({ url: 'sqlite::memory:', clock })
  const settings = new SettingsStore(catalog, clock, new ServerKey(random.bytes(32), random))
  const entry = {
    actor: 'system',
    address: '',
    action: 'x',
    object: 'o',
    outcome: 'ok',
    requestId: '',
  } as const
  const add = (count: number) =>
    catalog.transaction(async (trx) => {
      for (let i = 0; i < count; i += 1) await appendAudit(trx, entry, clock)
    })
  const aim = async (port: number) => {
    const auditSyslog = { address: `127.0.0.1:${port}`, transport: 'tcp' } as const
    await catalog.transaction((trx) => settings.change(trx, { auditSyslog }))
    await settings.reload()
  }
  await add(150)
  const first = new AuditForwarder(catalog, clock, settings)
  await first.tick()
  await aim(9)
  await first.tick()
  const { port, received } = await listen(createServer())
  await aim(port)
  // Still waiting after the failure.
  await first.tick()
  expect(received()).toBe('')
  clock.advance(5 * 60_000)
  await first.tick()
  await first.stop()
  await add(3)
  const second = new AuditForwarder(catalog, clock, settings)
  await second.tick()
  await second.tick()
  const seqs = () => [...received().matchAll(/ seq="(\d+)"/g)].map((match) => Number(match[1]))
  await waitFor('all are there', () => seqs().length === 153 || undefined)
  expect(seqs()).toEqual(Array.from({ length: 153 }, (_, i) => i + 1))
  await second.stop()
  await catalog[Symbol.asyncDispose]()
})

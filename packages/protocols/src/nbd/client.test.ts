import net from 'node:net'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BlockDevice } from '@openmaas/kernel/block-device'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { verifyBlockDevice } from '@openmaas/testkit/verify-block-device'
import { waitFor } from '@openmaas/testkit/wait-for'
import { NbdClient } from './client.ts'
import type { NbdClientOptions } from './client.ts'
import type { NbdExport } from './export.ts'
import type { NbdAddress } from './listen-address.ts'
import { NbdServer } from './server.ts'
import type { NbdServerEvent } from './server.ts'

const SIZE = 4 * 1024 * 1024

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'nbd-client-'))
})
afterEach(() => {
  rmSync(directory, { recursive: true, force: true })
})

interface Site extends AsyncDisposable {
  readonly address: NbdAddress
  readonly exports: Map<string, NbdExport>
  readonly events: NbdServerEvent[]
  server: NbdServer
  restart(): Promise<void>
}

async function serve(device: BlockDevice, address?: NbdAddress): Promise<Site> {
  const exports = new Map<string, NbdExport>([['', { open: () => device }]])
  const events: NbdServerEvent[] = []
  const make = (): NbdServer => new NbdServer({ exports, onEvent: (event) => events.push(event) })
  const server = make()
  const bound = await server.listen(address ?? { socketPath: join(directory, 'nbd.sock') })
  const site: Site = {
    address: bound,
    exports,
    events,
    server,
    async restart() {
      await this.server.close()
      this.server = make()
      await this.server.listen(bound)
    },
    [Symbol.asyncDispose]: () => site.server.close(),
  }
  return site
}

/** A device whose every call waits for a later turn. */
function late(inner: MemoryDevice): BlockDevice {
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
  return {
    size: inner.size,
    blockSize: inner.blockSize,
    readOnly: inner.readOnly,
    read: (offset, target) => turn().then(() => inner.read(offset, target)),
    write: (offset, source) => turn().then(() => inner.write(offset, source)),
    trim: (offset, length) => turn().then(() => inner.trim(offset, length)),
    writeZeroes: (offset, length) => turn().then(() => inner.writeZeroes(offset, length)),
    flush: () => turn().then(() => inner.flush()),
    blockStatus: (offset, length) => turn().then(() => inner.blockStatus(offset, length)),
    close: () => undefined,
  }
}

function verify(
  name: string,
  makeDevice: () => BlockDevice,
  options: Partial<NbdClientOptions> = {},
  readOnly = false,
): void {
  verifyBlockDevice(
    name,
    async () => {
      const site = await serve(makeDevice(), options.address)
      const device = await NbdClient.connect({ ...options, address: site.address })
      return { device, dispose: () => site.server.close() }
    },
    { readOnly, seeds: 5 },
  )
}

verify('an NBD client over a unix socket', () => new MemoryDevice({ size: SIZE }))
verify('an NBD client over TCP with four connections', () => new MemoryDevice({ size: SIZE }), {
  connectionCount: 4,
  address: { host: '127.0.0.1', port: 0 },
})
verify('an NBD client of a device that answers later', () => late(new MemoryDevice({ size: SIZE })))
verify(
  'an NBD client of a read-only export',
  () => new MemoryDevice({ size: SIZE, readOnly: true }),
  {},
  true,
)

describe('a client whose server goes away', () => {
  test('sends again what had no answer, and the caller sees nothing of it', async () => {
    const inner = new MemoryDevice({ size: SIZE })
    let gate: Promise<void> | undefined
    const device: BlockDevice = Object.assign(late(inner), {
      write: async (offset: number, source: Buffer) => {
        await gate
        inner.write(offset, source)
      },
    })
    await using site = await serve(device)
    await using client = await NbdClient.connect({ address: site.address, connectionCount: 2 })
    for (let round = 1; round <= 5; round += 1) {
      const open = Promise.withResolvers<void>()
      gate = open.promise
      const writes = Array.from({ length: 40 }, (_, i) =>
        client.write(i * 4096, Buffer.alloc(4096, round * 40 + i)),
      )
      // The connections are cut while the device holds the writes; then it goes on.
      const disconnected = site.events.length
      await waitFor('the server has clients', () => site.server.connectionCount > 0)
      const closing = site.restart()
      open.resolve()
      await Promise.all(writes)
      await closing
      expect(site.events.length).toBeGreaterThan(disconnected)
      for (let i = 0; i < 40; i += 1) {
        const target = Buffer.alloc(4096)
        await client.read(i * 4096, target)
        expect(target.equals(Buffer.alloc(4096, round * 40 + i)), `round ${round}`).toBe(true)
      }
    }
  })

  test('waits for a server that comes back later', async () => {
    const device = new MemoryDevice({ size: SIZE })
    const site = await serve(device)
    await using client = await NbdClient.connect({ address: site.address })
    await site.server.close()
    const write = client.write(7, Buffer.from('still there'))
    await expect(Promise.race([write, new Promise((_, no) => setTimeout(no, 50))])).rejects.toBe(
      undefined,
    )
    await using again = await serve(device)
    await write
    expect(again.server.connectionCount).toBe(1)
    expect(device.bytes.subarray(7, 18).toString()).toBe('still there')
  })

  test('gives up after its time, and tries again with the next request', async () => {
    const device = new MemoryDevice({ size: SIZE })
    const site = await serve(device)
    await using client = await NbdClient.connect({ address: site.address, reconnectTimeoutMs: 30 })
    await site.server.close()
    await expect(client.flush()).rejects.toMatchObject({
      code: 'NBD_UNREACHABLE',
      details: { timeoutMs: 30 },
    })
    await using _again = await serve(device)
    await client.flush()
  })

  test('does not take another disk for its own', async () => {
    const site = await serve(new MemoryDevice({ size: SIZE }))
    await using client = await NbdClient.connect({ address: site.address })
    site.exports.set('', { open: () => new MemoryDevice({ size: SIZE + 4096 }) })
    await site.restart()
    const changed = { code: 'NBD_EXPORT_CHANGED', details: { size: SIZE + 4096 } }
    await expect(client.read(0, Buffer.alloc(1))).rejects.toMatchObject(changed)
    await expect(client.flush()).rejects.toMatchObject(changed)
    await site.server.close()
  })

  test('waits for its export, which may come a little after the server', async () => {
    await using site = await serve(new MemoryDevice({ size: SIZE }))
    await using client = await NbdClient.connect({ address: site.address })
    const entry = site.exports.get('')!
    site.exports.delete('')
    await site.restart()
    const read = client.read(0, Buffer.alloc(4096))
    await waitFor('an attempt was turned down', () => site.events.length >= 3)
    site.exports.set('', entry)
    await read
  })
})

describe('a client', () => {
  test('splits what is longer than one request', async () => {
    const size = 80 * 1024 * 1024
    const device = new MemoryDevice({ size })
    await using site = await serve(device)
    await using client = await NbdClient.connect({ address: site.address, connectionCount: 2 })
    const source = Buffer.alloc(size - 3)
    for (let at = 0; at < source.length; at += 65_536) source.writeUInt32BE(at, at)
    await client.write(2, source)
    const target = Buffer.alloc(source.length)
    await client.read(2, target)
    expect(target.equals(source)).toBe(true)
    await client.writeZeroes(0, size)
    expect(device.bytes.equals(Buffer.alloc(size))).toBe(true)
  })

  test('says at once that nobody is there, or that the export is not', async () => {
    const address = { socketPath: join(directory, 'nobody') }
    await expect(NbdClient.connect({ address })).rejects.toMatchObject({ code: 'NBD_UNREACHABLE' })
    await using site = await serve(new MemoryDevice({ size: SIZE }))
    const named = { address: site.address, exportName: 'nope' }
    await expect(NbdClient.connect(named)).rejects.toMatchObject({ code: 'NBD_EXPORT_UNKNOWN' })
  })

  test('ends with its signal: what is in flight and what comes after is cancelled', async () => {
    const device = late(new MemoryDevice({ size: SIZE }))
    device.flush = () => new Promise(() => {})
    await using site = await serve(device)
    const abort = new AbortController()
    const options = { address: site.address, signal: abort.signal }
    const client = await NbdClient.connect(options)
    const flush = client.flush()
    abort.abort()
    await expect(flush).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(client.flush()).rejects.toMatchObject({ code: 'CANCELLED' })
    await expect(NbdClient.connect(options)).rejects.toMatchObject({ code: 'CANCELLED' })
    await client.close()
    device.flush = () => undefined
    for (const event of site.events) expect(event.type).not.toBe('failed')
  }, 40_000)

  test('keeps the error of the server', async () => {
    const device = new MemoryDevice({ size: SIZE })
    device.read = () => {
      throw new TypeError('a bug')
    }
    await using site = await serve(device)
    await using client = await NbdClient.connect({ address: site.address })
    await expect(client.read(0, Buffer.alloc(1))).rejects.toMatchObject({
      code: 'NBD_REMOTE_ERROR',
      details: { errno: 5, reason: 'internal error' },
    })
    expect(site.events).toMatchObject([{ type: 'failed', error: { message: 'a bug' } }])
  })
})

describe('a server', () => {
  test('makes its socket for its own user alone, and removes it', async () => {
    const site = await serve(new MemoryDevice({ size: SIZE }))
    const { socketPath } = site.address as { socketPath: string }
    expect(statSync(socketPath).mode & 0o777).toBe(0o600)
    await site.server.close()
    expect(statSync(socketPath, { throwIfNoEntry: false })).toBeUndefined()
  })

  test('takes the place of a dead socket, not of a living one nor of a file', async () => {
    const device = new MemoryDevice({ size: SIZE })
    await using site = await serve(device)
    await expect(serve(device)).rejects.toMatchObject({ code: 'FS_EXISTS' })
    await using client = await NbdClient.connect({ address: site.address })
    await client.flush()
    const file = { socketPath: join(directory, 'file') }
    writeFileSync(file.socketPath, 'precious')
    await expect(serve(device, file)).rejects.toMatchObject({ code: 'FS_EXISTS' })
  })

  test('does not listen beyond the machine without TLS and client certificates', async () => {
    for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org']) {
      await expect(
        serve(new MemoryDevice({ size: SIZE }), { host, port: 0 }),
      ).rejects.toMatchObject({ code: 'NBD_LISTEN_REFUSED' })
    }
  })

  test('turns away clients beyond its limit', async () => {
    const exports = new Map([['', { open: () => new MemoryDevice({ size: SIZE }) }]])
    await using server = new NbdServer({ exports, connectionCountMax: 1 })
    const address = await server.listen({ host: '127.0.0.1', port: 0 })
    await using _first = await NbdClient.connect({ address })
    await expect(NbdClient.connect({ address })).rejects.toMatchObject({ code: 'NBD_UNREACHABLE' })
  })

  test('drops a peer that speaks something else, and serves on', async () => {
    await using site = await serve(new MemoryDevice({ size: SIZE }), { host: '127.0.0.1', port: 0 })
    const { port } = site.address as { port: number }
    const stranger = net.connect(port, '127.0.0.1')
    stranger.on('error', () => {})
    stranger.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n')
    stranger.resume()
    await new Promise((resolve) => stranger.once('close', resolve))
    await waitFor('the server has noticed', () => site.events.length === 1)
    expect(site.events).toMatchObject([
      { type: 'disconnected', reason: { code: 'NBD_PROTOCOL_VIOLATION' } },
    ])
    await using client = await NbdClient.connect({ address: site.address })
    await client.flush()
  })

  test('lets the clients of one export go, and knows how many there are', async () => {
    await using site = await serve(new MemoryDevice({ size: SIZE }))
    await using client = await NbdClient.connect({ address: site.address })
    await client.flush()
    expect(site.server.usersOf('')).toBe(1)
    expect(site.server.usersOf('other')).toBe(0)
    site.server.disconnect('')
    await waitFor('the client is gone', () => site.server.usersOf('') === 0)
    await client.flush() // It comes back, since the export is still there.
    expect(site.server.usersOf('')).toBe(1)
  })
})

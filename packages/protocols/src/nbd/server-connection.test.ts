import { once } from 'node:events'
import net from 'node:net'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BufferPool } from './buffer-pool.ts'
import { encodeOption, encodeRequest } from './codec.ts'
import * as nbd from './constants.ts'
import { ServerConnection } from './server-connection.ts'

const SIZE = 2 * 1024 * 1024
const MEBIBYTE = 1024 * 1024

// The fast way of reading leans on a private part of Node; both ways must do the same.
describe.each([
  ['into its own buffers', true],
  ['by data events', false],
])('a connection that reads %s', (_title, fast) => {
  let device: MemoryDevice
  let listener: net.Server
  let client: net.Socket
  let connection: ServerConnection
  let reasons: unknown[]
  let received: Buffer[]

  beforeEach(async () => {
    device = new MemoryDevice({ size: SIZE, content: Buffer.alloc(SIZE, 0x61) })
    reasons = []
    received = []
    listener = net.createServer({ pauseOnConnect: true }, (socket) => {
      if (!fast) Object.assign((socket as unknown as { _handle: object })._handle, withoutBuffers)
      connection = new ServerConnection(socket, {
        exports: new Map([['', { open: () => device }]]),
        pool: new BufferPool(),
        tlsMode: 'off',
        tlsOptions: {},
        report: (error) => reasons.push(error),
        closed: (_connection, reason) => reasons.push(reason),
      })
    })
    listener.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    client = net.connect((listener.address() as net.AddressInfo).port, '127.0.0.1')
    client.on('data', (bytes) => received.push(bytes))
    client.write(Buffer.from('00000003', 'hex'))
    client.write(encodeOption(nbd.NBD_OPT_EXPORT_NAME))
    await waitFor('the export is chosen', () => size() === 28)
  })
  afterEach(async () => {
    client.destroy()
    listener.close()
    await waitFor('the connection has ended', () => reasons.length > 0)
  })

  const withoutBuffers = { useUserBuffer: undefined }
  const size = (): number => received.reduce((sum, bytes) => sum + bytes.length, 0)

  test('lets a client that reads slowly have all its replies', async () => {
    client.pause()
    const count = 80
    const read = encodeRequest({ type: nbd.NBD_CMD_READ, cookie: 1n, length: MEBIBYTE })
    client.write(Buffer.concat(Array.from({ length: count }, () => read)))
    const flush = encodeRequest({ type: nbd.NBD_CMD_FLUSH, cookie: 2n })
    await new Promise((resolve) => setTimeout(resolve, 50)) // Now its buffers are full.
    client.write(flush)
    client.resume()
    const expected = 28 + count * (16 + MEBIBYTE) + 16
    await waitFor('all replies are there', () => size() === expected)
    expect(received.at(-1)!.subarray(-8).toString('hex')).toBe('0000000000000002')
  })

  test('takes large and small writes in any mixture', async () => {
    const model = Buffer.alloc(SIZE, 0x61)
    let replies = 28
    for (const [i, length] of [5, 70_000, 4096, MEBIBYTE, 1, 300_000, 65_536].entries()) {
      const offset = i * 1000
      const payload = Buffer.alloc(length, i + 1)
      payload.copy(model, offset)
      const header = { type: nbd.NBD_CMD_WRITE, cookie: BigInt(i), offset, length }
      client.write(Buffer.concat([encodeRequest(header), payload]))
      replies += 16
    }
    await waitFor('all writes are acknowledged', () => size() === replies)
    expect(device.bytes.equals(model)).toBe(true)
  })

  test('ends in order after DISC, and when it is closed', async () => {
    client.write(encodeRequest({ type: nbd.NBD_CMD_DISC, cookie: 0n }))
    await once(client, 'end')
    await waitFor('the connection has ended', () => reasons.length === 1)
    expect(reasons).toEqual([undefined])
    connection.close()
  })

  test('says why when the peer breaks the protocol', async () => {
    client.write(Buffer.alloc(28))
    await waitFor('the connection has ended', () => reasons.length === 1)
    expect(reasons).toMatchObject([{ code: 'NBD_PROTOCOL_VIOLATION' }])
  })
})

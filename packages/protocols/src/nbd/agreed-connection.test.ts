/** A peer that does not negotiate, on a socket pair, as the kernel is one. */
import net from 'node:net'
import { posixAvailable } from '@openmaas/kernel/posix/library'
import { socketPair } from '@openmaas/kernel/posix/socket'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { waitFor } from '@openmaas/testkit/wait-for'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BufferPool } from './buffer-pool.ts'
import { encodeRequest } from './codec.ts'
import * as nbd from './constants.ts'
import { ServerConnection } from './server-connection.ts'

const SIZE = 1024 * 1024
const available = posixAvailable()

describe.skipIf(!available)(available ? 'an agreed connection' : 'skipped: Linux missing', () => {
  let peer: net.Socket
  let connection: ServerConnection
  let ended: boolean
  let received: Buffer

  beforeEach(() => {
    const [mine, other] = socketPair()
    const device = new MemoryDevice({ size: SIZE, content: Buffer.alloc(SIZE, 0x61) })
    ended = false
    received = Buffer.alloc(0)
    const unread: object = { pauseOnCreate: true }
    const socket = new net.Socket({ fd: mine, readable: true, writable: true, ...unread })
    connection = new ServerConnection(socket, {
      exports: new Map(),
      pool: new BufferPool(),
      tlsMode: 'off',
      tlsOptions: {},
      agreed: {
        exportName: 'disk',
        device,
        structured: false,
        blockStatus: false,
        fastZero: false,
      },
      report: (error) => {
        throw error
      },
      closed: () => (ended = true),
    })
    peer = new net.Socket({ fd: other, readable: true, writable: true })
    peer.on('data', (bytes) => (received = Buffer.concat([received, bytes])))
  })
  afterEach(async () => {
    peer.destroy()
    await waitFor('the connection has ended', () => ended)
  })

  const request = (type: number, offset: number, length: number): Buffer =>
    encodeRequest({ type, flags: 0, cookie: 7n, offset, length })

  test('says nothing first, and serves the first request that comes', async () => {
    expect(connection.exportName).toBe('disk')
    peer.write(request(nbd.NBD_CMD_READ, 4096, 512))
    await waitFor('the reply is there', () => received.length === 16 + 512)
    expect(received.readUInt32BE(0)).toBe(nbd.NBD_SIMPLE_REPLY_MAGIC)
    expect(received.subarray(16).equals(Buffer.alloc(512, 0x61))).toBe(true)
  })

  test('tells a peer that has said goodbye', async () => {
    peer.write(request(nbd.NBD_CMD_DISC, 0, 0))
    await waitFor('the connection has ended', () => ended)
    expect(connection.goodbye).toBe(true)
  })

  test('from one that is gone', async () => {
    peer.destroy()
    await waitFor('the connection has ended', () => ended)
    expect(connection.goodbye).toBe(false)
  })

  test('ends for the peer too when it is closed', async () => {
    let hungUp = false
    peer.on('end', () => (hungUp = true))
    connection.close()
    await waitFor('the peer hears of it', () => hungUp)
  })
})

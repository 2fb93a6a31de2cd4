import { describe, expect, test } from 'vitest'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { NbdClientHandshake } from './client-handshake.ts'
import { encodeGreeting, encodeInfoBlockSize, encodeInfoExport } from './codec.ts'
import { encodeOption, encodeOptionError, encodeOptionReply } from './codec.ts'
import * as nbd from './constants.ts'
import { NbdHandshake } from './handshake.ts'

const device = new MemoryDevice({ size: 100_000 })
const exports = new Map([['m1', { open: () => device }]])
const ack = (option: number): Buffer => encodeOptionReply(option, nbd.NBD_REP_ACK)
const refuse = (option: number, type: number): Buffer => encodeOptionError(option, type, 'no')

function begin(tls = false): NbdClientHandshake {
  const client = new NbdClientHandshake({ exportName: 'm1', tls })
  client.receive(encodeGreeting())
  return client
}

describe('the handshake of the client', () => {
  test('answers the greeting with its flags and asks for structured replies', () => {
    const client = new NbdClientHandshake({ exportName: 'm1', tls: false })
    const sent = Buffer.concat(client.receive(encodeGreeting())).toString('hex')
    expect(sent).toBe('00000003' + '49484156454f5054' + '00000008' + '00000000')
  })

  test('agrees with our server on everything', () => {
    const server = new NbdHandshake({ exports, tls: 'off' })
    const client = new NbdClientHandshake({ exportName: 'm1', tls: false })
    let toClient = [server.greeting()]
    while (client.state !== 'transmission') {
      const toServer = toClient.flatMap((bytes) => client.receive(bytes))
      toClient = toServer.flatMap((bytes) => server.receive(bytes))
    }
    expect(client.agreement).toEqual({
      size: 100_000,
      flags: 0x0ded,
      structured: true,
      contextId: 1,
      blockSizes: { minimum: 1, preferred: 4096, maximum: 32 * 1024 * 1024 },
    })
    expect(server.agreement).toMatchObject({ blockStatus: true, structured: true })
  })

  test('does without structured replies and GO, where a server knows neither', () => {
    const client = begin()
    const go = client.receive(refuse(nbd.NBD_OPT_STRUCTURED_REPLY, nbd.NBD_REP_ERR_UNSUP))
    expect(go[0]!.readUInt32BE(8)).toBe(nbd.NBD_OPT_GO)
    const sent = client.receive(refuse(nbd.NBD_OPT_GO, nbd.NBD_REP_ERR_UNSUP))
    expect(sent[0]).toEqual(encodeOption(nbd.NBD_OPT_EXPORT_NAME, Buffer.from('m1')))
    client.receive(Buffer.from('00000000000186a0' + '0005', 'hex'))
    expect(client.agreement).toMatchObject({ size: 100_000, flags: 5, structured: false })
  })

  test('insists on TLS when it was asked for, and believes nothing in the clear after', () => {
    const refused = begin(true)
    expect(() => refused.receive(refuse(nbd.NBD_OPT_STARTTLS, nbd.NBD_REP_ERR_POLICY))).toThrow(
      expect.objectContaining({ code: 'NBD_SERVER_UNSUPPORTED' }),
    )
    const injected = begin(true)
    const bytes = Buffer.concat([ack(nbd.NBD_OPT_STARTTLS), ack(nbd.NBD_OPT_STRUCTURED_REPLY)])
    expect(() => injected.receive(bytes)).toThrow(
      expect.objectContaining({ code: 'NBD_PROTOCOL_VIOLATION' }),
    )
  })

  test.each([
    ['NBD_EXPORT_UNKNOWN', nbd.NBD_REP_ERR_UNKNOWN],
    ['NBD_TLS_REQUIRED', nbd.NBD_REP_ERR_TLS_REQD],
    ['NBD_UNREACHABLE', nbd.NBD_REP_ERR_SHUTDOWN],
    ['NBD_SERVER_UNSUPPORTED', nbd.NBD_REP_ERR_BLOCK_SIZE_REQD],
  ])('says %s for what the server refuses', (code, type) => {
    const client = begin()
    client.receive(refuse(nbd.NBD_OPT_STRUCTURED_REPLY, nbd.NBD_REP_ERR_UNSUP))
    expect(() => client.receive(refuse(nbd.NBD_OPT_GO, type))).toThrow(
      expect.objectContaining({ code }),
    )
  })

  test('does not go on without its context when the export comes a moment later', () => {
    const client = begin()
    client.receive(ack(nbd.NBD_OPT_STRUCTURED_REPLY))
    const unknown = refuse(nbd.NBD_OPT_SET_META_CONTEXT, nbd.NBD_REP_ERR_UNKNOWN)
    expect(() => client.receive(unknown)).toThrow(
      expect.objectContaining({ code: 'NBD_EXPORT_UNKNOWN' }),
    )
  })

  test('does not speak with an oldstyle server', () => {
    const oldstyle = Buffer.from('4e42444d4147494300420281861253'.padEnd(36, '0'), 'hex')
    const client = new NbdClientHandshake({ exportName: '', tls: false })
    expect(() => client.receive(oldstyle)).toThrow(
      expect.objectContaining({ code: 'NBD_SERVER_UNSUPPORTED' }),
    )
  })
})

describe('a server that cannot be believed', () => {
  const go = nbd.NBD_OPT_GO
  const impossible = { minimum: 3, preferred: 4096, maximum: 4096 }
  test.each([
    ['no NBD greeting', Buffer.alloc(18), 'greeting'],
    ['a reply with another magic', Buffer.alloc(20), 'structured'],
    ['a reply to another option', ack(nbd.NBD_OPT_LIST), 'structured'],
    [
      'a reply of 4 GiB',
      Buffer.concat([ack(8).subarray(0, 16), Buffer.from('ffffffff', 'hex')]),
      'structured',
    ],
    ['GO without a size', ack(go), 'go'],
    ['impossible block sizes', encodeInfoBlockSize(go, impossible), 'go'],
    ['a short export', encodeOptionReply(go, nbd.NBD_REP_INFO, Buffer.alloc(11)), 'go'],
    [
      'endless information',
      Buffer.concat(Array.from({ length: 65 }, () => encodeInfoExport(go, 1, 1))),
      'go',
    ],
    [
      'a reply before any request',
      Buffer.concat([encodeInfoExport(go, 1, 1), ack(go), Buffer.alloc(1)]),
      'go',
    ],
  ])('is given up at %s', (_title, bytes, stage) => {
    const client = new NbdClientHandshake({ exportName: '', tls: false })
    if (stage !== 'greeting') client.receive(encodeGreeting())
    if (stage === 'go') client.receive(refuse(8, nbd.NBD_REP_ERR_UNSUP))
    expect(() => client.receive(bytes)).toThrow(
      expect.objectContaining({ code: 'NBD_PROTOCOL_VIOLATION' }),
    )
  })
})

import { describe, expect, test } from 'vitest'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { encodeInfoQuery, encodeMetaContextQuery, encodeOption } from './codec.ts'
import * as nbd from './constants.ts'
import type { NbdExport } from './export.ts'
import { NbdHandshake } from './handshake.ts'
import type { TlsMode } from './handshake.ts'

const device = new MemoryDevice({ size: 0x123456789 % 1_000_000, blockSize: 4096 })
const exports = new Map<string, NbdExport>([
  ['', { open: () => device }],
  ['m1', { open: () => device, description: 'first' }],
  ['ro', { open: () => new MemoryDevice({ size: 65_536, readOnly: true }), multiConn: false }],
])

const clientFlags = Buffer.from('00000003', 'hex')

function negotiate(options: readonly Buffer[], tls: TlsMode = 'off') {
  const handshake = new NbdHandshake({ exports, tls })
  const replies = handshake.receive(Buffer.concat([clientFlags, ...options]))
  return { handshake, replies: replies.map((reply) => reply.toString('hex')) }
}

/** The bytes of an option reply, spelled out. */
function reply(option: number, type: number, data = ''): string {
  const word = (value: number): string => value.toString(16).padStart(8, '0')
  return `0003e889045565a9${word(option)}${word(type)}${word(data.length / 2)}${data}`
}
const text = (value: string): string => Buffer.from(value).toString('hex')
const error = (option: number, type: number, message: string): string =>
  reply(option, type, text(message))
const go = (name: string, infos: number[] = []): Buffer =>
  encodeOption(nbd.NBD_OPT_GO, encodeInfoQuery({ name, infos }))
const structured = encodeOption(nbd.NBD_OPT_STRUCTURED_REPLY)
const context = (option: number, name: string, ...queries: string[]): Buffer =>
  encodeOption(option, encodeMetaContextQuery({ name, queries }))
const { NBD_OPT_SET_META_CONTEXT: SET, NBD_OPT_LIST_META_CONTEXT: LIST } = nbd

describe('the fixed newstyle handshake of the server', () => {
  test('greets with NBDMAGIC, IHAVEOPT and the flags for fixed newstyle without zeroes', () => {
    const greeting = new NbdHandshake({ exports, tls: 'off' }).greeting().toString('hex')
    expect(greeting).toBe('4e42444d4147494349484156454f50540003')
  })

  test('enters transmission by GO with size, flags and block sizes', () => {
    const { handshake, replies } = negotiate([structured, go('m1', [3, 1, 2])])
    // 0x9117f bytes; flush, FUA, trim, write zeroes, DF, multi-conn, cache, fast zero.
    const size = device.size.toString(16).padStart(16, '0')
    expect(replies).toEqual([
      reply(8, 1),
      reply(7, 3, `0000${size}0ded`),
      reply(7, 3, '0003000000010000100002000000'),
      reply(7, 3, `0001${text('m1')}`),
      reply(7, 3, `0002${text('first')}`),
      reply(7, 1),
    ])
    expect(handshake.state).toBe('transmission')
    expect(handshake.agreement).toMatchObject({ exportName: 'm1', structured: true })
    expect(handshake.agreement.blockStatus).toBe(false)
  })

  test('offers a read-only export without FUA, trim and zeroes, DF or multi-conn', () => {
    const { replies } = negotiate([go('ro')])
    expect(replies).toEqual([reply(7, 3, '000000000000000100000407'), reply(7, 1)])
  })

  test('answers INFO like GO and goes on negotiating', () => {
    const info = encodeOption(nbd.NBD_OPT_INFO, encodeInfoQuery({ name: 'ro', infos: [] }))
    const { handshake, replies } = negotiate([info])
    expect(replies).toEqual([reply(6, 3, '000000000000000100000407'), reply(6, 1)])
    expect(handshake.state).toBe('options')
  })

  test('enters transmission by EXPORT_NAME, with zeroes unless they were declined', () => {
    const option = encodeOption(nbd.NBD_OPT_EXPORT_NAME, Buffer.from('ro'))
    expect(negotiate([option]).replies).toEqual(['0000000000010000' + '0407'])
    const handshake = new NbdHandshake({ exports, tls: 'off' })
    const withZeroes = handshake.receive(Buffer.concat([Buffer.from('00000001', 'hex'), option]))
    expect(withZeroes[0]!.toString('hex')).toBe('0000000000010000' + '0407' + '00'.repeat(124))
  })

  test('ends the session when EXPORT_NAME asks for what is not there', () => {
    const option = encodeOption(nbd.NBD_OPT_EXPORT_NAME, Buffer.from('nope'))
    expect(() => negotiate([option])).toThrowError(
      expect.objectContaining({ code: 'NBD_EXPORT_UNKNOWN' }),
    )
  })

  test('lists the exports with their descriptions', () => {
    expect(negotiate([encodeOption(nbd.NBD_OPT_LIST)]).replies).toEqual([
      reply(3, 2, '00000000'),
      reply(3, 2, `00000002${text('m1')}${text('first')}`),
      reply(3, 2, `00000002${text('ro')}`),
      reply(3, 1),
    ])
  })

  test('acknowledges ABORT and closes', () => {
    const { handshake, replies } = negotiate([encodeOption(nbd.NBD_OPT_ABORT)])
    expect(replies).toEqual([reply(2, 1)])
    expect(handshake.state).toBe('closed')
  })

  test('refuses extended headers and unknown options, and goes on', () => {
    const { handshake, replies } = negotiate([
      encodeOption(nbd.NBD_OPT_EXTENDED_HEADERS),
      encodeOption(0x4d4f5341, Buffer.from('data')),
    ])
    expect(replies).toEqual([
      error(11, 0x80000001, 'option not supported'),
      error(0x4d4f5341, 0x80000001, 'option not supported'),
    ])
    expect(handshake.state).toBe('options')
  })

  test.each([
    ['LIST with data', encodeOption(nbd.NBD_OPT_LIST, Buffer.of(0)), 3],
    ['STRUCTURED_REPLY with data', encodeOption(8, Buffer.of(0)), 8],
    ['STARTTLS with data', encodeOption(nbd.NBD_OPT_STARTTLS, Buffer.of(0)), 5],
  ])('answers INVALID to %s', (_title, option, number) => {
    expect(negotiate([option]).replies).toEqual([
      error(number, 0x80000003, 'this option takes no data'),
    ])
  })

  test.each([
    ['empty', ''],
    ['a name longer than the option', '00000009' + '6d31' + '0000'],
    ['fewer infos than said', '00000002' + '6d31' + '0002' + '0003'],
    ['more infos than said', '00000002' + '6d31' + '0000' + '0003'],
    ['a NUL in the name', '00000002' + '6d00' + '0000'],
    ['a name that is not UTF-8', '00000002' + 'ff31' + '0000'],
  ])('answers INVALID to a GO that is malformed: %s', (_title, data) => {
    const { handshake, replies } = negotiate([encodeOption(7, Buffer.from(data, 'hex'))])
    expect(replies).toEqual([error(7, 0x80000003, 'malformed option')])
    expect(handshake.state).toBe('options')
  })
})

describe('metadata contexts', () => {
  test('selects base:allocation for the export that is then used', () => {
    const { handshake, replies } = negotiate([
      structured,
      context(SET, 'm1', 'qemu:x', 'base:allocation'),
      go('m1'),
    ])
    expect(replies[1]).toBe(reply(10, 4, `00000001${text('base:allocation')}`))
    expect(replies[2]).toBe(reply(10, 1))
    expect(handshake.agreement.blockStatus).toBe(true)
  })

  test('does not carry a selection over to another export, nor over a failed one', () => {
    const other = negotiate([structured, context(SET, 'ro', 'base:allocation'), go('m1')])
    expect(other.handshake.agreement.blockStatus).toBe(false)
    const failed = negotiate([
      structured,
      context(SET, 'm1', 'base:allocation'),
      context(SET, 'nope', 'base:allocation'),
      go('m1'),
    ])
    expect(failed.replies[3]).toBe(error(10, 0x80000006, 'no such export'))
    expect(failed.handshake.agreement.blockStatus).toBe(false)
  })

  test('lists by wildcard, by name and without a query; selects by exact name only', () => {
    const listed = [reply(9, 4, `00000000${text('base:allocation')}`), reply(9, 1)]
    for (const queries of [[], ['base:'], ['base:allocation'], ['x:', 'base:']]) {
      expect(negotiate([structured, context(LIST, 'm1', ...queries)]).replies.slice(1)).toEqual(
        listed,
      )
    }
    const unknown = negotiate([structured, context(LIST, 'm1', 'qemu:dirty')])
    expect(unknown.replies.slice(1)).toEqual([reply(9, 1)])
    for (const queries of [[], ['base:']]) {
      expect(negotiate([structured, context(SET, 'm1', ...queries)]).replies.slice(1)).toEqual([
        reply(10, 1),
      ])
    }
  })

  test('wants structured replies first', () => {
    expect(negotiate([context(SET, 'm1', 'base:allocation')]).replies).toEqual([
      error(10, 0x80000003, 'structured replies come first'),
    ])
  })
})

describe('TLS', () => {
  const startTls = encodeOption(nbd.NBD_OPT_STARTTLS)

  test('is refused by policy where it is not configured', () => {
    expect(negotiate([startTls]).replies).toEqual([error(5, 0x80000002, 'TLS is not configured')])
  })

  test('is required before anything but STARTTLS and ABORT', () => {
    const { replies } = negotiate([encodeOption(nbd.NBD_OPT_LIST), go('m1')], 'require')
    expect(replies).toEqual([
      error(3, 0x80000005, 'start TLS first'),
      error(7, 0x80000005, 'start TLS first'),
    ])
    const option = encodeOption(nbd.NBD_OPT_EXPORT_NAME, Buffer.from('m1'))
    expect(() => negotiate([option], 'require')).toThrowError(
      expect.objectContaining({ code: 'NBD_TLS_REQUIRED' }),
    )
  })

  test('forgets what was negotiated before it', () => {
    const before = [structured, context(SET, 'm1', 'base:allocation'), startTls]
    const { handshake, replies } = negotiate(before, 'allow')
    expect(replies.at(-1)).toBe(reply(5, 1))
    expect(handshake.state).toBe('tls')
    handshake.secured()
    handshake.receive(go('m1'))
    expect(handshake.agreement).toMatchObject({ structured: false, blockStatus: false })
  })

  test('cannot begin twice', () => {
    const { handshake } = negotiate([startTls], 'require')
    handshake.secured()
    const replies = handshake.receive(startTls).map((bytes) => bytes.toString('hex'))
    expect(replies).toEqual([error(5, 0x80000003, 'TLS is already in use')])
  })

  test('does not believe bytes that were sent in the clear behind STARTTLS', () => {
    expect(() => negotiate([startTls, go('m1')], 'allow')).toThrowError(
      expect.objectContaining({ code: 'NBD_PROTOCOL_VIOLATION' }),
    )
  })
})

describe('a hostile peer', () => {
  const violation = expect.objectContaining({ code: 'NBD_PROTOCOL_VIOLATION' })

  test.each([
    ['flags that nobody knows', Buffer.from('00000007', 'hex')],
    ['no fixed newstyle', Buffer.from('00000002', 'hex')],
    ['option magic that is none', Buffer.concat([clientFlags, Buffer.alloc(16)])],
    [
      'an option longer than the limit, before its data has come',
      Buffer.concat([clientFlags, encodeOption(7, Buffer.alloc(8193)).subarray(0, 16)]),
    ],
  ])('is cut off at %s', (_title, bytes) => {
    const handshake = new NbdHandshake({ exports, tls: 'off' })
    expect(() => handshake.receive(bytes)).toThrowError(violation)
  })

  test('is cut off after 256 options', () => {
    const many = Array.from({ length: 256 }, () => encodeOption(nbd.NBD_OPT_LIST))
    const { handshake } = negotiate(many)
    expect(() => handshake.receive(encodeOption(nbd.NBD_OPT_LIST))).toThrowError(violation)
  })

  // Goal: TCP may cut anywhere. Method: one byte per receive, and compare with one receive.
  test('is answered the same whatever the fragmentation', () => {
    const stream = Buffer.concat([
      clientFlags,
      encodeOption(nbd.NBD_OPT_LIST),
      go('nope'),
      structured,
      context(SET, 'm1', 'base:allocation'),
      go('m1', [3]),
      Buffer.from('25609513', 'hex'),
    ])
    const whole = new NbdHandshake({ exports, tls: 'off' })
    const expected = Buffer.concat(whole.receive(stream)).toString('hex')
    const bytewise = new NbdHandshake({ exports, tls: 'off' })
    const replies = [...stream].flatMap((byte) => bytewise.receive(Buffer.of(byte)))
    expect(Buffer.concat(replies).toString('hex')).toBe(expected)
    expect(bytewise.takeRest().toString('hex')).toBe('25609513')
    expect(whole.takeRest().toString('hex')).toBe('25609513')
  })
})

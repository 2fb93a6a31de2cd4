import { describe, expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { BufferPool } from './buffer-pool.ts'
import type { ClientAgreement } from './client-handshake.ts'
import * as nbd from './constants.ts'
import { NbdSession } from './session.ts'
import type { ClientRequest } from './session.ts'

const base: ClientAgreement = {
  size: 1 << 30,
  flags: 0x0ded,
  structured: true,
  contextId: 1,
  blockSizes: { minimum: 1, preferred: 4096, maximum: nbd.REQUEST_SIZE_MAX },
}

function open(structured = true) {
  const sent: Buffer[] = []
  const session = new NbdSession({ ...base, structured }, new BufferPool(), {
    send(bytes, taken) {
      sent.push(Buffer.from(bytes))
      taken()
    },
    cork() {},
    uncork() {},
    settled() {},
  })
  return { session, sent: () => Buffer.concat(sent).toString('hex') }
}

interface Outcome extends ClientRequest {
  outcome: unknown
}

function make(fields: Partial<ClientRequest> & { type: number }): Outcome {
  const request: Outcome = {
    flags: 0,
    offset: 0,
    length: 0,
    ...fields,
    outcome: 'pending',
    resolve: () => {
      request.outcome = 'done'
    },
    reject: (error) => {
      request.outcome = error
    },
  }
  return request
}

const read = (offset: number, length: number): Outcome =>
  make({ type: nbd.NBD_CMD_READ, offset, length, target: Buffer.alloc(length, 0xee) })
const simple = (cookie: string, error: string): string => `67446698${error}00000000${cookie}`
const chunk = (flags: string, type: string, payload: string): string => {
  const length = (payload.length / 2).toString(16).padStart(8, '0')
  return `668e33ef${flags}${type}0000000000000000${length}${payload}`
}
const bytes = (...parts: string[]): Buffer => Buffer.from(parts.join(''), 'hex')

describe('requests, byte by byte', () => {
  test('carry magic, flags, type, cookie, offset and length; a write its payload', async () => {
    const { session, sent } = open()
    session.submit(read(0x1_0000_0002, 3))
    const source = Buffer.from('aabb', 'hex')
    session.submit(make({ type: nbd.NBD_CMD_WRITE, flags: 1, offset: 5, length: 2, source }))
    await Promise.resolve()
    await new Promise((resolve) => setImmediate(resolve))
    session.disconnect()
    expect(sent()).toBe(
      '25609513' +
        '0000' +
        '0000' +
        '0000000000000000' +
        '0000000100000002' +
        '00000003' +
        '25609513' +
        '0001' +
        '0001' +
        '0000000000000001' +
        '0000000000000005' +
        '00000002' +
        'aabb' +
        '25609513' +
        '0000' +
        '0002' +
        '0000000000000000' +
        '0000000000000000' +
        '00000000',
    )
  })

  test('are handed back in the order they were sent, when there was no reply', () => {
    const { session } = open(false)
    const requests = [read(0, 1), read(1, 1), read(2, 1)]
    for (const request of requests) session.submit(request)
    session.receive(bytes(simple('00000001', '00000000'), '77'))
    expect(requests[1]!.target!.toString('hex')).toBe('77')
    expect(session.takePending()).toEqual([requests[0], requests[2]])
    expect(session.inFlight).toBe(0)
  })
})

describe('replies', () => {
  test('a simple reply brings the bytes of a read, or its error', () => {
    const { session } = open(false)
    const [good, bad] = [read(0, 4), read(4, 4)]
    session.submit(good)
    session.submit(bad)
    session.receive(
      bytes(simple('00000001', '00000016'), simple('00000000', '00000000'), '01020304'),
    )
    expect(good).toMatchObject({ outcome: 'done' })
    expect(good.target!.toString('hex')).toBe('01020304')
    expect(bad.outcome).toMatchObject({ code: 'NBD_REMOTE_ERROR', details: { errno: 22 } })
  })

  test('chunks of data and holes come in any order', () => {
    const { session } = open()
    const request = read(16, 8)
    session.submit(request)
    session.receive(
      bytes(
        chunk('0000', '0001', '0000000000000016' + '0a0b'),
        chunk('0000', '0002', '0000000000000012' + '00000004'),
        chunk('0000', '0001', '0000000000000010' + '0102'),
        chunk('0001', '0000', ''),
      ),
    )
    expect(request.outcome).toBe('done')
    expect(request.target!.toString('hex')).toBe('0102000000000a0b')
  })

  test('an error chunk fails the request with its message, wherever it stands', () => {
    const { session } = open()
    const request = read(0, 4)
    session.submit(request)
    session.receive(
      bytes(
        chunk('0000', '8002', '0000001c' + '0004' + '66756c6c' + '0000000000000002'),
        chunk('0001', '0001', '0000000000000000' + '01020304'),
      ),
    )
    expect(request.outcome).toMatchObject({
      code: 'FS_NO_SPACE',
      details: { errno: 28, reason: 'full' },
    })
  })

  test('an error chunk of an unknown type is an error', () => {
    const { session } = open()
    const request = read(0, 4)
    session.submit(request)
    session.receive(bytes(chunk('0001', '8abc', '00000005' + '0000')))
    expect(request.outcome).toMatchObject({ code: 'NBD_REMOTE_ERROR', details: { errno: 5 } })
  })

  test('block status is cut at the end of the request', () => {
    const { session } = open()
    const request = make({ type: nbd.NBD_CMD_BLOCK_STATUS, offset: 512, length: 1024 })
    session.submit(request)
    session.receive(
      bytes(chunk('0001', '0005', '00000001' + '0000020000000000' + '0001000000000003')),
    )
    expect(request).toMatchObject({
      outcome: 'done',
      extents: [
        { offset: 512, length: 512, hole: false, zero: false },
        { offset: 1024, length: 512, hole: true, zero: true },
      ],
    })
  })

  test('ESHUTDOWN is about the server: the request stays pending', () => {
    const { session } = open()
    const request = read(0, 4)
    session.submit(request)
    expect(() => session.receive(bytes(chunk('0001', '8001', '0000006c0000')))).toThrowError(
      expect.objectContaining({ code: 'NBD_UNREACHABLE' }),
    )
    expect(request.outcome).toBe('pending')
    expect(session.takePending()).toEqual([request])
  })
})

describe('a server that cannot be believed', () => {
  const violation = expect.objectContaining({ code: 'NBD_PROTOCOL_VIOLATION' })
  test.each([
    ['a magic that is none', '00000000'],
    ['a reply to nobody', simple('00000007', '00000000')],
    ['a simple reply to a structured read', simple('00000000', '00000000')],
    ['data before the request', chunk('0001', '0001', '000000000000000001')],
    ['data behind the request', chunk('0001', '0001', '0000000000000013' + '0102')],
    ['a data chunk without data', chunk('0001', '0001', '0000000000000010')],
    ['a hole of the wrong size', chunk('0001', '0002', '0000000000000010')],
    ['an empty hole', chunk('0001', '0002', '0000000000000010' + '00000000')],
    ['an offset beyond 2^53', chunk('0001', '0001', 'ffffffffffffffff' + '01')],
    ['an end before the last byte', chunk('0001', '0001', '0000000000000010' + '0102')],
    ['an end without a byte', chunk('0001', '0000', '')],
    ['an empty chunk that is not the last', chunk('0000', '0000', '')],
    ['block status for a read', chunk('0001', '0005', '00000001' + '0000020000000000')],
    ['a chunk type that nobody knows', chunk('0001', '0009', '00')],
    ['an error that is none', chunk('0001', '8001', '000000000000')],
    ['an error message longer than its chunk', chunk('0001', '8001', '000000050009')],
    ['a chunk of 4 GiB', '668e33ef000100050000000000000000ffffffff'],
    [
      'chunks that overlap and leave a gap',
      chunk('0000', '0001', '0000000000000010' + '0102') +
        chunk('0001', '0001', '0000000000000011' + '0102'),
    ],
  ])('is given up at %s', (_title, hex) => {
    const { session } = open()
    const request = read(16, 4)
    session.submit(request)
    expect(() => session.receive(bytes(hex))).toThrowError(violation)
    expect(request.outcome).toBe('pending')
  })
})

// Goal: TCP may cut anywhere. Method: random pieces, some read straight into the target.
test('any fragmentation gives the same reads', () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const random = new SeededRandom(seed)
    const structured = random.below(2) === 0
    const { session } = open(structured)
    const stream: Buffer[] = []
    const wanted: Buffer[] = []
    const requests = Array.from({ length: 1 + random.below(8) }, (_, cookie) => {
      const length = 1 + random.below(random.below(3) === 0 ? 200_000 : 300)
      const content = Buffer.alloc(length, cookie + 1)
      wanted.push(content)
      const header = structured
        ? chunk('0001', '0001', '00'.repeat(8)).slice(0, 56)
        : simple('00000000', '00000000')
      const head = Buffer.from(header, 'hex')
      head.writeUInt32BE(cookie, 12)
      if (structured) head.writeUInt32BE(8 + length, 16)
      stream.push(head, content)
      return read(0, length)
    })
    for (const request of requests) session.submit(request)
    const all = Buffer.concat(stream)
    const greatest = [1, 5, 100, 70_000][random.below(4)]!
    const reused = Buffer.alloc(greatest)
    for (let at = 0; at < all.length;) {
      const into = session.inputTarget ?? reused
      const size = Math.min(1 + random.below(into.length), all.length - at)
      all.copy(into, 0, at, at + size)
      session.receive(into.subarray(0, size))
      at += size
    }
    for (const [i, request] of requests.entries()) {
      expect(request.outcome, `seed ${seed} request ${i}`).toBe('done')
      expect(request.target!.equals(wanted[i]!), `seed ${seed} request ${i}`).toBe(true)
    }
  }
})

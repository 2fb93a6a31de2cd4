import { describe, expect, test } from 'vitest'
import type { BlockDevice } from '@openmaas/kernel/block-device'
import { MaasError } from '@openmaas/kernel/errors'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { waitFor } from '@openmaas/testkit/wait-for'
import { BufferPool } from './buffer-pool.ts'
import { encodeRequest } from './codec.ts'
import * as nbd from './constants.ts'
import { BACKLOG_MAX, IN_FLIGHT_MAX, NbdTransmission } from './transmission.ts'

const SIZE = 256 * 1024
const COOKIE = 0x0102030405060708n
const COOKIE_HEX = '0102030405060708'

/** Takes everything at once, as a peer that reads quickly. */
class RecordingSink {
  readonly pieces: Buffer[] = []
  readonly reports: unknown[] = []
  readonly failures: unknown[] = []
  ended = false
  resumed = 0
  /** Set to keep what is sent from being taken. */
  held: (() => void)[] | undefined

  send(bytes: Buffer, sent: () => void): void {
    this.pieces.push(Buffer.from(bytes))
    if (this.held === undefined) sent()
    else this.held.push(sent)
  }
  end(): void {
    this.ended = true
  }
  resume(): void {
    this.resumed += 1
  }
  report(error: unknown): void {
    this.reports.push(error)
  }
  fail(error: unknown): void {
    this.failures.push(error)
  }
  get hex(): string {
    return Buffer.concat(this.pieces).toString('hex')
  }
}

interface Options {
  readonly structured?: boolean
  readonly fastZero?: boolean
}

function serve(device: BlockDevice, { structured = true, fastZero = false }: Options = {}) {
  const sink = new RecordingSink()
  const blockStatus = structured
  const agreement = { exportName: '', device, structured, blockStatus, fastZero }
  return { sink, transmission: new NbdTransmission(agreement, new BufferPool(), sink) }
}

type Request = Partial<Parameters<typeof encodeRequest>[0]> & { type: number }
const request = (fields: Request): Buffer => encodeRequest({ cookie: COOKIE, ...fields })

/** The replies to some requests, as hex. */
function ask(device: BlockDevice, bytes: Buffer | Buffer[], options?: Options): string {
  const { sink, transmission } = serve(device, options)
  transmission.receive(Array.isArray(bytes) ? Buffer.concat(bytes) : bytes)
  return sink.hex
}

const counting = (): Buffer => Buffer.from(Array.from({ length: SIZE }, (_, i) => i % 251))
const memory = (): MemoryDevice => new MemoryDevice({ size: SIZE, content: counting() })
const simple = (error: number): string =>
  `67446698${error.toString(16).padStart(8, '0')}${COOKIE_HEX}`
const chunk = (flags: string, type: string, payload: string): string => {
  const length = (payload.length / 2).toString(16).padStart(8, '0')
  return `668e33ef${flags}${type}${COOKIE_HEX}${length}${payload}`
}
const failure = (error: number, message: string): string => {
  const words = Buffer.from(message)
  const value = error.toString(16).padStart(8, '0')
  const length = words.length.toString(16).padStart(4, '0')
  return chunk('0001', '8001', `${value}${length}${words.toString('hex')}`)
}

describe('replies, byte by byte', () => {
  const read = request({ type: nbd.NBD_CMD_READ, offset: 3, length: 4 })

  test('a read is a simple reply, or one data chunk that is the last', () => {
    expect(ask(memory(), read, { structured: false })).toBe(`${simple(0)}03040506`)
    expect(ask(memory(), read)).toBe(chunk('0001', '0001', '000000000000000303040506'))
  })

  test('a write changes the device and is acknowledged', () => {
    const device = memory()
    const write = request({ type: nbd.NBD_CMD_WRITE, offset: 1, length: 3 })
    expect(ask(device, [write, Buffer.from('aabbcc', 'hex')])).toBe(simple(0))
    expect(device.bytes.subarray(0, 5).toString('hex')).toBe('00aabbcc04')
  })

  test('requests that come together are answered in one piece', () => {
    const { sink, transmission } = serve(memory())
    const write = request({ type: nbd.NBD_CMD_WRITE, offset: 1, length: 3 })
    transmission.receive(Buffer.concat([read, write, Buffer.alloc(3), read]))
    expect(sink.pieces).toHaveLength(1)
    expect(sink.hex).toBe(
      chunk('0001', '0001', '000000000000000303040506') +
        simple(0) +
        chunk('0001', '0001', '000000000000000300040506'),
    )
  })

  test.each([
    ['FLUSH', { type: nbd.NBD_CMD_FLUSH }],
    ['TRIM', { type: nbd.NBD_CMD_TRIM, offset: 4096, length: 4096 }],
    ['CACHE', { type: nbd.NBD_CMD_CACHE, offset: 1, length: 100_000 }],
    ['WRITE_ZEROES', { type: nbd.NBD_CMD_WRITE_ZEROES, offset: 4096, length: 5000 }],
    ['WRITE_ZEROES without a hole', { type: 6, flags: 2, offset: 4096, length: 5000 }],
    ['a request for no bytes', { type: nbd.NBD_CMD_TRIM, offset: 5, length: 0 }],
  ])('%s is acknowledged by a simple reply', (_title, fields) => {
    expect(ask(memory(), request(fields))).toBe(simple(0))
  })

  test('a read of nothing ends with an empty chunk', () => {
    const nothing = request({ type: nbd.NBD_CMD_READ, offset: 5 })
    expect(ask(memory(), nothing)).toBe(chunk('0001', '0000', ''))
    expect(ask(memory(), nothing, { structured: false })).toBe(simple(0))
  })

  test('a write of nothing is acknowledged', () => {
    expect(ask(memory(), request({ type: nbd.NBD_CMD_WRITE }))).toBe(simple(0))
  })

  test('block status tells holes and data, neighbours of one kind as one', () => {
    const device = new MemoryDevice({ size: SIZE })
    device.write(8192, Buffer.alloc(4096, 1))
    const status = { type: nbd.NBD_CMD_BLOCK_STATUS, offset: 4096, length: 16_384 }
    const [hole, data, rest] = ['0000100000000003', '0000100000000000', '0000200000000003']
    expect(ask(device, request(status))).toBe(
      chunk('0001', '0005', `00000001${hole}${data}${rest}`),
    )
    const one = request({ ...status, flags: nbd.NBD_CMD_FLAG_REQ_ONE })
    expect(ask(device, one)).toBe(chunk('0001', '0005', `00000001${hole}`))
  })

  test('a large read leaves out holes, unless it must not be fragmented', () => {
    const device = new MemoryDevice({ size: SIZE })
    device.write(65_536, Buffer.alloc(4096, 7))
    const fields = { type: nbd.NBD_CMD_READ, offset: 0, length: 131_072 }
    expect(ask(device, request(fields))).toBe(
      chunk('0000', '0002', '0000000000000000' + '00010000') +
        chunk('0000', '0001', `0000000000010000${'07'.repeat(4096)}`) +
        chunk('0001', '0002', '0000000000011000' + '0000f000'),
    )
    const whole = ask(device, request({ ...fields, flags: nbd.NBD_CMD_FLAG_DF }))
    const zeros = '00'.repeat(65_536)
    const bytes = `${zeros}${'07'.repeat(4096)}${'00'.repeat(61_440)}`
    expect(whole).toBe(chunk('0001', '0001', `0000000000000000${bytes}`))
  })

  test('FUA flushes before it acknowledges', () => {
    const calls: string[] = []
    const device = new Proxy(memory(), {
      get(target, name: keyof MemoryDevice) {
        const member = target[name]
        if (typeof member !== 'function') return member
        return (...args: never[]) => {
          calls.push(name)
          return (member as (...args: never[]) => unknown).apply(target, args)
        }
      },
    })
    const flags = nbd.NBD_CMD_FLAG_FUA
    const write = request({ type: nbd.NBD_CMD_WRITE, flags, length: 1 })
    const replies = ask(device, [
      Buffer.concat([write, Buffer.of(1)]),
      request({ type: nbd.NBD_CMD_TRIM, flags, length: 4096 }),
      request({ type: nbd.NBD_CMD_WRITE_ZEROES, flags, length: 4096 }),
    ])
    expect(replies).toBe(simple(0).repeat(3))
    expect(calls).toEqual(['write', 'flush', 'trim', 'flush', 'writeZeroes', 'flush'])
  })
})

describe('refusals', () => {
  const { NBD_EINVAL: EINVAL, NBD_ENOSPC: ENOSPC, NBD_EPERM: EPERM } = nbd
  test.each([
    ['an unknown command', { type: 9 }, EINVAL],
    ['a flag that the command does not know', { type: 0, flags: 2, length: 1 }, EINVAL],
    ['a flag that nobody knows', { type: 3, flags: 0x80 }, EINVAL],
    ['a read across the end', { type: 0, offset: SIZE - 1, length: 2 }, EINVAL],
    ['a read beyond 2^53', { type: 0, offset: 2 ** 53, length: 1 }, EINVAL],
    ['a trim across the end', { type: 4, offset: SIZE - 1, length: 2 }, EINVAL],
    ['zeroes across the end', { type: 6, offset: SIZE - 1, length: 2 }, ENOSPC],
    ['block status across the end', { type: 7, offset: SIZE - 1, length: 2 }, EINVAL],
    ['block status of nothing', { type: 7, offset: 0, length: 0 }, EINVAL],
    ['a cache across the end', { type: 5, offset: SIZE, length: 1 }, EINVAL],
    ['a flush of a range', { type: 3, offset: 0, length: 1 }, EINVAL],
  ] as [string, Partial<Request> & { type: number }, number][])('%s', (_title, fields, error) => {
    const bytes = request({ ...fields, offset: Math.min(fields.offset ?? 0, 2 ** 53 - 1) })
    if (fields.offset === 2 ** 53) bytes.writeBigUInt64BE(2n ** 53n, 16)
    expect(ask(memory(), bytes)).toBe(failure(error, 'request refused'))
    expect(ask(memory(), bytes, { structured: false })).toBe(simple(error))
  })

  test('a write across the end: its payload is passed over, and what follows is served', () => {
    const write = request({ type: nbd.NBD_CMD_WRITE, offset: SIZE - 1, length: 5 })
    const flush = request({ type: nbd.NBD_CMD_FLUSH })
    expect(ask(memory(), [write, Buffer.alloc(5, 0x25), flush])).toBe(
      failure(ENOSPC, 'write refused') + simple(0),
    )
  })

  test('changes of a read-only device', () => {
    const device = new MemoryDevice({ size: SIZE, readOnly: true })
    const write = Buffer.concat([request({ type: nbd.NBD_CMD_WRITE, length: 2 }), Buffer.alloc(2)])
    const trim = request({ type: nbd.NBD_CMD_TRIM, length: 2 })
    const zeroes = request({ type: nbd.NBD_CMD_WRITE_ZEROES, length: 2 })
    expect(ask(device, [write, trim, zeroes], { structured: false })).toBe(simple(EPERM).repeat(3))
    expect(device.bytes.equals(Buffer.alloc(SIZE))).toBe(true)
  })

  test('reads and writes of more than 32 MiB', () => {
    const size = 64 * 1024 * 1024
    const device = new MemoryDevice({ size })
    const length = nbd.REQUEST_SIZE_MAX + 1
    expect(ask(device, request({ type: 0, length }))).toBe(failure(EINVAL, 'request refused'))
    const { sink, transmission } = serve(device)
    transmission.receive(request({ type: 1, length }))
    for (let sent = 0; sent < length;) {
      const piece = Math.min(1 << 20, length - sent)
      transmission.receive(Buffer.alloc(piece))
      sent += piece
    }
    expect(sink.hex).toBe(failure(EINVAL, 'write refused'))
  })

  test('don’t-fragment and block status where they were not negotiated', () => {
    const df = request({ type: 0, flags: nbd.NBD_CMD_FLAG_DF, length: 1 })
    const status = request({ type: 7, length: 512 })
    expect(ask(memory(), [df, status], { structured: false })).toBe(simple(EINVAL).repeat(2))
  })

  test('fast zeroing, unless the export is known to be fast, and never without a hole', () => {
    const fast = request({ type: 6, flags: nbd.NBD_CMD_FLAG_FAST_ZERO, length: 4096 })
    const whole = request({ type: 6, flags: nbd.NBD_CMD_FLAG_FAST_ZERO | 2, length: 4096 })
    const refused = simple(nbd.NBD_ENOTSUP)
    expect(ask(memory(), fast, { structured: false })).toBe(refused)
    expect(ask(memory(), fast, { structured: false, fastZero: true })).toBe(simple(0))
    expect(ask(memory(), whole, { structured: false, fastZero: true })).toBe(refused)
  })

  test('what the device refuses has the error of its category and its message', () => {
    const device = memory()
    device.write = () => {
      throw new MaasError('POOL_FULL', 'the pool is full')
    }
    device.read = () => {
      throw new MaasError('CHUNK_MISSING', 'a chunk is missing')
    }
    const write = Buffer.concat([request({ type: 1, length: 1 }), Buffer.of(0)])
    const read = request({ type: 0, length: 512 })
    expect(ask(device, [write, read])).toBe(
      failure(nbd.NBD_ENOSPC, 'the pool is full') + failure(nbd.NBD_EIO, 'a chunk is missing'),
    )
  })

  test('a bug in the device is EIO to the peer and a report to the owner', () => {
    const device = memory()
    const bug = new TypeError('x is undefined')
    device.flush = () => {
      throw bug
    }
    const { sink, transmission } = serve(device)
    transmission.receive(request({ type: nbd.NBD_CMD_FLUSH }))
    expect(sink.hex).toBe(failure(nbd.NBD_EIO, 'internal error'))
    expect(sink.reports).toEqual([bug])
  })

  test('a device that breaks its promise about block status is not believed', () => {
    const device = memory()
    device.blockStatus = (offset) => [{ offset, length: 1, hole: true, zero: true }]
    const { sink, transmission } = serve(device)
    transmission.receive(request({ type: 0, length: 65_536 }))
    expect(sink.hex).toBe(failure(nbd.NBD_EIO, 'internal error'))
    expect(sink.reports).toHaveLength(1)
  })
})

describe('the end', () => {
  test('DISC ends without a reply, and nothing after it is looked at', () => {
    const device = memory()
    const { sink, transmission } = serve(device)
    const write = request({ type: 1, length: 1 })
    transmission.receive(Buffer.concat([request({ type: 2 }), write, Buffer.of(0xff)]))
    expect(sink).toMatchObject({ ended: true, pieces: [] })
    expect(device.bytes[0]).toBe(0)
  })

  test('a magic that is none ends the session', () => {
    const { transmission } = serve(memory())
    expect(() => transmission.receive(Buffer.alloc(28))).toThrowError(
      expect.objectContaining({ code: 'NBD_PROTOCOL_VIOLATION' }),
    )
  })

  test('what is in flight is answered before the end', async () => {
    const gate = Promise.withResolvers<void>()
    const device = Object.assign(memory(), { flush: () => gate.promise })
    const { sink, transmission } = serve(device as unknown as BlockDevice)
    transmission.receive(Buffer.concat([request({ type: 3 }), request({ type: 2 })]))
    expect(sink).toMatchObject({ ended: false, pieces: [] })
    gate.resolve()
    await waitFor('the session has ended', () => sink.ended)
    expect(sink.hex).toBe(simple(0))
  })
})

test('answers that come late, in another order, go to the requests they belong to', async () => {
  const gates: (() => void)[] = []
  const device = memory() as unknown as BlockDevice
  device.read = (_offset, target) =>
    new Promise((resolve) => {
      gates.push(() => {
        target.fill(gates.length)
        resolve()
      })
    })
  device.write = () => new Promise((resolve) => gates.push(resolve))
  const { sink, transmission } = serve(device, { structured: false })
  const requests = [0, 1, 0, 1].map((type, i) =>
    Buffer.concat([request({ type, cookie: BigInt(i), length: 1 }), Buffer.alloc(type)]),
  )
  transmission.receive(Buffer.concat(requests))
  for (const i of [2, 3, 0, 1]) {
    gates[i]!()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const ok = (cookie: number): string => `6744669800000000${String(cookie).padStart(16, '0')}`
  expect(sink.hex).toBe(`${ok(2)}04${ok(3)}${ok(0)}04${ok(1)}`)
})

describe('limits', () => {
  test('input stops while the device has all it may have, and goes on after', async () => {
    const gates: (() => void)[] = []
    const device = memory() as unknown as BlockDevice
    device.flush = () => new Promise((resolve) => gates.push(resolve))
    const { sink, transmission } = serve(device)
    const many = Array.from({ length: IN_FLIGHT_MAX + 10 }, () => request({ type: 3 }))
    transmission.receive(Buffer.concat(many))
    expect(transmission.inFlight).toBe(IN_FLIGHT_MAX)
    expect(transmission.wantsInput).toBe(false)
    transmission.receive(request({ type: 3 })) // The socket's last piece before it pauses.
    for (const open of gates.splice(0)) open()
    await waitFor('the rest has reached the device', () => gates.length === 11)
    expect(transmission.wantsInput).toBe(true)
    expect(sink.resumed).toBe(1)
    for (const open of gates.splice(0)) open()
    await waitFor('all are answered', () => transmission.inFlight === 0)
    expect(sink.hex).toBe(simple(0).repeat(IN_FLIGHT_MAX + 11))
  })

  test('input stops while the peer does not take its replies, and goes on after', async () => {
    const size = 4 * 1024 * 1024
    const { sink, transmission } = serve(new MemoryDevice({ size, content: Buffer.alloc(size, 1) }))
    sink.held = []
    const length = 1024 * 1024
    const count = BACKLOG_MAX / length + 8
    const read = request({ type: 0, length, flags: nbd.NBD_CMD_FLAG_DF })
    transmission.receive(Buffer.concat(Array.from({ length: count }, () => read)))
    expect(transmission.wantsInput).toBe(false)
    expect(sink.pieces.length).toBeLessThanOrEqual(BACKLOG_MAX / length + 1)
    while (sink.pieces.length < count) {
      for (const taken of sink.held.splice(0)) taken()
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(transmission.wantsInput).toBe(true)
    expect(Buffer.concat(sink.pieces)).toHaveLength(count * (length + 28))
  })
})

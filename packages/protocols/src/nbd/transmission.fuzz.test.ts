/**
 * Random conversations with the server's transmission phase. The same requests are sent in one
 * piece, in random pieces, and to a device that answers later; a plain array is the oracle.
 */
import { expect, test } from 'vitest'
import type { BlockDevice } from '@openmaas/kernel/block-device'
import { isMaasError } from '@openmaas/kernel/errors'
import { SeededRandom } from '@openmaas/kernel/random'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { BufferPool } from './buffer-pool.ts'
import { encodeRequest } from './codec.ts'
import * as nbd from './constants.ts'
import { NbdTransmission } from './transmission.ts'

const SIZE = 300_000
/** `npm run fuzz` multiplies the cases. */
const FACTOR = Number(process.env['OPENMAAS_FUZZ_FACTOR'] ?? 1)
const SEEDS = 150 * FACTOR
const LATE_SEEDS = 40 * FACTOR
const GARBAGE_SEEDS = 2000 * FACTOR

interface Conversation {
  readonly requests: Buffer[]
  /** By cookie: what a read must give, from the model. Requests do not overlap in time. */
  readonly expected: Map<number, Buffer>
  readonly model: Buffer
}

/** Requests in an order in which each is complete before the next that touches its bytes. */
function makeConversation(random: SeededRandom): Conversation {
  const model = Buffer.alloc(SIZE)
  const requests: Buffer[] = []
  const expected = new Map<number, Buffer>()
  const count = 1 + random.below(30)
  for (let i = 0; i < count; i += 1) {
    const offset = random.below(SIZE)
    const longest = random.below(4) === 0 ? 150_000 : 2000
    const length = Math.min(SIZE - offset, random.below(longest))
    const cookie = BigInt(i)
    const type = [0, 0, 0, 1, 1, 1, 3, 5, 6, 9][random.below(10)]!
    if (type === nbd.NBD_CMD_FLUSH) {
      requests.push(encodeRequest({ type, cookie }))
      continue
    }
    const flags = type === 1 || type === 6 ? random.below(2) : 0
    const header = encodeRequest({ type, flags, cookie, offset, length })
    if (type === nbd.NBD_CMD_WRITE) {
      const payload = Buffer.alloc(length, 1 + random.below(255))
      payload.copy(model, offset)
      requests.push(Buffer.concat([header, payload]))
      continue
    }
    if (type === nbd.NBD_CMD_WRITE_ZEROES) model.fill(0, offset, offset + length)
    if (type === nbd.NBD_CMD_READ) {
      expected.set(i, Buffer.from(model.subarray(offset, offset + length)))
    }
    requests.push(header)
  }
  return { requests, expected, model }
}

class Collector {
  readonly pieces: Buffer[] = []
  readonly reports: unknown[] = []
  send(bytes: Buffer, sent: () => void): void {
    this.pieces.push(Buffer.from(bytes))
    sent()
  }
  end(): void {}
  resume(): void {}
  report(error: unknown): void {
    this.reports.push(error)
  }
  fail(error: unknown): void {
    this.reports.push(error)
  }
}

function serve(device: BlockDevice) {
  const sink = new Collector()
  const agreement = {
    exportName: '',
    device,
    structured: false,
    blockStatus: false,
    fastZero: false,
  }
  return { sink, transmission: new NbdTransmission(agreement, new BufferPool(), sink) }
}

function feed(transmission: NbdTransmission, stream: Buffer, random: SeededRandom): void {
  const greatest = [1, 7, 60, 5000][random.below(4)]!
  const reused = Buffer.alloc(greatest) // As a socket's input buffer: overwritten by each read.
  for (let at = 0; at < stream.length;) {
    const target = random.below(2) === 0 ? transmission.inputTarget : undefined
    const into = target ?? reused
    const size = Math.min(1 + random.below(into.length), stream.length - at)
    stream.copy(into, 0, at, at + size)
    transmission.receive(into.subarray(0, size))
    if (transmission.takeInputRetained()) throw new Error('a device that answers at once retains')
    if (target === undefined) reused.fill(0xee)
    at += size
  }
}

test('any fragmentation gives the same replies, and the model’s bytes', () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const random = new SeededRandom(seed)
    const { requests, expected, model } = makeConversation(random)
    const stream = Buffer.concat(requests)

    const whole = new MemoryDevice({ size: SIZE })
    const one = serve(whole)
    one.transmission.receive(stream)
    const cut = new MemoryDevice({ size: SIZE })
    const many = serve(cut)
    feed(many.transmission, stream, random)

    const replies = Buffer.concat(one.sink.pieces)
    expect(Buffer.concat(many.sink.pieces).equals(replies), `seed ${seed}: replies`).toBe(true)
    expect(whole.bytes.equals(model), `seed ${seed}: content`).toBe(true)
    expect(cut.bytes.equals(model), `seed ${seed}: content, cut`).toBe(true)
    const got = readReplies(replies, expected)
    expect(got, `seed ${seed}: reads`).toBe(expected.size)
    expect(one.sink.reports).toEqual([])
  }
})

/** Answers each call in a later turn, in a random order. */
class LateDevice implements BlockDevice {
  readonly size: number
  readonly blockSize = 4096
  readonly readOnly = false
  readonly #inner: MemoryDevice
  readonly #random: SeededRandom

  constructor(inner: MemoryDevice, random: SeededRandom) {
    this.#inner = inner
    this.size = inner.size
    this.#random = random
  }

  async #late<T>(act: () => T): Promise<T> {
    for (let turns = this.#random.below(5); turns >= 0; turns -= 1) {
      await new Promise((resolve) => setImmediate(resolve))
    }
    return act()
  }
  /** Sometimes at once, as a device with a cache does. */
  read(offset: number, target: Buffer): void | Promise<void> {
    if (this.#random.below(3) === 0) return this.#inner.read(offset, target)
    return this.#late(() => this.#inner.read(offset, target))
  }
  write(offset: number, source: Buffer): void | Promise<void> {
    if (this.#random.below(3) === 0) return this.#inner.write(offset, source)
    return this.#late(() => this.#inner.write(offset, source))
  }
  trim(offset: number, length: number): Promise<void> {
    return this.#late(() => this.#inner.trim(offset, length))
  }
  writeZeroes(offset: number, length: number): Promise<void> {
    return this.#late(() => this.#inner.writeZeroes(offset, length))
  }
  flush(): Promise<void> {
    return this.#late(() => this.#inner.flush())
  }
  async blockStatus(offset: number, length: number) {
    return this.#late(() => this.#inner.blockStatus(offset, length))
  }
  close(): void {}
}

test('a device that answers late or at once, as it likes, gives the model’s bytes', async () => {
  for (let seed = 1; seed <= LATE_SEEDS; seed += 1) {
    const random = new SeededRandom(seed)
    const { requests, expected, model } = makeConversation(random)
    const inner = new MemoryDevice({ size: SIZE })
    const { sink, transmission } = serve(new LateDevice(inner, random))
    let input = Buffer.alloc(160_000)
    let replies = 0
    for (const request of requests) {
      request.copy(input)
      transmission.receive(input.subarray(0, request.length))
      if (transmission.takeInputRetained()) input = Buffer.alloc(160_000)
      else input.fill(0xee)
      // The peer of this test waits for each reply, since its requests overlap.
      for (let turns = 0; transmission.inFlight > 0 && turns < 100; turns += 1) {
        await new Promise((resolve) => setImmediate(resolve))
      }
      replies += 1
    }
    await new Promise((resolve) => setImmediate(resolve))
    expect(inner.bytes.equals(model), `seed ${seed}: content`).toBe(true)
    const got = readReplies(Buffer.concat(sink.pieces), expected)
    expect(got, `seed ${seed}: reads of ${replies} requests`).toBe(expected.size)
    expect(sink.reports).toEqual([])
  }
})

/** Checks each reply to a read; the others are 16 bytes. @returns how many reads were right */
function readReplies(bytes: Buffer, expected: ReadonlyMap<number, Buffer>): number {
  let right = 0
  for (let at = 0; at < bytes.length; at += 16) {
    expect(bytes.readUInt32BE(at)).toBe(nbd.NBD_SIMPLE_REPLY_MAGIC)
    const wanted = expected.get(Number(bytes.readBigUInt64BE(at + 8)))
    if (wanted === undefined) continue
    const data = bytes.subarray(at + 16, at + 16 + wanted.length)
    if (data.equals(wanted)) right += 1
    at += wanted.length
  }
  return right
}

test('garbage never does more than end the session', () => {
  let ended = 0
  for (let seed = 1; seed <= GARBAGE_SEEDS; seed += 1) {
    const random = new SeededRandom(seed)
    const { sink, transmission } = serve(new MemoryDevice({ size: SIZE }))
    const bytes = random.bytes(random.below(400))
    // Half of it looks like requests, so that more than the magic is tried.
    for (let at = 0; at + 28 < bytes.length && random.below(8) > 0; at += 28) {
      bytes.writeUInt32BE(nbd.NBD_REQUEST_MAGIC, at)
      if (random.below(2) === 0) bytes.writeUInt16BE(random.below(10), at + 6)
      if (random.below(2) === 0) bytes.writeBigUInt64BE(BigInt(random.below(SIZE)), at + 16)
    }
    try {
      transmission.receive(bytes)
    } catch (error) {
      expect(isMaasError(error, 'NBD_PROTOCOL_VIOLATION'), `seed ${seed}: ${error}`).toBe(true)
      ended += 1
    }
    expect(sink.reports, `seed ${seed}`).toEqual([])
  }
  expect(ended).toBeGreaterThan(GARBAGE_SEEDS / 20) // And many did not end: both ways were taken.
  expect(ended).toBeLessThan(GARBAGE_SEEDS * 0.95)
})

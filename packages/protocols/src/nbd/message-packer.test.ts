import { expect, test } from 'vitest'
import { BufferPool } from './buffer-pool.ts'
import { MessagePacker } from './message-packer.ts'

const KIB = 1024

function make() {
  const pool = new BufferPool()
  const sent: Buffer[] = []
  const waiting: (() => void)[] = []
  let takesAtOnce = true
  const packer = new MessagePacker(pool, {
    send(bytes, taken) {
      sent.push(takesAtOnce ? Buffer.from(bytes) : bytes)
      if (takesAtOnce) taken()
      else waiting.push(taken)
    },
  })
  const put = (size: number, value: number): void => {
    const start = packer.reserve(size)
    packer.buffer.fill(value, start, start + size)
  }
  return { pool, sent, waiting, packer, put, hold: () => (takesAtOnce = false) }
}

test('small messages leave together, and the buffer is used again once it was taken', () => {
  const { sent, packer, put } = make()
  put(10, 1)
  const { buffer } = packer
  put(20, 2)
  packer.flush()
  packer.flush() // Nothing is left to send.
  expect(sent.map((bytes) => bytes.length)).toEqual([30])
  put(10, 3)
  expect(packer.buffer).toBe(buffer)
})

test('a buffer that waits to be taken is not written to', () => {
  const { sent, waiting, packer, put, hold } = make()
  hold()
  put(10, 1)
  packer.flush()
  put(10, 2)
  packer.flush()
  expect(sent.map((bytes) => bytes.toString('hex'))).toEqual(['01'.repeat(10), '02'.repeat(10)])
  expect(packer.backlog).toBe(20)
  for (const taken of waiting) taken()
  expect(packer.backlog).toBe(0)
})

test('a pack that is full leaves before the next message is put', () => {
  const { sent, packer, put } = make()
  for (let i = 0; i < 5; i += 1) put(100 * KIB, i)
  packer.flush()
  expect(sent.map((bytes) => bytes.length)).toEqual([200 * KIB, 200 * KIB, 100 * KIB])
})

test('a message longer than a pack has a buffer of its own size', () => {
  const { sent, pool, packer, put } = make()
  put(10, 1)
  put(1024 * KIB + 28, 2)
  put(10, 3)
  packer.flush()
  expect(sent.map((bytes) => bytes.length)).toEqual([10, 1024 * KIB + 28, 10])
  expect(pool.retained).toBeGreaterThanOrEqual(1024 * KIB)
})

test('order is kept between packed messages and those with memory of their own', () => {
  const { sent, pool, packer, put } = make()
  put(1, 1)
  packer.append(pool.acquire(100 * KIB).fill(2, 0, 100 * KIB), 100 * KIB)
  put(1, 3)
  packer.append(pool.acquire(8).fill(4, 0, 8), 8)
  packer.appendForeign(Buffer.of(5))
  const all = Buffer.concat(sent)
  expect([...new Set(all)]).toEqual([1, 2, 3, 4, 5])
  expect(all).toHaveLength(1 + 100 * KIB + 1 + 8 + 1)
})

test('a pool keeps buffers for later, up to its limit', () => {
  const pool = new BufferPool()
  const buffers = Array.from({ length: 100 }, () => pool.acquire(1024 * KIB))
  for (const buffer of buffers) pool.release(buffer)
  expect(pool.retained).toBeLessThanOrEqual(48 * 1024 * KIB)
  expect(pool.acquire(1024 * KIB + 4 * KIB)).toHaveLength(1028 * KIB)
  expect(pool.acquire(1)).toHaveLength(68 * KIB)
  expect(pool.acquire(1028 * KIB + 1)).toHaveLength(2052 * KIB)
})

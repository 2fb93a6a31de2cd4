import { expect, test, vi } from 'vitest'
import { Throttle } from '@openmaas/kernel/throttle'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { passAsleep, passAwaited, ThrottledDevice } from './throttled-device.ts'

test('passes half a second’s worth at once and the rest at its rate, bytes unchanged', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  try {
    const throttle = new Throttle(Throttle.allocate(100_000), { monotonicMs: () => Date.now() })
    const below = new MemoryDevice({ size: 1 << 20 })
    const wait = (bytes: number): Promise<void> | undefined => {
      const waitMs = throttle.book(bytes)
      return waitMs === 0 ? undefined : new Promise((resolve) => setTimeout(resolve, waitMs))
    }
    const device = new ThrottledDevice(below, wait)
    let done = 0
    const target = Buffer.alloc(10_000)
    await device.write(0, Buffer.alloc(10_000, 7))
    const read = async (): Promise<void> => {
      await device.read(0, target)
      done += 1
    }
    const reads = Array.from({ length: 20 }, read)
    await vi.advanceTimersByTimeAsync(1000)
    // 100,000 bytes in a second, after those of the write.
    expect(done).toBeGreaterThanOrEqual(8)
    expect(done).toBeLessThanOrEqual(15)
    await vi.advanceTimersByTimeAsync(2000)
    await Promise.all(reads)
    expect(done).toBe(20)
    expect(target.equals(Buffer.alloc(10_000, 7))).toBe(true)
  } finally {
    vi.useRealTimers()
  }
})

test('a thread that sleeps answers without a promise, and one that has its turn as well', () => {
  const throttle = new Throttle(Throttle.allocate(1_000_000))
  const below = new MemoryDevice({ size: 1 << 20 })
  const asleep = new ThrottledDevice(
    below,
    passAsleep(throttle, () => true),
  )
  // Far over the limit: the wait ends since the run is over.
  expect(asleep.write(0, Buffer.alloc(1 << 20, 7))).toBeUndefined()
  const awaited = new ThrottledDevice(below, passAwaited(throttle))
  expect(awaited.read(0, Buffer.alloc(512))).toBeInstanceOf(Promise)
})

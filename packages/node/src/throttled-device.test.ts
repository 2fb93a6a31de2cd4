import { expect, test, vi } from 'vitest'
import { MemoryDevice } from '@openmaas/testkit/memory-device'
import { ThrottledDevice } from './throttled-device.ts'

test('passes half a second’s worth at once and the rest at its rate, bytes unchanged', async () => {
  vi.useFakeTimers()
  try {
    const clock = { wallMs: () => Date.now(), monotonicMs: () => Date.now() }
    const below = new MemoryDevice({ size: 1 << 20 })
    const device = new ThrottledDevice(below, { bytesPerSecond: 100_000, clock })
    let done = 0
    const target = Buffer.alloc(10_000)
    await device.write(0, Buffer.alloc(10_000, 7))
    const reads = Array.from({ length: 20 }, () => device.read(0, target).then(() => (done += 1)))
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

import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { Throttle } from './throttle.ts'

/** Books pieces one after the other, as a single thread does. @returns bytes passed in the time */
function passIn(seconds: number, rate: number, piece: number): number {
  let nowMs = 0
  const throttle = new Throttle(Throttle.allocate(rate), { monotonicMs: () => nowMs })
  let passed = 0
  while (nowMs < seconds * 1000) {
    nowMs += throttle.book(piece)
    passed += piece
  }
  return passed
}

test('over a minute the rate is met, whatever the size of the pieces', () => {
  for (const piece of [4096, 65_536, 1 << 20]) {
    const rate = 10_000_000
    const passed = passIn(60, rate, piece)
    expect(passed, `pieces of ${piece}`).toBeGreaterThan(rate * 60 * 0.99)
    expect(passed, `pieces of ${piece}`).toBeLessThanOrEqual(rate * 60.51 + 2 * piece)
  }
})

test('a pause earns half a second and no more', () => {
  let nowMs = 0
  const throttle = new Throttle(Throttle.allocate(1000), { monotonicMs: () => nowMs })
  expect(throttle.book(500)).toBe(0)
  expect(throttle.book(100)).toBe(100)
  nowMs = 3_600_000
  expect(throttle.book(500)).toBe(0)
  expect(throttle.book(1000)).toBe(1000)
})

test('two who share a limit have it together', () => {
  let nowMs = 0
  const clock = { monotonicMs: () => nowMs }
  const memory = Throttle.allocate(1000)
  const [first, second] = [new Throttle(memory, clock), new Throttle(memory, clock)]
  first.book(500)
  expect(first.book(1000)).toBe(1000)
  expect(second.book(1000)).toBe(2000)
  nowMs = 2000
  expect(first.book(100)).toBe(100)
})

test('a thread that sleeps ends when its run is over, and keeps the limit of another thread', async () => {
  const memory = Throttle.allocate(1000)
  const over = new Int32Array(new SharedArrayBuffer(4))
  new Throttle(memory).book(500)
  const code = `
    import { workerData, parentPort } from 'node:worker_threads'
    const { Throttle } = await import(workerData.module)
    const over = new Int32Array(workerData.over)
    const throttle = new Throttle(workerData.memory)
    const waitMs = throttle.book(100_000)
    parentPort.postMessage(waitMs)
    throttle.passSync(100_000, () => Atomics.load(over, 0) !== 0)
    parentPort.postMessage('ended')`
  const module = new URL('./throttle.ts', import.meta.url).href
  const url = new URL(`data:text/javascript,${encodeURIComponent(code)}`)
  const worker = new Worker(url, { workerData: { module, memory, over: over.buffer } })
  const messages: unknown[] = []
  const ended = new Promise<void>((resolve, reject) => {
    worker.on('error', reject)
    worker.on('message', (message) => {
      messages.push(message)
      if (messages.length === 1) Atomics.store(over, 0, 1)
      else resolve()
    })
  })
  await ended
  await worker.terminate()
  expect(messages[0]).toBeGreaterThan(50_000)
  expect(messages[1]).toBe('ended')
})

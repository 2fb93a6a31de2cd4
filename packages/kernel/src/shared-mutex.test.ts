import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { SharedCounter, SharedMutex } from './shared-mutex.ts'

const MODULE = new URL('shared-mutex.ts', import.meta.url).href

/** Runs the same code in several threads at once; it sees `memory` and `thread`. */
async function inThreads(count: number, memory: SharedArrayBuffer, code: string): Promise<void> {
  const source = `
    const { workerData } = require('node:worker_threads')
    const { memory, thread } = workerData
    import('${MODULE}').then(({ SharedMutex, SharedCounter }) => { ${code} })`
  const workers = Array.from(
    { length: count },
    (_, thread) => new Worker(source, { eval: true, workerData: { memory, thread } }),
  )
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise((done, failed) => {
          worker.on('exit', done).on('error', failed)
        }),
    ),
  )
}

// Goal: no two threads are ever inside. Method: an increment in plain memory, in two steps, loses
// counts as soon as they are.
test('lets one thread in at a time', async () => {
  const memory = new SharedArrayBuffer(64)
  const rounds = 20_000
  const plain = new Int32Array(memory, 8, 1)
  const mutex = new SharedMutex(memory)
  const inWorkers = inThreads(
    3,
    memory,
    `
    const mutex = new SharedMutex(memory), plain = new Int32Array(memory, 8, 1)
    for (let i = 0; i < ${rounds}; i += 1) mutex.hold(() => {
      const before = plain[0]
      for (let j = 0; j < i % 50; j += 1) Atomics.load(plain, 0)
      plain[0] = before + 1
    })`,
  )
  // The main thread takes part: it may block in Node.
  for (let i = 0; i < rounds; i += 1) mutex.hold(() => (plain[0] = plain[0]! + 1))
  await inWorkers
  expect(plain[0]).toBe(4 * rounds)
  expect(mutex.tryLock()).toBe(true)
})

test('is refused while held, and free again after an error inside', () => {
  const memory = new SharedArrayBuffer(8)
  const [mutex, other] = [new SharedMutex(memory, 4), new SharedMutex(memory, 4)]
  mutex.lock()
  expect(other.tryLock()).toBe(false)
  mutex.unlock()
  expect(() =>
    other.hold(() => {
      throw new Error('inside')
    }),
  ).toThrow('inside')
  expect(mutex.tryLock()).toBe(true)
  mutex.unlock()
  expect(() => mutex.unlock()).toThrow('a lock is held when it is given back')
})

test('gives each thread numbers of its own', async () => {
  const memory = new SharedArrayBuffer(16 + 4 * 1000)
  await inThreads(
    4,
    memory,
    `
    const counter = new SharedCounter(memory), seen = new Int32Array(memory, 16)
    for (let i = 0; i < 250; i += 1) Atomics.add(seen, counter.add(1), 1)`,
  )
  expect(new SharedCounter(memory).value).toBe(1000)
  expect(new Int32Array(memory, 16).every((count) => count === 1)).toBe(true)
})

test('counts beyond 32 bits and below a waited-for value gives up in time', () => {
  const counter = new SharedCounter(new SharedArrayBuffer(8))
  counter.value = 2 ** 40
  expect(counter.add(5)).toBe(2 ** 40)
  expect(counter.value).toBe(2 ** 40 + 5)
  expect(counter.waitUntil(2 ** 40, 0)).toBe(true)
  expect(counter.waitUntil(2 ** 41, 1)).toBe(false)
})

test('waits until another thread has counted far enough', async () => {
  const memory = new SharedArrayBuffer(16)
  const waiting = inThreads(
    1,
    memory,
    `const reached = new SharedCounter(memory).waitUntil(100, 30_000)
    new SharedCounter(memory, 8).value = reached ? 1 : 2`,
  )
  const counter = new SharedCounter(memory)
  for (let i = 0; i < 100; i += 1) {
    counter.add(1)
    counter.wake()
  }
  await waiting
  expect(new SharedCounter(memory, 8).value).toBe(1)
})

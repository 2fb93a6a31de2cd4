/**
 * A lock and a counter in shared memory, for worker threads and the main thread of one process.
 *
 * The mutex is a futex in one 32-bit cell (Drepper, "Futexes Are Tricky", mutex 2):
 *
 *   0 free ── lock ──▶ 1 held ── another comes ──▶ 2 held, somebody may wait
 *      ◀──────────────── unlock (wakes one when it was 2) ──────────────────┘
 *
 * Uncontended, lock and unlock are one atomic operation each (about 20 ns). It is neither fair
 * nor reentrant. Hold it for computing only, never for I/O that may wait long.
 */
import { assert } from './assert.ts'

const FREE = 0
const HELD = 1
const CONTENDED = 2

/** A holder computes for microseconds. After this long it is dead or stuck, which is a bug. */
export const LOCK_WAIT_MAX_MS = 120_000

/** Bytes of shared memory that a mutex takes; its offset is a multiple of this. */
export const SHARED_MUTEX_SIZE = 4
/** Bytes that a counter takes; its offset is a multiple of this. */
export const SHARED_COUNTER_SIZE = 8

export class SharedMutex {
  readonly #cell: Int32Array

  /** @param memory zeroed when the first thread makes its mutex on it */
  constructor(memory: SharedArrayBuffer, offset = 0) {
    this.#cell = new Int32Array(memory, offset, 1)
  }

  /** Waits until the lock is free and takes it. Blocks the thread, the main one too. */
  lock(): void {
    if (Atomics.compareExchange(this.#cell, 0, FREE, HELD) === FREE) return
    const deadline = performance.now() + LOCK_WAIT_MAX_MS
    // Whoever had to wait holds it as contended, since others may still be waiting.
    while (Atomics.exchange(this.#cell, 0, CONTENDED) !== FREE) {
      const remaining = deadline - performance.now()
      assert(remaining > 0, 'the holder of a shared lock gives it back')
      Atomics.wait(this.#cell, 0, CONTENDED, remaining)
    }
  }

  /** @returns false when another holds it */
  tryLock(): boolean {
    return Atomics.compareExchange(this.#cell, 0, FREE, HELD) === FREE
  }

  unlock(): void {
    const before = Atomics.exchange(this.#cell, 0, FREE)
    assert(before !== FREE, 'a lock is held when it is given back')
    if (before === CONTENDED) Atomics.notify(this.#cell, 0, 1)
  }

  /** Runs `work` under the lock; an error gives the lock back too. */
  hold<T>(work: () => T): T {
    this.lock()
    try {
      return work()
    } finally {
      this.unlock()
    }
  }
}

/** A 64-bit count that several threads add to: bytes, files, the next number to give out. */
export class SharedCounter {
  readonly #cell: BigInt64Array

  /** @param memory zeroed when the first thread makes its counter on it */
  constructor(memory: SharedArrayBuffer, offset = 0) {
    this.#cell = new BigInt64Array(memory, offset, 1)
  }

  /** @returns the value before, so that each caller of `add(1)` gets a number of its own */
  add(delta: number): number {
    return Number(Atomics.add(this.#cell, 0, BigInt(delta)))
  }

  get value(): number {
    return Number(Atomics.load(this.#cell, 0))
  }

  set value(value: number) {
    Atomics.store(this.#cell, 0, BigInt(value))
  }

  /** Wakes every thread in `waitUntil`. Apart from `add`, because few counters are waited for. */
  wake(): void {
    Atomics.notify(this.#cell, 0)
  }

  /**
   * Blocks the thread until the count has reached `least`; those who add must `wake`.
   *
   * @returns false when the time is over
   */
  waitUntil(least: number, timeoutMs: number): boolean {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const value = Atomics.load(this.#cell, 0)
      if (value >= BigInt(least)) return true
      const remaining = deadline - performance.now()
      if (remaining <= 0) return false
      Atomics.wait(this.#cell, 0, value, remaining)
    }
  }
}

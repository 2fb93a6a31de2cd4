/**
 * A limit of bytes a second that several threads keep together: lanes of a capture or a restore,
 * connections to a node, the threads that serve a medium.
 *
 * Each books what it is about to move and waits until its turn has passed; what one leaves unused
 * the others have. Accuracy: in any T seconds, at most rate × (T + 0.5) bytes pass and, for each
 * thread, the one piece it has in hand (a chunk, 1 MiB at the most). Over minutes the rate is met
 * within a percent from below, since waits of less than 5 ms are left to the next piece.
 *
 * BigInt64: [0] nanoseconds at which all that was booked has passed, [1] bytes a second.
 */
import process from 'node:process'
import { assert } from './assert.ts'
import type { Clock } from './clock.ts'

const PAID_UNTIL = 0
const RATE = 1
/** What may pass at once after a pause: half a second's worth. */
const BURST_NS = 500_000_000n
/** Shorter waits than timers are exact are left out; they add up in the next one. */
const WAIT_MS_MIN = 5
/** A thread that sleeps looks this often whether its run is over. */
const LOOK_MS = 100
const TIMER_MS_MAX = 2 ** 31 - 1

export class Throttle {
  readonly #words: BigInt64Array
  readonly #nowNs: () => bigint
  readonly #sleep = new Int32Array(new SharedArrayBuffer(4))

  /**
   * @param clock of a test that owns the time; by default the machine's, which is the same in all
   *   threads and processes
   */
  constructor(memory: SharedArrayBuffer, clock?: Pick<Clock, 'monotonicMs'>) {
    this.#words = new BigInt64Array(memory)
    this.#nowNs =
      clock === undefined
        ? () => process.hrtime.bigint()
        : () => BigInt(Math.round(clock.monotonicMs() * 1e6))
  }

  /** To be handed to every thread that keeps the limit. */
  static allocate(bytesPerSecond: number): SharedArrayBuffer {
    assert(bytesPerSecond >= 1, 'a limit lets something through')
    const memory = new SharedArrayBuffer(16)
    const words = new BigInt64Array(memory)
    words[RATE] = BigInt(Math.ceil(bytesPerSecond))
    // As after a long pause.
    words[PAID_UNTIL] = -(1n << 62n)
    return memory
  }

  /** @returns milliseconds to wait before the bytes are moved; 0: none */
  book(bytes: number): number {
    const words = this.#words
    const cost = (BigInt(bytes) * 1_000_000_000n) / words[RATE]!
    for (;;) {
      const nowNs = this.#nowNs()
      const paid = Atomics.load(words, PAID_UNTIL)
      const earliest = nowNs - BURST_NS
      const next = (paid > earliest ? paid : earliest) + cost
      if (Atomics.compareExchange(words, PAID_UNTIL, paid, next) !== paid) continue
      const waitMs = Number(next - nowNs) / 1e6
      return waitMs < WAIT_MS_MIN ? 0 : waitMs
    }
  }

  /** For a thread that works synchronously. @param isOver ends the wait early */
  passSync(bytes: number, isOver: () => boolean): void {
    const untilMs = performance.now() + this.book(bytes)
    for (;;) {
      const leftMs = untilMs - performance.now()
      if (leftMs <= 0 || isOver()) return
      Atomics.wait(this.#sleep, 0, 0, Math.min(leftMs, LOOK_MS))
    }
  }

  /**
   * For a thread with an event loop.
   *
   * @param signal ends the wait early
   * @returns nothing when there is no need to wait
   */
  pass(bytes: number, signal?: AbortSignal): Promise<void> | undefined {
    const waitMs = this.book(bytes)
    if (waitMs === 0) return undefined
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      // More is more than a timer takes, and than anybody waits.
      const timer = setTimeout(wake, Math.min(waitMs, TIMER_MS_MAX))
      signal?.addEventListener('abort', wake)
      if (signal?.aborted === true) wake()
    })
  }
}

/**
 * The orders a host is doing or has just done, by key. The same key is the same work: it is
 * joined when under way, and answered from the book when done. No I/O.
 *
 *   take ──▶ begin ──▶ running ──result──▶ kept ──10 minutes, 64 MiB──▶ forgotten
 *     ├──▶ join      (running)
 *     └──▶ answer    (kept)
 *
 * Memory: at most ANSWERS_SIZE_MAX of answers and ORDERS_IN_FLIGHT_MAX running orders.
 */
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import { ORDERS_IN_FLIGHT_MAX } from './frames.ts'

/** Longer than control waits for a lost host, and than it takes to restart. */
export const ANSWER_KEPT_MS = 10 * 60_000
/** In characters of JSON, which is bytes for nearly all of it. */
export const ANSWERS_SIZE_MAX = 64 * 1024 * 1024

export type Taken =
  | { readonly kind: 'begin' }
  | { readonly kind: 'join' }
  /** The encoded frame, as it was sent before. */
  | { readonly kind: 'answer'; readonly frame: string }

interface Kept {
  readonly verb: string
  readonly frame: string
  readonly endedMs: number
}

export class TakenOrders {
  readonly #clock: Clock
  readonly #running = new Map<string, string>()
  /** In the order in which they ended: the first is the oldest. */
  readonly #kept = new Map<string, Kept>()
  #keptSize = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get runningCount(): number {
    return this.#running.size
  }

  /** @throws MaasError ORDERS_TOO_MANY, ORDER_INVALID; answer it with a failure */
  take(key: string, verb: string): Taken {
    this.#forget()
    const under = this.#running.get(key) ?? this.#kept.get(key)?.verb
    if (under !== undefined && under !== verb) {
      throw new MaasError('ORDER_INVALID', `the key ${key} belongs to ${under}`, { key, verb })
    }
    if (this.#running.has(key)) return { kind: 'join' }
    const kept = this.#kept.get(key)
    if (kept !== undefined) return { kind: 'answer', frame: kept.frame }
    if (this.#running.size >= ORDERS_IN_FLIGHT_MAX) {
      const count = this.#running.size
      throw new MaasError('ORDERS_TOO_MANY', `${count} orders are under way`, { count })
    }
    this.#running.set(key, verb)
    return { kind: 'begin' }
  }

  /**
   * @param keep for results. A failure is told once and not kept: who asks again with the same
   *   key wants another attempt
   */
  finish(key: string, frame: string, keep: boolean): void {
    const verb = this.#running.get(key)
    this.#running.delete(key)
    if (verb === undefined || !keep) return
    this.#kept.set(key, { verb, frame, endedMs: this.#clock.monotonicMs() })
    this.#keptSize += frame.length
    this.#forget()
  }

  #forget(): void {
    const nowMs = this.#clock.monotonicMs()
    for (const [key, { frame, endedMs }] of this.#kept) {
      if (nowMs - endedMs < ANSWER_KEPT_MS && this.#keptSize <= ANSWERS_SIZE_MAX) return
      this.#kept.delete(key)
      this.#keptSize -= frame.length
    }
  }
}

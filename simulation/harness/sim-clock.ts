/** The clocks of the simulated machine, and true time, which no program of it can see. */
import type { Clock } from '@openmaas/kernel/clock'

const WALL_FIRST_MS = Date.UTC(2026, 0, 1)

export class SimClock implements Clock {
  #wallMs = WALL_FIRST_MS
  #monotonicMs = 0
  #trueMs = 0

  wallMs(): number {
    return this.#wallMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  /** Since the beginning of the world; never jumps. */
  get trueMs(): number {
    return this.#trueMs
  }

  advance(durationMs: number): void {
    this.#wallMs += durationMs
    this.#monotonicMs += durationMs
    this.#trueMs += durationMs
  }

  /** Somebody, or a broken time server, sets the wall clock. */
  jump(durationMs: number): void {
    this.#wallMs += durationMs
  }

  /** A reboot: the monotonic clock begins again. */
  reboot(): void {
    this.#monotonicMs = 0
  }
}

/** A clock that stands still until a test moves it. */
import type { Clock } from '@openmaas/kernel/clock'

/** 2026-01-01T00:00:00Z: any fixed moment does, but ids and dates then look real. */
const WALL_FIRST_MS = Date.UTC(2026, 0, 1)

export class FakeClock implements Clock {
  #wallMs: number
  #monotonicMs = 0

  constructor(wallMs = WALL_FIRST_MS) {
    this.#wallMs = wallMs
  }

  wallMs(): number {
    return this.#wallMs
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  /** Time passes: both clocks move. */
  advance(durationMs: number): void {
    this.#wallMs += durationMs
    this.#monotonicMs += durationMs
  }

  /** Somebody sets the wall clock: the monotonic one does not notice. */
  jump(wallMs: number): void {
    this.#wallMs = wallMs
  }
}

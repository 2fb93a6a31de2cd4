/**
 * Pool time: the only time that deletions, locks and grace periods go by. It is logged, never runs
 * backwards, and advances by the smaller of what the wall clock and the monotonic clock say; so a
 * wrong clock can delay a deletion, never hasten it (POOL.md, section 6).
 *
 * While no owner runs there is no monotonic clock. Then the wall clock's gap counts, at most
 * JUMP_MS of it, and not at all while any snapshot is locked: whoever can set the clock and open
 * the pool again and again must not be able to wear a lock down.
 *
 * A jump beyond JUMP_MS, or backwards, freezes pool time until two people confirm.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { Clock } from '@openmaas/kernel/clock'

/** A day and a time-zone mistake; anything larger is a broken or forged clock. */
export const JUMP_MS = 26 * 3_600_000
/** NTP steps of this size backwards are ordinary. */
const BACKWARD_TOLERANCE_MS = 60_000
export const CONFIRMATIONS_MIN = 2

export interface PoolTimeStart {
  readonly poolTimeMs: number
  /** Wall time when it was logged; 0 in a new pool. */
  readonly wallMs: number
  readonly frozen: boolean
  /** True when any snapshot is locked. */
  readonly locked: boolean
}

export class PoolTime {
  readonly #clock: Clock
  #now: number
  #wall: number
  #monotonic: number
  #frozen: boolean

  constructor(clock: Clock, start: PoolTimeStart) {
    this.#clock = clock
    this.#now = start.poolTimeMs
    this.#wall = Math.floor(clock.wallMs())
    this.#monotonic = clock.monotonicMs()
    this.#frozen = start.frozen
    if (start.wallMs === 0) return
    const gap = this.#wall - start.wallMs
    if (gap < -BACKWARD_TOLERANCE_MS) this.#frozen = true
    else if (!start.locked) this.#advance(Math.min(Math.max(0, gap), JUMP_MS))
  }

  /** Pool time in whole milliseconds. */
  now(): number {
    const wall = Math.floor(this.#clock.wallMs())
    const monotonic = this.#clock.monotonicMs()
    const wallStep = wall - this.#wall
    const monotonicStep = Math.floor(monotonic - this.#monotonic)
    if (wallStep < -BACKWARD_TOLERANCE_MS || wallStep - monotonicStep > JUMP_MS) this.#frozen = true
    else this.#advance(Math.max(0, Math.min(wallStep, monotonicStep)))
    this.#wall = wall
    this.#monotonic += monotonicStep
    return this.#now
  }

  get frozen(): boolean {
    this.now()
    return this.#frozen
  }

  get wallMs(): number {
    return this.#wall
  }

  /** @throws MaasError POOL_TIME_FROZEN: nothing may be deleted now */
  requireRunning(): void {
    if (this.frozen) {
      throw new MaasError('POOL_TIME_FROZEN', 'the clock jumped; deletions wait for confirmation', {
        poolTimeMs: this.#now,
        wallMs: this.#wall,
      })
    }
  }

  /** After two people said that the clock is right now. */
  unfreeze(): void {
    this.#frozen = false
  }

  #advance(stepMs: number): void {
    if (!this.#frozen) this.#now += stepMs
  }
}

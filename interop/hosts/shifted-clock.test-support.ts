/** The system's clock, with a wall that is wrong or a time that a test has moved on. */
import { systemClock } from '@openmaas/kernel/clock'
import type { Clock } from '@openmaas/kernel/clock'

export class ShiftedClock implements Clock {
  wallShiftMs = 0
  monotonicShiftMs = 0

  wallMs(): number {
    return systemClock.wallMs() + this.wallShiftMs
  }

  monotonicMs(): number {
    return systemClock.monotonicMs() + this.monotonicShiftMs
  }

  advance(durationMs: number): void {
    this.wallShiftMs += durationMs
    this.monotonicShiftMs += durationMs
  }
}

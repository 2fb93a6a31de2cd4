/** Time comes in by argument, so that a test can own it. */
export interface Clock {
  /** Wall time, milliseconds since 1970 UTC. May jump. */
  wallMs(): number
  /** Monotonic milliseconds from an arbitrary start. Never jumps. */
  monotonicMs(): number
}

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
}

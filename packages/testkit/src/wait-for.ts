/** Waiting for a condition instead of sleeping for a guess. */
import { setTimeout as delay } from 'node:timers/promises'

/** A machine under load may be slow; a test that waits longer than this has failed. */
export const WAIT_TIMEOUT_MS = 30_000

const PAUSE_FIRST_MS = 1
const PAUSE_MAX_MS = 50

export interface WaitOptions {
  readonly timeoutMs?: number
}

/**
 * Asks again and again until the answer is truthy, and returns it.
 *
 * @param what ends the sentence "waited 30 s until …" of the error
 * @throws Error after the time, with the last error of the condition as its cause
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  options: WaitOptions = {},
): Promise<Exclude<T, false | undefined | null | 0 | ''>> {
  const timeoutMs = options.timeoutMs ?? WAIT_TIMEOUT_MS
  const deadline = performance.now() + timeoutMs
  let pauseMs = PAUSE_FIRST_MS
  for (;;) {
    let cause: unknown
    try {
      const value = await condition()
      if (value) return value as Exclude<T, false | undefined | null | 0 | ''>
    } catch (error) {
      cause = error
    }
    if (performance.now() >= deadline) {
      throw new Error(`waited ${timeoutMs / 1000} s until ${what}`, { cause })
    }
    await delay(pauseMs)
    pauseMs = Math.min(PAUSE_MAX_MS, pauseMs * 2)
  }
}

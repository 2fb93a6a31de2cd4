/**
 * Token buckets in memory, by caller. A bucket holds `burst` requests and gets one more each
 * 1/`perSecond` seconds. After a restart all are full again.
 */
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'

export interface BucketRate {
  readonly burst: number
  readonly perSecond: number
}

export interface RateLimits {
  /** By address, before anybody is asked who they are. */
  readonly address: BucketRate
  /** By principal. */
  readonly principal: BucketRate
  /** Logging in and what checks passwords, by address. */
  readonly login: BucketRate
  /** What takes the server seconds, by principal. */
  readonly expensive: BucketRate
}

export const RATE_LIMITS: RateLimits = {
  // A company behind one address; still less than what the catalog answers.
  address: { burst: 1000, perSecond: 500 },
  // A console opens some thirty requests at once; scripts go on steadily.
  principal: { burst: 300, perSecond: 100 },
  // Behind it, auth/login-limiter.ts counts names and stretches the password slowly.
  login: { burst: 20, perSecond: 0.5 },
  expensive: { burst: 20, perSecond: 2 },
}

/** Buckets that are remembered, of about 100 bytes; the one unused the longest is forgotten. */
export const BUCKET_COUNT_MAX = 50_000

export interface Taken {
  readonly allowed: boolean
  readonly limit: number
  readonly remaining: number
  /** Until the bucket is full again; when refused, until the next request is taken. */
  readonly resetSeconds: number
}

interface Bucket {
  tokens: number
  at: number
}

export class RateLimiter {
  readonly #clock: Clock
  readonly #rate: BucketRate
  /** In the order of last use. */
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock, rate: BucketRate) {
    this.#clock = clock
    this.#rate = rate
  }

  take(key: string): Taken {
    const { burst, perSecond } = this.#rate
    const now = this.#clock.monotonicMs()
    const known = this.#buckets.get(key)
    const elapsedSeconds = known === undefined ? 0 : (now - known.at) / 1000
    const tokens = Math.min(burst, (known?.tokens ?? burst) + elapsedSeconds * perSecond)
    const allowed = tokens >= 1
    const left = allowed ? tokens - 1 : tokens
    this.#buckets.delete(key)
    this.#buckets.set(key, { tokens: left, at: now })
    if (this.#buckets.size > BUCKET_COUNT_MAX) this.#forgetOldest()
    const missing = allowed ? burst - left : 1 - left
    const resetSeconds = Math.ceil(missing / perSecond)
    return { allowed, limit: burst, remaining: Math.floor(left), resetSeconds }
  }

  get size(): number {
    return this.#buckets.size
  }

  #forgetOldest(): void {
    for (const key of this.#buckets.keys()) {
      this.#buckets.delete(key)
      return
    }
  }
}

/** @throws MaasError REQUEST_RATE_EXCEEDED */
export function requireTaken(taken: Taken): void {
  if (taken.allowed) return
  throw new MaasError('REQUEST_RATE_EXCEEDED', 'too many requests', {
    retryAfterSeconds: taken.resetSeconds,
  })
}

export function rateHeaders(taken: Taken): Record<string, string> {
  return {
    'ratelimit-limit': String(taken.limit),
    'ratelimit-remaining': String(taken.remaining),
    'ratelimit-reset': String(taken.resetSeconds),
    ...(!taken.allowed && { 'retry-after': String(taken.resetSeconds) }),
  }
}

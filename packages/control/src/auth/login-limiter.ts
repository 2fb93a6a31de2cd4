/**
 * Token buckets in front of the password check, by address and by name from there, in memory:
 * what they keep away costs neither a stretch nor a row. After a restart they are full again; the
 * waits of the accounts are in the catalog.
 */
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'

export interface BucketLimits {
  /** Tries at once. */
  readonly burst: number
  /** One more try each so many milliseconds. */
  readonly refillMs: number
}

/** An office behind one address logs in in the morning. */
export const ADDRESS_LIMITS: BucketLimits = { burst: 30, refillMs: 3000 }
/** Typing errors, and a password manager that tries twice. */
export const NAME_LIMITS: BucketLimits = { burst: 10, refillMs: 6000 }
/** Buckets kept: some megabytes at most. The one unused the longest goes; it is nearly full. */
const BUCKET_COUNT_MAX = 20_000

interface Bucket {
  level: number
  atMs: number
}

class Buckets {
  readonly #limits: BucketLimits
  readonly #buckets = new Map<string, Bucket>()

  constructor(limits: BucketLimits) {
    this.#limits = limits
  }

  /** @returns milliseconds to wait; 0: taken */
  take(key: string, nowMs: number): number {
    const { burst, refillMs } = this.#limits
    const known = this.#buckets.get(key)
    const elapsed = known === undefined ? 0 : nowMs - known.atMs
    const level = known === undefined ? burst : Math.min(burst, known.level + elapsed / refillMs)
    const taken = level >= 1
    // Put at the end: the map's order is that of use.
    this.#buckets.delete(key)
    this.#buckets.set(key, { level: taken ? level - 1 : level, atMs: nowMs })
    if (this.#buckets.size > BUCKET_COUNT_MAX) {
      this.#buckets.delete(this.#buckets.keys().next().value!)
    }
    return taken ? 0 : Math.ceil((1 - level) * refillMs)
  }
}

export class LoginLimiter {
  readonly #clock: Clock
  readonly #addresses = new Buckets(ADDRESS_LIMITS)
  readonly #names = new Buckets(NAME_LIMITS)

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** @throws MaasError LOGIN_THROTTLED */
  check(address: string, name: string): void {
    const nowMs = this.#clock.monotonicMs()
    const from = network(address)
    // By name and address: else anybody could use up the tries of somebody else.
    const waitMs = this.#addresses.take(from, nowMs) || this.#names.take(`${from} ${name}`, nowMs)
    if (waitMs === 0) return
    const retryAfterSeconds = Math.ceil(waitMs / 1000)
    throw new MaasError('LOGIN_THROTTLED', 'too many logins', { retryAfterSeconds })
  }
}

/** Who has one address of IPv6 has 2^64 of them. */
export function network(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address
  const [head = '', tail = ''] = address.split('::')
  const parts = head === '' ? [] : head.split(':')
  if (address.includes('::')) {
    const rest = tail === '' ? [] : tail.split(':')
    while (parts.length + rest.length < 8) parts.push('0')
    parts.push(...rest)
  }
  return `${parts.slice(0, 4).join(':')}::/64`
}

/** How long a medium is kept. */
export const LIFETIMES_SECONDS = [3600, 8 * 3600, 86_400, 3 * 86_400, 7 * 86_400, 30 * 86_400]
export const LIFETIME_DEFAULT_SECONDS = 86_400

/** Seconds → the words of a choice: whole days, else hours. */
export function lifetimeParts(seconds: number): {
  readonly unit: 'days' | 'hours'
  readonly count: number
} {
  return seconds % 86_400 === 0 && seconds > 86_400
    ? { unit: 'days', count: seconds / 86_400 }
    : { unit: 'hours', count: seconds / 3600 }
}

/** Milliseconds until a lease ends; 0 when it has; null for one without an end. */
export function leftMs(leaseUntil: string | null, now: Date): number | null {
  return leaseUntil === null ? null : Math.max(0, Date.parse(leaseUntil) - now.getTime())
}

/**
 * Which points a policy keeps, and why: the semantics of restic. Each rule is for itself: from
 * the newest to the oldest it keeps the newest point of each period that has one, until it has
 * kept as many as it says. A point that any rule keeps stays.
 *
 * Whatever the rules say, these stay: the newest point, the newest one that was verified, one
 * that is locked, one that is in use.
 *
 * A point that was taken on demand, for a virtual database, takes no place in any rule: the points
 * of the policy are kept as if it were not there. It stays while it is in use and a day longer.
 */
import type { Retention, RetentionRule } from '@openmaas/api/policy'
import { dateOfDay, DAY_MS, HOUR_MS, weekdayOf } from './zone.ts'
import type { Zone } from './zone.ts'

export interface KeptPoint {
  readonly id: string
  readonly takenAt: number
  readonly lockUntil?: number | null
  readonly verifiedAt?: number | null
  /** A medium stands on it. */
  readonly inUse?: boolean
  /** Taken on demand, and kept until then: no rule counts it. */
  readonly onDemandUntil?: number | null
}

/** Who made a virtual database at a moment may want it anew at that moment the next morning. */
export const ON_DEMAND_KEPT_MS = DAY_MS

/** @param usedAt when a medium last stood on it; null: none ever did */
export function onDemandUntil(
  point: { readonly onDemand: number; readonly takenAt: number },
  usedAt: number | null = null,
): number | null {
  if (point.onDemand === 0) return null
  return Math.max(point.takenAt, usedAt ?? 0) + ON_DEMAND_KEPT_MS
}

const pad = (number: number): string => String(number).padStart(2, '0')

/** Local day → "2026-W47": the week belongs to the year that its Thursday lies in. */
function weekOf(day: number): string {
  const thursday = day - weekdayOf(day) + 3
  const year = new Date(thursday * DAY_MS).getUTCFullYear()
  const first = Math.floor(Date.UTC(year, 0, 1) / DAY_MS)
  return `${year}-W${pad(Math.floor((thursday - first) / 7) + 1)}`
}

/** The period of a rule that a local time lies in, as it is shown. */
export function periodOf(rule: Exclude<RetentionRule, 'last'>, localMs: number): string {
  const day = Math.floor(localMs / DAY_MS)
  const date = dateOfDay(day)
  switch (rule) {
    case 'hourly':
      return `${date} ${pad(Math.floor((localMs - day * DAY_MS) / HOUR_MS))}:00`
    case 'daily':
      return date
    case 'weekly':
      return weekOf(day)
    case 'monthly':
      return date.slice(0, 7)
    case 'yearly':
      return date.slice(0, 4)
  }
}

const PERIODIC = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const

/**
 * @returns for each point why it is kept ("daily 2026-11-22", "last", "newest", "verified",
 *   "locked 2026-12-01", "in-use", "on-demand 2026-11-23"); empty when it may go
 */
export function applyRetention(
  points: readonly KeptPoint[],
  keep: Retention,
  zone: Zone,
  now: number,
): Map<string, string[]> {
  // A tie, of two points of one moment, is decided the same way every time.
  const sorted = points.toSorted(
    (first, second) => second.takenAt - first.takenAt || (first.id < second.id ? 1 : -1),
  )
  const reasons = new Map<string, string[]>(sorted.map((point) => [point.id, []]))
  const counted = sorted.filter((point) => (point.onDemandUntil ?? null) === null)
  for (const point of counted.slice(0, keep.last)) reasons.get(point.id)!.push('last')
  for (const rule of PERIODIC) {
    let left = keep[rule]
    let last = ''
    for (const point of counted) {
      if (left === 0) break
      const period = periodOf(rule, zone.localOf(point.takenAt))
      // An hour that comes twice, when the clock is set back, is one period.
      if (period === last) continue
      last = period
      left -= 1
      reasons.get(point.id)!.push(`${rule} ${period}`)
    }
  }
  // Of all, and of the policy's own: one taken on demand is no reason for another to go.
  for (const newest of new Set([sorted[0], counted[0]])) {
    if (newest !== undefined) reasons.get(newest.id)!.push('newest')
  }
  const isVerified = (point: KeptPoint): boolean => typeof point.verifiedAt === 'number'
  for (const verified of new Set([sorted.find(isVerified), counted.find(isVerified)])) {
    if (verified !== undefined) reasons.get(verified.id)!.push('verified')
  }
  const dateOf = (at: number): string => dateOfDay(Math.floor(zone.localOf(at) / DAY_MS))
  for (const point of sorted) {
    const { lockUntil, onDemandUntil: until } = point
    const why = reasons.get(point.id)!
    if ((lockUntil ?? 0) > now) why.push(`locked ${dateOf(lockUntil!)}`)
    if (point.inUse === true) why.push('in-use')
    if ((until ?? 0) > now) why.push(`on-demand ${dateOf(until!)}`)
  }
  return reasons
}

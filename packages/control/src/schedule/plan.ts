/** When a source's next run is, given what the schedule remembers. Pure. */
import { durationMs } from '@openmaas/api/policy'
import type { PolicySpec } from '@openmaas/api/policy'
import { Runs } from '../policy/runs.ts'
import { DAY_MS } from '../policy/zone.ts'
import { RETRY_MAX_MS, retryAt } from './outcome.ts'

/** A run that never comes by what the policy says: looked at again when the policy changes. */
const NEVER_MS = 3650 * DAY_MS
/** Late by more than this is missed; a tick that takes its time is not. */
export const MISSED_AFTER_MS = 60_000

export const PURPOSES = ['protect', 'verify'] as const
export type Purpose = (typeof PURPOSES)[number]

export interface Remembered {
  readonly sourceId: string
  readonly purpose: Purpose
  /** When it was last due, or has last succeeded; null: never. */
  readonly lastAt: number | null
  readonly failures: number
  readonly nextRunAt: number | null
}

/** What a policy schedules. Drills have no kind of job yet. */
export function purposesOf(spec: PolicySpec): Purpose[] {
  // Where each point is verified, the end of its own job says so (record-point.ts).
  return spec.verify?.points === 'newest' ? ['protect', 'verify'] : ['protect']
}

/** The time of the next run, which may have passed already. */
export function planRun(spec: PolicySpec, of: Remembered, now: number): number {
  const { failures, nextRunAt, sourceId } = of
  if (failures > 0) {
    const isPlanned = nextRunAt !== null && nextRunAt <= now + RETRY_MAX_MS
    return isPlanned ? nextRunAt : (retryAt({ failures, spec, sourceId }, now) ?? now + NEVER_MS)
  }
  // What was planned in a future that has been taken back is planned from now.
  const lastAt = of.lastAt === null ? null : Math.min(of.lastAt, now)
  return firstAfter(spec, of, lastAt, now)
}

/** The run after one that begins, or is left out, now. */
export function planNext(
  spec: PolicySpec,
  of: Pick<Remembered, 'sourceId' | 'purpose'>,
  now: number,
): number {
  return firstAfter(spec, of, now, now)
}

function firstAfter(
  spec: PolicySpec,
  { sourceId, purpose }: Pick<Remembered, 'sourceId' | 'purpose'>,
  lastAt: number | null,
  now: number,
): number {
  const runs = new Runs(spec, sourceId)
  const never = now + NEVER_MS
  if (purpose === 'verify') {
    const everyMs = durationMs(spec.verify?.every ?? '7d')
    return runs.nextOpen((lastAt ?? now) + everyMs) ?? never
  }
  if (lastAt !== null) return runs.next(lastAt) ?? never
  // The first point at once, unless somebody has said at what time: then at that time.
  return (spec.cron === null ? runs.nextOpen(now) : runs.next(now)) ?? never
}

export type Decision =
  | { readonly kind: 'run'; readonly nextRunAt: number }
  | { readonly kind: 'wait'; readonly nextRunAt: number }

/** What becomes of a run that is due. */
export function decideDue(
  spec: PolicySpec,
  of: Pick<Remembered, 'sourceId' | 'purpose'> & { readonly nextRunAt: number },
  now: number,
): Decision {
  const nextRunAt = planNext(spec, of, now)
  const isMissed = now - of.nextRunAt > MISSED_AFTER_MS
  if (isMissed && spec.catchUp === 'skip') return { kind: 'wait', nextRunAt }
  const runs = new Runs(spec, of.sourceId)
  if (runs.isOpen(now)) return { kind: 'run', nextRunAt }
  return { kind: 'wait', nextRunAt: runs.nextOpen(now) ?? now + NEVER_MS }
}

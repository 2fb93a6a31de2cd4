/**
 * An SLA policy as its owner means it: how old the newest point may be, what is kept and how
 * long, when work is allowed. Everything the scheduler does follows from this. Browser-safe.
 *
 * Durations are text ("90s", "15m", "4h", "7d", "2w"): they are read and written by people, in
 * YAML too. Times of day, days and dates are those of the policy's time zone.
 */
import { z } from 'zod'

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const
type Unit = keyof typeof UNIT_MS

/** Five digits hold every duration that makes sense and keep the product a safe integer. */
const DURATION = /^(\d{1,5})([smhdw])$/

export const duration = z.string().regex(DURATION, 'a number and s, m, h, d or w, such as 15m')

/** "15m" → 900,000. The text has passed `duration`. */
export function durationMs(text: string): number {
  const match = DURATION.exec(text)
  if (match === null) throw new RangeError(`${text} is no duration`)
  return Number(match[1]) * UNIT_MS[match[2] as Unit]
}

/** 900,000 → "15m": the largest unit that divides it. */
export function durationText(ms: number): string {
  for (const unit of ['w', 'd', 'h', 'm'] as const) {
    if (ms > 0 && ms % UNIT_MS[unit] === 0) return `${ms / UNIT_MS[unit]}${unit}`
  }
  return `${Math.round(ms / 1000)}s`
}

function durationWithin(shortest: string, longest: string) {
  const [least, most] = [durationMs(shortest), durationMs(longest)]
  return duration.refine(
    (text) => !DURATION.test(text) || (durationMs(text) >= least && durationMs(text) <= most),
    `between ${shortest} and ${longest}`,
  )
}

export const weekday = z.enum(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'])
export type Weekday = z.infer<typeof weekday>

const timeOfDay = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d$/, 'a time of day such as 22:00')
const date = z.string().regex(/^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])$/, 'YYYY-MM-DD')

/** A policy that needs more windows than a week has hours says something else than it means. */
export const POLICY_WINDOWS_MAX = 168
/** Three holidays a month for ten years. */
export const POLICY_BLACKOUTS_MAX = 366

/**
 * From `from` until `to` on the days named; a window that ends at or before its beginning ends
 * on the next day. The day is the one on which it begins.
 */
export const timeWindow = z.strictObject({
  days: z.array(weekday).min(1).max(7).default(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']),
  from: timeOfDay,
  to: timeOfDay,
})
export type TimeWindow = z.output<typeof timeWindow>

/** Days on which nothing is begun, both included. */
export const blackout = z
  .strictObject({ from: date, to: date, reason: z.string().max(200).default('') })
  .refine((range) => range.from <= range.to, 'ends before it begins')
export type Blackout = z.output<typeof blackout>

/** How much a source may send while the window is open; null: as fast as it goes. */
export const bandwidthRule = z.strictObject({
  ...timeWindow.shape,
  bytesPerSecond: z.number().int().min(1024).nullable(),
})
export type BandwidthRule = z.output<typeof bandwidthRule>

/** Points kept per rule; a million points of one source is more than anybody can look through. */
const keepCount = z.number().int().min(0).max(100_000).default(0)

/**
 * The newest `last` points, and the newest point of each of the newest `hourly` hours that have
 * one, and so on (the semantics of restic and Proxmox Backup Server). Calendar periods are those
 * of the policy's time zone, weeks are ISO weeks.
 */
export const retention = z
  .strictObject({
    last: keepCount,
    hourly: keepCount,
    daily: keepCount,
    weekly: keepCount,
    monthly: keepCount,
    yearly: keepCount,
  })
  .refine((keep) => Object.values(keep).some((count) => count > 0), 'keeps nothing')
export type Retention = z.output<typeof retention>
export type RetentionRule = keyof Retention

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}

/** In the zone of nobody in particular, unless the policy says which. */
const timezone = z.string().max(64).refine(isTimezone, 'an IANA time zone such as Asia/Shanghai')

export const policySpec = z.strictObject({
  /** The promise: the newest point is never older than this plus the time a capture takes. */
  rpo: durationWithin('1m', '53w'),
  timezone: timezone.default('UTC'),
  /** When to run, 5 or 6 fields; without it every `rpo`, aligned to the clock. */
  cron: z.string().min(9).max(200).nullable().default(null),
  /** When work may begin; empty: always. */
  windows: z.array(timeWindow).max(POLICY_WINDOWS_MAX).default([]),
  blackout: z.array(blackout).max(POLICY_BLACKOUTS_MAX).default([]),
  /** Sources begin up to this much later, each always by the same share. */
  jitter: durationWithin('0s', '1d').default('0s'),
  /** What happens to runs that were missed: one now for all of them, or none. */
  catchUp: z.enum(['once', 'skip']).default('once'),
  retention: retention.default({
    last: 3,
    hourly: 24,
    daily: 7,
    weekly: 4,
    monthly: 12,
    yearly: 0,
  }),
  /** Further pools that get a copy when a point is that old. */
  copies: z
    .array(z.strictObject({ poolId: z.string().max(64), after: duration.default('0s') }))
    .max(8)
    .default([]),
  /** The first rule whose window is open holds; none: no limit. */
  bandwidth: z.array(bandwidthRule).max(POLICY_WINDOWS_MAX).default([]),
  /**
   * Reads points back out of the pool (`data`: every byte, not only the structure); of a database
   * starts each on a clone, has the engine check it, and asks the assertions of its source.
   */
  verify: z
    .strictObject({
      every: durationWithin('1h', '53w'),
      data: z.boolean().default(false),
      /** `newest`: the newest point, every so often. `each`: every point, once it is taken. */
      points: z.enum(['newest', 'each']).default('newest'),
    })
    .nullable()
    .default(null),
  drill: z
    .strictObject({ every: durationWithin('1h', '53w') })
    .nullable()
    .default(null),
  /** Nobody deletes a point before it is that old. */
  lockDays: z.number().int().min(0).max(36_500).default(0),
  /** Among jobs that wait, the highest goes first. */
  priority: z.number().int().min(-100).max(100).default(0),
})
export type PolicySpec = z.output<typeof policySpec>
export type PolicySpecInput = z.input<typeof policySpec>

/** Every rule, and what its texts are told. A rule without texts in both languages is no rule. */

interface OfSource {
  readonly source: string
  readonly host: string
}

/** Rule → parameters, as they stand in the row. Times are milliseconds since 1970. */
export interface AlertParams {
  'source-unprotected': OfSource
  'rpo-missed': OfSource & {
    readonly rpoMs: number
    readonly lastSuccessAt: number | null
    readonly failureCode: string | null
    readonly hostOffline: boolean
  }
  /** No source at all keeps its promise: what is broken is here, not there. */
  'nothing-succeeds': { readonly count: number; readonly lastSuccessAt: number | null }
  'scheduler-stalled': { readonly sinceAt: number | null; readonly overdue: number }
  'jobs-stuck': { readonly count: number; readonly sinceAt: number }
  'job-failing': {
    readonly kind: string
    /** Name of the source or pool; null: of the server itself. */
    readonly object: string | null
    readonly failures: number
    readonly code: string | null
  }
  'verification-failed': { readonly object: string; readonly jobId: string; readonly at: number }
  /** A point of a database did not start, or the engine or an assertion found fault with it. */
  'database-unverified': OfSource & {
    readonly pointId: string | null
    readonly jobId: string
    readonly at: number
    readonly reason: string
  }
  'verification-overdue': OfSource & { readonly everyMs: number; readonly lastAt: number | null }
  'drill-overdue': OfSource & { readonly everyMs: number; readonly lastAt: number | null }
  'source-anomaly': OfSource & {
    readonly signal: 'change' | 'compressibility' | 'shrink'
    readonly day: number
    readonly value: number
    readonly usual: number
  }
  'agent-offline': {
    readonly host: string
    readonly role: 'agent' | 'node'
    readonly sinceAt: number
  }
  'certificate-expiring': { readonly name: string; readonly notAfter: number }
  'clock-skew': { readonly host: string; readonly skewMs: number }
  'clock-jumped': { readonly byMs: number; readonly at: number }
  'pool-nearly-full': {
    readonly pool: string
    readonly usedPercent: number
    readonly freeBytes: number
  }
  'pool-full-soon': {
    readonly pool: string
    readonly days: number
    readonly growthBytesPerDay: number
  }
  'pool-degraded': { readonly pool: string }
  'pool-offline': { readonly pool: string; readonly node: string; readonly seenAt: number | null }
  'pool-damaged': { readonly pool: string; readonly badBlocks: number }
  'catalog-backup-old': { readonly lastAt: number | null }
  'medium-lease-ending': {
    readonly medium: string
    readonly host: string
    readonly leaseUntil: number
  }
  'medium-lost': { readonly medium: string; readonly host: string }
  'standby-behind': OfSource & {
    readonly state: string
    readonly lagMs: number | null
    readonly reason: string
  }
  /** What production keeps for the standby alone. */
  'standby-retention': OfSource & {
    readonly retainedBytes: number
    readonly limitBytes: number
  }
  /** The most room it may have by itself is nearly used up. */
  'standby-volume': OfSource & {
    readonly usedBytes: number
    readonly sizeBytes: number
    /** Up to which it grows by itself. */
    readonly maxBytes: number
  }
  /** Log was removed that no point had taken: nothing since the newest point can be had. */
  'standby-log-cut': OfSource & { readonly at: number; readonly lastPointAt: number | null }
  'standby-must-reseed': OfSource & { readonly reason: string }
  'virtual-database-ending': {
    readonly database: string
    readonly host: string
    readonly leaseUntil: number
  }
  /** Its writes fail. */
  'virtual-database-full': {
    readonly database: string
    readonly host: string
    readonly limit: 'quota' | 'disk'
    readonly quotaBytes: number | null
  }
  'virtual-database-lost': { readonly database: string; readonly host: string }
  'server-disk-full': { readonly usedPercent: number; readonly freeBytes: number }
}
export type AlertRule = keyof AlertParams
export type Severity = 'info' | 'warning' | 'critical'

/** What a rule has found to hold now. */
export type Finding = {
  [R in AlertRule]: {
    readonly rule: R
    /** What it is about, beside the subject: there is one open alert per rule, subject and this. */
    readonly detail?: string
    readonly severity: Severity
    /** Id of a source, host, pool or medium; `server`. */
    readonly subject: string
    readonly labels: Readonly<Record<string, string>>
    readonly params: AlertParams[R]
  }
}[AlertRule]

export function keyOf({ rule, subject, detail }: Finding): string {
  return detail === undefined ? `${rule}:${subject}` : `${rule}:${subject}:${detail}`
}

/** What a policy would do to the sources that would come under it, before it is made. */
import type { Kysely } from 'kysely'
import { createRequire } from 'node:module'
import { setImmediate as turn } from 'node:timers/promises'
import { durationMs } from '@openmaas/api/policy'
import type { PolicySpec } from '@openmaas/api/policy'
import type { Reason, TextLanguage } from '@openmaas/api/policy-text'
import type { CatalogTables } from '../catalog/schema.ts'
import { mapCaptures } from './compliance-repository.ts'
import { Policies } from './resolve.ts'
import type { Policy } from './resolve.ts'
import { applyRetention, onDemandUntil } from './retention.ts'
import { Runs } from './runs.ts'
import { simulatePolicy } from './simulate.ts'
import { DAY_MS, MINUTE_MS, zoneOf } from './zone.ts'

type Db = Kysely<CatalogTables>

/** cronstrue is CommonJS whose named exports Node does not see. */
const cronstrue = createRequire(import.meta.url)('cronstrue/i18n') as {
  toString(expression: string, options: { readonly locale: string }): string
}

export const NEXT_RUNS = 5
/** Sources looked at for measurements and expiry; the count is of all. */
const SOURCES_MAX = 1000
const EXPIRING_MAX = 1000
/** Points of one source that a preview looks at. */
const POINTS_MAX = 5000
/** Two weeks of a promise of a minute; then the rules of months and years are still to fill. */
const SIMULATED_RUNS_MAX = 20_000
const SIMULATED_DAYS = 400
const SAMPLES_SINCE_MS = 30 * DAY_MS

/** "At 02:00 AM, Monday through Friday"; null without cron. */
export function cronText(spec: PolicySpec, language: TextLanguage): string | null {
  if (spec.cron === null) return null
  return cronstrue.toString(spec.cron, { locale: language === 'zh' ? 'zh_CN' : 'en' })
}

export interface PreviewSource {
  readonly id: string
  readonly name: string
}

export interface Preview {
  readonly nextRuns: readonly number[]
  readonly sources: readonly PreviewSource[]
  readonly pointsKept: number
  readonly expectedBytes: number | null
  readonly expiring: readonly string[]
  readonly warnings: readonly Reason[]
}

/**
 * @param of.policy as it would be, with the id of the one it replaces
 * @param of.isVisible of what sources the caller may know
 */
export async function previewPolicy(
  db: Db,
  of: {
    readonly policy: Policy
    readonly policies: Policies
    readonly now: number
    readonly isVisible: (labels: Readonly<Record<string, string>>) => boolean
  },
): Promise<Preview> {
  const { policy, policies, now, isVisible } = of
  const { spec } = policy
  const others = policies.all.filter((other) => other.id !== policy.id)
  const resolved = new Policies([...others, policy])
  const rows = await db
    .selectFrom('source')
    .select(['id', 'name', 'labelsJson', 'policyId'])
    .execute()
  const sources = rows.filter((row) => {
    const labels = JSON.parse(row.labelsJson) as Record<string, string>
    return (
      isVisible(labels) && resolved.resolve({ policyId: row.policyId, labels })?.id === policy.id
    )
  })
  const ids = sources.slice(0, SOURCES_MAX).map((source) => source.id)
  const captures = ids.length === 0 ? new Map<string, number>() : await mapCaptures(db, ids, now)
  const slowest = [...captures].toSorted(([, first], [, second]) => second - first)[0]
  const keeping = simulateKept(spec, now, slowest?.[1] ?? 0)
  const expiring = await listExpiring(db, spec, ids, now)
  const onDemandCount = await countOnDemand(db, ids)
  const slowestName = sources.find((source) => source.id === slowest?.[0])?.name ?? ''
  return {
    nextRuns: new Runs(spec, '').list(now, NEXT_RUNS),
    sources: sources.map(({ id, name }) => ({ id, name })),
    // Of one source, where there is none yet.
    pointsKept: keeping.kept * Math.max(1, sources.length),
    expectedBytes: await expectBytes(db, ids, keeping.spanMs, now),
    expiring,
    warnings: [
      ...keeping.warnings.map((warning) => naming(warning, slowestName)),
      ...lockWarnings(spec, keeping.kept),
      ...(sources.length === 0 ? [{ code: 'MATCHES_NOTHING', params: {} } as const] : []),
      ...(onDemandCount > 0
        ? [{ code: 'POINTS_ON_DEMAND', params: { count: onDemandCount } } as const]
        : []),
      ...(expiring.length > 0
        ? [{ code: 'POINTS_EXPIRE', params: { count: expiring.length } } as const]
        : []),
    ],
  }
}

const naming = (warning: Reason, source: string): Reason =>
  warning.code === 'RPO_SHORTER_THAN_CAPTURE'
    ? { ...warning, params: { ...warning.params, source } }
    : warning

/** As many runs as a moment of work allows; rules that need longer are added by what they say. */
function simulateKept(spec: PolicySpec, now: number, captureMs: number) {
  const run = simulatePolicy(spec, {
    from: now,
    days: SIMULATED_DAYS,
    captureMs,
    addedBytes: 0,
    runsMax: SIMULATED_RUNS_MAX,
  })
  const { monthly, yearly } = spec.retention
  const found = (rule: string): number =>
    run.points.filter(({ reasons }) => reasons.some((reason) => reason.startsWith(rule))).length
  const isRunning = run.taken > 0
  const later = isRunning
    ? Math.max(0, monthly - found('monthly')) + Math.max(0, yearly - found('yearly'))
    : 0
  const oldest = run.points.at(-1)?.at ?? now
  const spanMs = Math.max(
    run.points.length === 0 ? 0 : now + run.days.length * DAY_MS - oldest,
    isRunning ? Math.max(monthly * 30 * DAY_MS, yearly * 365 * DAY_MS) : 0,
  )
  return { kept: run.kept + later, spanMs, warnings: run.warnings }
}

function lockWarnings(spec: PolicySpec, kept: number): Reason[] {
  const lockedCount = (spec.lockDays * DAY_MS) / durationMs(spec.rpo)
  if (spec.lockDays === 0 || lockedCount < kept) return []
  return [{ code: 'LOCK_OUTLIVES_RETENTION', params: { days: spec.lockDays } }]
}

/**
 * What is there, and what these sources add per day for as long as points are kept: an upper
 * bound, as in simulate.ts. Null where nothing was measured.
 */
async function expectBytes(
  db: Db,
  ids: readonly string[],
  spanMs: number,
  now: number,
): Promise<number | null> {
  if (ids.length === 0) return null
  const since = now - SAMPLES_SINCE_MS
  const rows = await db
    .selectFrom('sample')
    .select((e) => [
      'name',
      'subject',
      e.fn.sum<number>('value').as('sum'),
      e.fn.max('value').as('most'),
      e.fn.min('at').as('first'),
      e.fn.countAll<number>().as('count'),
    ])
    .where('name', 'in', ['point.added', 'point.size'])
    .where('subject', 'in', ids)
    .where('at', '>', since)
    .groupBy(['name', 'subject'])
    .execute()
  if (rows.length === 0) return null
  let bytes = 0
  for (const row of rows) {
    if (row.name === 'point.size') bytes += Number(row.most)
    // The first capture is the source itself; without a second nothing is known of its changes.
    else if (row.count > 1) {
      const passedMs = Math.max(MINUTE_MS, now - Number(row.first))
      const changed = Math.max(0, Number(row.sum) - Number(row.most))
      bytes += (changed / passedMs) * spanMs
    }
  }
  return Math.round(bytes)
}

/** They take no place in its rules. */
async function countOnDemand(db: Db, ids: readonly string[]): Promise<number> {
  if (ids.length === 0) return 0
  const row = await db
    .selectFrom('point')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('sourceId', 'in', ids)
    .where('state', '=', 'available')
    .where('onDemand', '=', 1)
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

/** Points that exist and that the policy would not keep. */
async function listExpiring(
  db: Db,
  spec: PolicySpec,
  ids: readonly string[],
  now: number,
): Promise<string[]> {
  const zone = zoneOf(spec.timezone)
  const expiring: string[] = []
  for (const sourceId of ids) {
    if (expiring.length >= EXPIRING_MAX) break
    // SQLite answers without a pause: others are served between two sources.
    await turn()
    const points = await db
      .selectFrom('point')
      .select(['id', 'takenAt', 'lockUntil', 'verifiedAt', 'onDemand'])
      .where('sourceId', '=', sourceId)
      .where('state', '=', 'available')
      .orderBy('takenAt', 'desc')
      .limit(POINTS_MAX)
      .execute()
    const kept = points.map((point) => ({ ...point, onDemandUntil: onDemandUntil(point) }))
    const reasons = applyRetention(kept, spec.retention, zone, now)
    for (const [id, why] of reasons) if (why.length === 0) expiring.push(id)
  }
  return expiring.slice(0, EXPIRING_MAX)
}

/** How the days before went: what was stored, what changed, which promises were kept. */
import { durationMs } from '@openmaas/api/policy'
import type { SourceTrend, Trends } from '@openmaas/api/resources/trend'
import type { Catalog } from '../catalog/catalog.ts'
import { labelsOf, timeOf } from '../http/columns.ts'
import { type HandlerRequest, type Handlers, objectNotFound } from '../http/handler.ts'
import { whereVisible } from '../http/list-query.ts'
import { loadPolicies } from '../policy/resolve.ts'
import { DAY_MS, HOUR_MS } from '../policy/zone.ts'
import { judgeDay } from './anomaly/anomaly.ts'
import { dayOf, loadSourceDays } from './anomaly/source-days.ts'
import type { Board } from './board.ts'
import type { MonitorContext } from './handlers.ts'

/** Share of promises that are kept, once an hour; the subject is the server. */
const KEPT = 'promises.kept'
const SERVER = 'server'
const KEPT_FOR_MS = 400 * DAY_MS
/** Captures of one source that a chart looks at: one every two minutes for a month. */
const CAPTURES_MAX = 25_000

export function makeTrendHandlers(context: MonitorContext) {
  return {
    getTrends: (request) => getTrends(context, request),
    getSourceTrend: (request) => getSourceTrend(context, request),
  } satisfies Handlers
}

/** Of this hour, unless it has one: call it as often as you like. */
export async function recordKept(catalog: Catalog, board: Board): Promise<void> {
  const promised = [...board.rows.values()].filter(
    ({ rpoMs, state }) => rpoMs !== null && state !== 'paused',
  )
  if (promised.length === 0) return
  const at = Math.floor(board.at / HOUR_MS) * HOUR_MS
  const late = promised.filter(({ state }) => state === 'violated').length
  await catalog.transaction(async (trx) => {
    await trx
      .insertInto('sample')
      .values({ name: KEPT, subject: SERVER, at, value: 1 - late / promised.length })
      .onConflict((conflict) => conflict.columns(['name', 'subject', 'at']).doNothing())
      .execute()
    await trx
      .deleteFrom('sample')
      .where('name', '=', KEPT)
      .where('subject', '=', SERVER)
      .where('at', '<', at - KEPT_FOR_MS)
      .execute()
  })
}

async function getTrends(context: MonitorContext, request: HandlerRequest<'getTrends'>) {
  const { catalog, clock } = context
  const { principal, query } = request
  const from = dayOf(clock.wallMs()) - (query.days - 1) * DAY_MS
  const pools = whereVisible(catalog.db.selectFrom('pool'), 'pool', catalog, { principal })
  const stored = await pools
    .innerJoin('pointDay', 'pointDay.poolId', 'pool.id')
    .select((e) => [
      'pointDay.day',
      e.fn.sum<number>('pointDay.pointCount').as('points'),
      e.fn.sum<number>('pointDay.addedBytes').as('addedBytes'),
    ])
    .where('pointDay.day', '>=', from / DAY_MS)
    .groupBy('pointDay.day')
    .orderBy('pointDay.day')
    .execute()
  // Of all sources: who sees some of them is told of none.
  const samples = principal.scope === null ? await loadSamples(catalog, KEPT, SERVER, from) : []
  const body: Trends = {
    stored: stored.map(({ day, points, addedBytes }) => {
      return { at: timeOf(day * DAY_MS), points: Number(points), addedBytes: Number(addedBytes) }
    }),
    kept: averageByDay(samples),
  }
  return { body }
}

interface Sample {
  readonly at: number
  readonly value: number
}

function loadSamples(
  { db }: Catalog,
  name: string,
  subject: string,
  from: number,
): Promise<Sample[]> {
  return db
    .selectFrom('sample')
    .select(['at', 'value'])
    .where('name', '=', name)
    .where('subject', '=', subject)
    .where('at', '>=', from)
    .orderBy('at')
    .limit(CAPTURES_MAX)
    .execute()
}

function averageByDay(samples: readonly Sample[]): Trends['kept'] {
  const days = Map.groupBy(samples, ({ at }) => dayOf(at))
  return [...days].map(([day, of]) => {
    return { at: timeOf(day), share: of.reduce((sum, { value }) => sum + value, 0) / of.length }
  })
}

async function getSourceTrend(context: MonitorContext, request: HandlerRequest<'getSourceTrend'>) {
  const { catalog, clock } = context
  const { params, query } = request
  const now = clock.wallMs()
  const from = dayOf(now) - (query.days - 1) * DAY_MS
  const source = await catalog.db
    .selectFrom('source')
    .select(['id', 'policyId', 'labelsJson', 'createdAt'])
    .where('id', '=', params.sourceId)
    .executeTakeFirst()
  if (source === undefined) throw objectNotFound('source', params.sourceId)
  const days = (await loadSourceDays(catalog.db, [source.id], now)).get(source.id) ?? []
  const shown = days.map((day, index): SourceTrend['days'][number] => ({
    at: timeOf(day.day),
    readBytes: day.readBytes,
    addedBytes: day.addedBytes,
    sizeBytes: day.sizeBytes,
    anomalies: judgeDay(days.slice(0, index + 1)).map(({ signal }) => signal),
  }))
  const policies = await loadPolicies(catalog.db)
  const { policyId, labelsJson, createdAt } = source
  const policy = policies.resolve({ policyId, labels: labelsOf(labelsJson) })
  // From before the first day: a point of the evening is young in the morning.
  const captures =
    policy === null ? [] : await loadSamples(catalog, 'point.added', source.id, from - DAY_MS)
  const body: SourceTrend = {
    days: shown.filter(({ at }) => Date.parse(at) >= from),
    kept:
      policy === null
        ? []
        : keptByDay(captures, {
            from: Math.max(from, createdAt),
            now,
            rpoMs: durationMs(policy.spec.rpo),
          }),
  }
  return { body }
}

/** Share of each day on which the newest capture was no older than that. */
export function keptByDay(
  captures: readonly Pick<Sample, 'at'>[],
  of: { readonly from: number; readonly now: number; readonly rpoMs: number },
): SourceTrend['kept'] {
  const { from, now, rpoMs } = of
  const kept: SourceTrend['kept'] = []
  for (let day = dayOf(from); day <= now; day += DAY_MS) {
    const begin = Math.max(day, from)
    const end = Math.min(day + DAY_MS, now)
    if (end <= begin) continue
    let coveredMs = 0
    let until = begin
    for (const { at } of captures) {
      // What it covers of the day, and nothing that an earlier one has covered.
      const last = Math.min(at + rpoMs, end)
      const first = Math.max(at, until)
      if (last > first) coveredMs += last - first
      until = Math.max(until, last)
    }
    kept.push({ at: timeOf(day), share: coveredMs / (end - begin) })
  }
  return kept
}

/**
 * What ran and what will run in each hour of a day, by host: where work clashes. The past is
 * summed by the catalog, the future is worked out once for each policy, so that the cost is that of
 * hosts and policies and not of jobs and sources.
 */
import { sql } from 'kysely'
import type { JobCalendar } from '@openmaas/api/resources/job'
import { CALENDAR_HOSTS_MAX, CALENDAR_HOURS_MAX } from '@openmaas/api/resources/job'
import { may, ownerOf, seesOwnOnly } from '@openmaas/api/permissions'
import { timeOf } from '../http/columns.ts'
import type { HandlerContext } from '../http/handler-context.ts'
import { type HandlerRequest, type Handlers, requestInvalid } from '../http/handler.ts'
import { whereVisible } from '../http/list-query.ts'
import { loadPolicies, type Policy } from '../policy/resolve.ts'
import { Runs } from '../policy/runs.ts'
import { HOUR_MS } from '../policy/zone.ts'

type Context = Pick<HandlerContext, 'catalog' | 'clock'>
type Request = HandlerRequest<'getJobCalendar'>
type Row = JobCalendar['hosts'][number]
type Counts = 'ran' | 'failed' | 'planned'

/** A job that began that long before the day and still ran in it is not shown. */
const EARLIER_MS = 24 * HOUR_MS
/** Groups (host, first hour, last hour) of one answer; beyond it the day is cut off. */
const GROUPS_MAX = 50_000
/** Runs of one policy in a day: one a minute. */
const RUNS_MAX = 1440

export function makeJobCalendarHandlers(context: Context) {
  return {
    getJobCalendar: (request) => readCalendar(context, request),
  } satisfies Handlers
}

class Day {
  readonly from: number
  readonly until: number
  readonly hours: number
  readonly #rows = new Map<string, Row>()

  constructor(from: number, until: number) {
    this.from = from
    this.until = until
    this.hours = Math.ceil((until - from) / HOUR_MS)
  }

  hourOf(at: number): number {
    return Math.floor((at - this.from) / HOUR_MS)
  }

  /** @param first  hour of the day; may lie before it, as may `last` behind it */
  add(hostId: string | null, of: Counts, span: readonly [first: number, last: number], n: number) {
    const counts = this.#row(hostId)[of]
    const last = Math.min(span[1], this.hours - 1)
    for (let hour = Math.max(span[0], 0); hour <= last; hour += 1) {
      counts[hour] = (counts[hour] ?? 0) + n
    }
  }

  #row(hostId: string | null): Row {
    const known = this.#rows.get(hostId ?? '')
    if (known !== undefined) return known
    const none = (): number[] => Array.from({ length: this.hours }, () => 0)
    const row = { hostId, hostName: hostId ?? '', ran: none(), failed: none(), planned: none() }
    this.#rows.set(hostId ?? '', row)
    return row
  }

  /** The busiest first; a host where nothing happens is left out. */
  list(): Row[] {
    const weight = ({ ran, planned }: Row): number => sumOf(ran) + sumOf(planned)
    const busy = [...this.#rows.values()].filter((row) => weight(row) > 0)
    return busy.toSorted((first, second) => weight(second) - weight(first))
  }
}

function sumOf(counts: readonly number[]): number {
  return counts.reduce((sum, one) => sum + one, 0)
}

async function readCalendar(context: Context, request: Request) {
  const { catalog, clock } = context
  const from = Date.parse(request.query.from)
  const until = Date.parse(request.query.until)
  if (until <= from || until - from > CALENDAR_HOURS_MAX * HOUR_MS) {
    const message = `the end lies behind the beginning, by ${CALENDAR_HOURS_MAX} hours at most`
    throw requestInvalid('/query/until', message)
  }
  const day = new Day(from, until)
  const now = clock.wallMs()
  if (from < now) await addPast(day, context, request, Math.min(now, until))
  if (until > now) await addPlans(day, context, request, Math.max(now, from))
  const rows = day.list()
  const shown = rows.slice(0, CALENDAR_HOSTS_MAX)
  const ids = shown.flatMap(({ hostId }) => hostId ?? [])
  const hosts =
    ids.length === 0
      ? []
      : await catalog.db.selectFrom('host').select(['id', 'name']).where('id', 'in', ids).execute()
  const names = new Map(hosts.map(({ id, name }) => [id, name]))
  const body: JobCalendar = {
    from: timeOf(from),
    until: timeOf(until),
    hosts: shown.map((row) => ({ ...row, hostName: names.get(row.hostId ?? '') ?? row.hostName })),
    omitted: rows.length - shown.length,
  }
  return { body }
}

/** Jobs that were at work in the day, until now. */
async function addPast(day: Day, context: Context, request: Request, until: number) {
  const { catalog } = context
  const { principal } = request
  const hourOf = (column: 'startedAt' | 'endedAt', end: number) =>
    sql<number>`(coalesce(${sql.ref(column)}, ${sql.lit(end)}) - ${sql.lit(day.from)}
      + ${sql.lit(EARLIER_MS)}) / ${sql.lit(HOUR_MS)}`
  let jobs = whereVisible(catalog.db.selectFrom('job'), 'job', catalog, { principal })
    .where('startedAt', '>=', day.from - EARLIER_MS)
    .where('startedAt', '<', until)
    .where((e) => e.or([e('endedAt', 'is', null), e('endedAt', '>=', day.from)]))
  if (seesOwnOnly(principal, 'job.read')) jobs = jobs.where('actor', '=', ownerOf(principal))
  const groups = await jobs
    .select(['hostId', hourOf('startedAt', until).as('first'), hourOf('endedAt', until).as('last')])
    .select((e) => [
      e.fn.countAll<number>().as('count'),
      sql<number>`sum(case when state = 'failed' then 1 else 0 end)`.as('failed'),
    ])
    .groupBy(['hostId', 'first', 'last'])
    .limit(GROUPS_MAX)
    .execute()
  const before = EARLIER_MS / HOUR_MS
  for (const { hostId, first, last, count, failed } of groups) {
    const end = Number(last) - before
    day.add(hostId, 'ran', [Number(first) - before, end], Number(count))
    // It failed at its end.
    if (Number(failed) > 0) day.add(hostId, 'failed', [end, end], Number(failed))
  }
}

/** Runs of all sources under a policy fall together; each host has its share of them. */
async function addPlans(day: Day, context: Context, request: Request, from: number) {
  const { catalog } = context
  const { principal } = request
  if (!may(principal, 'source.read') || seesOwnOnly(principal, 'job.read')) return
  const visible = whereVisible(catalog.db.selectFrom('source'), 'source', catalog, { principal })
  const groups = await visible
    .innerJoin('schedule', 'schedule.sourceId', 'source.id')
    .select(['schedule.policyId', 'source.hostId'])
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('schedule.purpose', '=', 'protect')
    .where('source.paused', '=', 0)
    .groupBy(['schedule.policyId', 'source.hostId'])
    .limit(GROUPS_MAX)
    .execute()
  const policies = await loadPolicies(catalog.db)
  const runs = new Map<string, readonly number[]>()
  for (const { policyId, hostId, count } of groups) {
    const policy = policies.get(policyId)
    if (policy === undefined) continue // It was removed since.
    const hours = runs.get(policyId) ?? hoursOf(policy, day, from)
    runs.set(policyId, hours)
    for (const hour of hours) day.add(hostId, 'planned', [hour, hour], Number(count))
  }
}

function hoursOf({ spec }: Policy, day: Day, from: number): number[] {
  const hours: number[] = []
  for (const at of new Runs(spec, '').between(from - 1, day.until)) {
    if (hours.length >= RUNS_MAX) break
    hours.push(day.hourOf(at))
  }
  return hours
}

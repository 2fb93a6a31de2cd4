/** What the dashboard's summary counts, for one principal. */
import type { Kysely, RawBuilder, SqlBool } from 'kysely'
import { type Permission, type Principal, may, ownerOf } from '@openmaas/api/permissions'
import { seesOwnOnly } from '@openmaas/api/permissions'
import type { Status } from '@openmaas/api/resources/status'
import { labelsWhere } from '../auth/labels-where.ts'
import type { CatalogTables } from '../catalog/schema.ts'
import { timeOf, timeOrNull } from '../http/columns.ts'
import type { HandlerContext } from '../http/handler-context.ts'
import type { SourceCompliance } from '../policy/compliance-repository.ts'
import { showPool } from '../pools/handlers.ts'
import type { ComplianceBoard } from './board.ts'

export interface StatusContext extends Pick<HandlerContext, 'catalog' | 'clock'> {
  readonly version: string
  readonly daysToFull?: (poolId: string) => number | null
  /** Of monitor/: all sources, judged once for everybody. */
  readonly board: Pick<ComplianceBoard, 'read'>
}

const DAY_MS = 86_400_000
const EXPIRING_SOON_MS = 3_600_000
/** The rest is a list with a filter. */
const ATTENTION_MAX = 100
const WORST_FIRST = ['violated', 'at-risk', 'unprotected'] as const

export type Counted = Omit<Status, 'attention'> & { readonly attention: readonly Attention[] }
type Attention = Pick<SourceCompliance, 'sourceId' | 'state' | 'reasons'> & {
  readonly name: string
}

type Labelled = 'source' | 'host' | 'pool' | 'point' | 'job' | 'medium' | 'alert'

class Counter {
  readonly db: Kysely<CatalogTables>
  readonly #context: StatusContext
  readonly #principal: Principal

  constructor(context: StatusContext, principal: Principal) {
    this.db = context.catalog.db
    this.#context = context
    this.#principal = principal
  }

  /** What the principal sees of a table. */
  visible(table: Labelled, permission: Permission): RawBuilder<SqlBool> {
    const { dialect } = this.#context.catalog
    const scope = may(this.#principal, permission) ? this.#principal.scope : NOTHING
    return labelsWhere(`${table}.labelsJson`, scope, dialect)
  }

  /** The principal does not see all of a table. */
  isNarrowed(permission: Permission): boolean {
    return this.#principal.scope !== null || !may(this.#principal, permission)
  }

  /** The column must hold this, where only own objects are seen. */
  owner(permission: Permission): string | undefined {
    return seesOwnOnly(this.#principal, permission) ? ownerOf(this.#principal) : undefined
  }
}
/** An empty list of values matches nothing. */
const NOTHING = { none: [] }

export async function countStatus(context: StatusContext, principal: Principal): Promise<Counted> {
  const counter = new Counter(context, principal)
  const now = context.clock.wallMs()
  const { sources, attention, newestAt } = await countSources(counter, context)
  return {
    at: timeOf(now),
    version: context.version,
    sources,
    points: await countPoints(counter, newestAt),
    jobs: await countJobs(counter, now),
    media: await countMedia(counter, now),
    hosts: await countHosts(counter),
    pools: await countPools(counter, context),
    alerts: await countAlerts(counter, now),
    attention,
  }
}

async function countSources(counter: Counter, context: StatusContext) {
  const visible = await counter.db
    .selectFrom('source')
    .select('id')
    .where(counter.visible('source', 'source.read'))
    .execute()
  const board = await context.board.read()
  const rows = visible.flatMap(({ id }) => board.rows.get(id) ?? [])
  const inState = (state: SourceCompliance['state']) =>
    rows.filter((one) => one.state === state).length
  const verified = rows.filter(({ newestVerifiedAt }) => newestVerifiedAt !== null).length
  const attention = WORST_FIRST.flatMap((state) =>
    rows
      .filter((one) => one.state === state)
      .toSorted((a, b) => (b.ageMs ?? Infinity) - (a.ageMs ?? Infinity) || 0),
  )
  // Nothing is late yet, and the next run will not happen.
  attention.push(...rows.filter((row) => row.state === 'compliant' && isHostAway(row)))
  // A promise alone brings nothing back.
  const covered = rows.filter((row) => row.policyId !== null && row.newestAt !== null)
  const sources = {
    total: rows.length,
    protected: covered.length,
    unprotected: rows.length - covered.length,
    compliant: inState('compliant'),
    paused: inState('paused'),
    atRisk: inState('at-risk'),
    violated: inState('violated'),
    verifiedShare: rows.length === 0 ? null : verified / rows.length,
  }
  const shown = attention.slice(0, ATTENTION_MAX).map(({ sourceId, name, state, reasons }) => {
    return { sourceId, name, state, reasons }
  })
  const newestAt = rows.reduce<number | null>(
    (newest, row) => (row.newestAt === null ? newest : Math.max(newest ?? 0, row.newestAt)),
    null,
  )
  return { sources, attention: shown, newestAt }
}

function isHostAway({ reasons }: SourceCompliance): boolean {
  return reasons.some(({ code }) => code === 'HOST_OFFLINE')
}

/** From the running totals: counting a million rows takes a second. */
async function countPoints(counter: Counter, newestAt: number | null): Promise<Status['points']> {
  let query = counter.db
    .selectFrom('pointTotal')
    .select((e) => [
      e.fn.sum<number | null>('pointTotal.pointCount').as('total'),
      e.fn.sum<number | null>('pointTotal.sizeBytes').as('sizeBytes'),
    ])
    .where('pointTotal.state', '=', 'available')
  if (counter.isNarrowed('point.read')) {
    // A scope sees the points of the sources that it sees.
    query = query
      .innerJoin('source', 'source.id', 'pointTotal.sourceId')
      .where(counter.visible('source', 'point.read'))
  }
  const row = await query.executeTakeFirstOrThrow()
  return {
    total: Number(row.total ?? 0),
    newestAt: timeOrNull(newestAt),
    sizeBytes: Number(row.sizeBytes ?? 0),
  }
}

async function countJobs(counter: Counter, now: number): Promise<Status['jobs']> {
  const owner = counter.owner('job.read')
  let query = counter.db
    .selectFrom('job')
    .select((e) => ['state', e.fn.countAll<number>().as('count')])
    .where((e) => e.or([e('endedAt', 'is', null), e('endedAt', '>=', now - DAY_MS)]))
    .where(counter.visible('job', 'job.read'))
  if (owner !== undefined) query = query.where('actor', '=', owner)
  const states = new Map((await query.groupBy('state').execute()).map((row) => [row.state, row]))
  const inState = (state: CatalogTables['job']['state']) => Number(states.get(state)?.count ?? 0)
  return {
    queued: inState('queued') + inState('paused'),
    running: inState('running'),
    succeeded24h: inState('succeeded'),
    warning24h: inState('warning'),
    failed24h: inState('failed'),
  }
}

async function countMedia(counter: Counter, now: number): Promise<Status['media']> {
  const owner = counter.owner('medium.read')
  let query = counter.db
    .selectFrom('medium')
    .select('leaseUntil')
    .where('state', 'in', ['plugging', 'plugged', 'ejecting', 'lost'])
    .where(counter.visible('medium', 'medium.read'))
  if (owner !== undefined) query = query.where('createdBy', '=', owner)
  const rows = await query.execute()
  const soon = now + EXPIRING_SOON_MS
  const isExpiring = ({ leaseUntil }: (typeof rows)[number]) =>
    leaseUntil !== null && leaseUntil <= soon
  return { active: rows.length, expiringSoon: rows.filter((row) => isExpiring(row)).length }
}

async function countHosts(counter: Counter): Promise<Status['hosts']> {
  const rows = await counter.db
    .selectFrom('host')
    .select((e) => ['state', e.fn.countAll<number>().as('count')])
    .where('state', '<>', 'removed')
    .where(counter.visible('host', 'host.read'))
    .groupBy('state')
    .execute()
  const counts = new Map(rows.map((row) => [row.state, Number(row.count)]))
  return {
    total: [...counts.values()].reduce((sum, one) => sum + one, 0),
    online: counts.get('online') ?? 0,
    offline: counts.get('offline') ?? 0,
  }
}

async function countPools(counter: Counter, context: StatusContext): Promise<Status['pools']> {
  const rows = await counter.db
    .selectFrom('pool')
    .selectAll()
    .where(counter.visible('pool', 'pool.read'))
    .execute()
  const pools = rows.map((row) => showPool(row, context))
  const sum = (field: 'sizeBytes' | 'freeBytes' | 'logicalBytes' | 'physicalBytes') =>
    pools.reduce((total, { stats }) => total + stats[field], 0)
  const days = pools.flatMap(({ daysToFull }) => (daysToFull === null ? [] : [daysToFull]))
  return {
    total: pools.length,
    sizeBytes: sum('sizeBytes'),
    freeBytes: sum('freeBytes'),
    logicalBytes: sum('logicalBytes'),
    physicalBytes: sum('physicalBytes'),
    // Of the one that is full first.
    daysToFull: days.length === 0 ? null : Math.min(...days),
  }
}

/** Those that somebody has silenced call for nobody. */
async function countAlerts(counter: Counter, now: number): Promise<Status['alerts']> {
  const rows = await counter.db
    .selectFrom('alert')
    .select((e) => ['severity', e.fn.countAll<number>().as('count')])
    .where('state', '=', 'firing')
    .where('key', 'not in', (e) =>
      e.selectFrom('alertSilence').select('alertSilence.key').where('until', '>', now),
    )
    .where(counter.visible('alert', 'alert.read'))
    .groupBy('severity')
    .execute()
  const counts = new Map(rows.map((row) => [row.severity, Number(row.count)]))
  const of = (severity: 'critical' | 'warning' | 'info') => counts.get(severity) ?? 0
  return { critical: of('critical'), warning: of('warning'), info: of('info') }
}

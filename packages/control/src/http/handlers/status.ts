/**
 * The dashboard's summary: "am I safe, and can I get it back?" Counted for everybody who sees the
 * same, at most every few seconds: with a million points one count takes a noticeable while.
 */
import type { Kysely, RawBuilder, SqlBool } from 'kysely'
import { type Permission, type Principal, may, ownerOf } from '@openmaas/api/permissions'
import { seesOwnOnly } from '@openmaas/api/permissions'
import { showReason } from '@openmaas/api/policy-text'
import type { Status } from '@openmaas/api/resources/status'
import { labelsWhere } from '../../auth/labels-where.ts'
import type { CatalogTables } from '../../catalog/schema.ts'
import type { ComplianceBoard } from '../../monitor/board.ts'
import type { SourceCompliance } from '../../policy/compliance-repository.ts'
import type { Handlers, Language } from '../handler.ts'
import { log } from '../log.ts'
import { timeOf, timeOrNull } from './columns.ts'
import type { HandlerContext } from './handler-context.ts'
import { showPool } from './pools.ts'

export interface StatusContext extends Pick<HandlerContext, 'catalog' | 'clock'> {
  readonly version: string
  readonly daysToFull?: (poolId: string) => number | null
  /** Of monitor/: all sources, judged once for everybody. */
  readonly board: Pick<ComplianceBoard, 'read'>
}

/** Consoles ask every five seconds, each of them; 10,000 sources take most of a second to judge. */
const FRESH_MS = 5000
/** Older than this is not shown; until then it is, while it is counted anew. */
const STALE_MS = 60_000
/** Views that are remembered: roles and scopes in use at once. */
const KEPT_COUNT_MAX = 100
const DAY_MS = 86_400_000
const EXPIRING_SOON_MS = 3_600_000
/** The rest is a list with a filter. */
const ATTENTION_MAX = 100
const WORST_FIRST = ['violated', 'at-risk', 'unprotected'] as const

interface Kept {
  readonly atMs: number
  readonly counted: Counted
}
type Counted = Omit<Status, 'attention'> & { readonly attention: readonly Attention[] }
type Attention = Pick<SourceCompliance, 'sourceId' | 'state' | 'reasons'> & {
  readonly name: string
}

export function makeStatusHandlers(context: StatusContext) {
  const kept = new Map<string, Kept>()
  const counting = new Map<string, Promise<Counted>>()
  const countAnew = (view: string, principal: Principal): Promise<Counted> => {
    const known = counting.get(view)
    if (known !== undefined) return known
    const atMs = context.clock.monotonicMs()
    const counted = count(context, principal)
      .then((result) => {
        if (kept.size >= KEPT_COUNT_MAX) kept.clear()
        kept.set(view, { atMs, counted: result })
        return result
      })
      .finally(() => counting.delete(view))
    counting.set(view, counted)
    return counted
  }
  return {
    getStatus: async ({ principal, language }) => {
      const view = viewOf(principal)
      const known = kept.get(view)
      const ageMs = known === undefined ? Infinity : context.clock.monotonicMs() - known.atMs
      if (known === undefined || ageMs >= STALE_MS) {
        return { body: say(await countAnew(view, principal), language) }
      }
      if (ageMs >= FRESH_MS) {
        const failed = (error: unknown): void => log.warn('status not counted', { error })
        void countAnew(view, principal).catch(failed)
      }
      return { body: say(known.counted, language) }
    },
  } satisfies Handlers
}

/** The same text for principals who see the same. */
function viewOf(principal: Principal): string {
  const { roles, scope } = principal
  const isOwn = OWN.some((permission) => seesOwnOnly(principal, permission))
  return JSON.stringify([roles, scope, isOwn ? ownerOf(principal) : null])
}
const OWN = ['job.read', 'medium.read'] as const

function say(counted: Counted, language: Language): Status {
  const attention = counted.attention.map(({ sourceId, name, state, reasons }) => {
    return { sourceId, name, state, reasons: reasons.map((one) => showReason(one, language)) }
  })
  return { ...counted, attention }
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

async function count(context: StatusContext, principal: Principal): Promise<Counted> {
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
    alerts: await countAlerts(counter),
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
  const sources = {
    total: rows.length,
    protected: rows.filter(({ policyId }) => policyId !== null).length,
    unprotected: inState('unprotected'),
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

async function countAlerts(counter: Counter): Promise<Status['alerts']> {
  const rows = await counter.db
    .selectFrom('alert')
    .select((e) => ['severity', e.fn.countAll<number>().as('count')])
    .where('state', '=', 'firing')
    .where(counter.visible('alert', 'alert.read'))
    .groupBy('severity')
    .execute()
  const counts = new Map(rows.map((row) => [row.severity, Number(row.count)]))
  const of = (severity: 'critical' | 'warning' | 'info') => counts.get(severity) ?? 0
  return { critical: of('critical'), warning: of('warning'), info: of('info') }
}

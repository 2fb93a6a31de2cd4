/**
 * How every source stands, looked at once for all who ask: alerts, metrics and the dashboard. Ten
 * thousand sources take a second or so to judge (cron and time zones), so what was judged is kept
 * the longer, the longer it took.
 */
import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import { durationMs } from '@openmaas/api/policy'
import type { Clock } from '@openmaas/kernel/clock'
import type { Catalog } from '../catalog/catalog.ts'
import { COMPLIANCE_BATCH_MAX, loadCompliance } from '../policy/compliance-repository.ts'
import type { SourceCompliance } from '../policy/compliance-repository.ts'
import { loadPolicies } from '../policy/resolve.ts'
import type { Policies, Policy } from '../policy/resolve.ts'
import { HOUR_MS } from '../policy/zone.ts'

type Facts = Awaited<ReturnType<typeof listSources>>[number]

/** Something that a policy wants every so often, beside points. */
export interface Cadence {
  readonly everyMs: number
  readonly lastAt: number | null
  readonly isOverdue: boolean
}

export interface BoardRow extends SourceCompliance, Omit<Facts, 'id'> {
  readonly labels: Readonly<Record<string, string>>
  readonly pointCount: number
  /** Null: the policy wants none, or there is nothing to verify yet. */
  readonly verify: Cadence | null
  readonly drill: Cadence | null
}

export interface Board {
  readonly at: number
  readonly rows: ReadonlyMap<string, BoardRow>
  readonly policies: Policies
}

/** Consoles ask every five seconds, each of them. */
const KEPT_MS = 5000
/** Judging takes this share of the time at most; a minute is what alerts wait anyway. */
const KEPT_PER_JUDGING = 20
const KEPT_MAX_MS = 60_000
/** What was due is given half of its interval more, and this at least. */
const LATE_LEAST_MS = HOUR_MS

export class ComplianceBoard {
  readonly #catalog: Catalog
  readonly #clock: Clock
  #kept: { readonly board: Board; readonly untilMs: number } | undefined
  #judging: Promise<Board> | undefined

  constructor(options: { readonly catalog: Catalog; readonly clock: Clock }) {
    this.#catalog = options.catalog
    this.#clock = options.clock
  }

  /** A few seconds old at most; with many thousand sources up to a minute. */
  read(): Promise<Board> {
    const nowMs = this.#clock.monotonicMs()
    if (this.#kept !== undefined && nowMs < this.#kept.untilMs) {
      return Promise.resolve(this.#kept.board)
    }
    return this.judge()
  }

  /** As it is now. Who asks while it is judged gets the same. */
  judge(): Promise<Board> {
    this.#judging ??= this.#judge().finally(() => {
      this.#judging = undefined
    })
    return this.#judging
  }

  async #judge(): Promise<Board> {
    const beginMs = this.#clock.monotonicMs()
    const board = await this.#look(this.#clock.wallMs())
    const endMs = this.#clock.monotonicMs()
    const keptMs = Math.max(KEPT_MS, KEPT_PER_JUDGING * (endMs - beginMs))
    this.#kept = { board, untilMs: endMs + Math.min(KEPT_MAX_MS, keptMs) }
    return board
  }

  async #look(now: number): Promise<Board> {
    const { db } = this.#catalog
    const policies = await loadPolicies(db)
    const sources = await listSources(this.#catalog)
    const counts = await countPoints(this.#catalog)
    const drills = await mapDrills(this.#catalog)
    const rows = new Map<string, BoardRow>()
    for (let from = 0; from < sources.length; from += COMPLIANCE_BATCH_MAX) {
      const batch = new Map(
        sources.slice(from, from + COMPLIANCE_BATCH_MAX).map((row) => [row.id, row]),
      )
      for (const judged of await loadCompliance(db, [...batch.keys()], { policies, now })) {
        const { id, ...facts } = batch.get(judged.sourceId)!
        const policy = judged.policyId === null ? undefined : policies.get(judged.policyId)
        const of = { ...facts, drilledAt: drills.get(id) ?? null, state: judged.state }
        rows.set(id, {
          ...judged,
          ...facts,
          labels: JSON.parse(facts.labelsJson) as Record<string, string>,
          pointCount: counts.get(id) ?? 0,
          ...judgeCadences(policy, of, now),
        })
      }
      await setImmediate() // Requests have their turn in between.
    }
    return { at: now, rows, policies }
  }
}

function judgeCadences(
  policy: Policy | undefined,
  of: Pick<Facts, 'firstAt' | 'verifiedAt'> & {
    readonly drilledAt: number | null
    readonly state: SourceCompliance['state']
  },
  now: number,
): Pick<BoardRow, 'verify' | 'drill'> {
  const { firstAt } = of
  if (policy === undefined || firstAt === null || of.state === 'paused') {
    return { verify: null, drill: null }
  }
  const judge = (wanted: { readonly every: string } | null, lastAt: number | null) => {
    if (wanted === null) return null
    const everyMs = durationMs(wanted.every)
    const allowedMs = everyMs + Math.max(LATE_LEAST_MS, everyMs / 2)
    return { everyMs, lastAt, isOverdue: now - (lastAt ?? firstAt) > allowedMs }
  }
  const { verify, drill } = policy.spec
  return { verify: judge(verify, of.verifiedAt), drill: judge(drill, of.drilledAt) }
}

/** States are literals: SQLite uses a partial index only where it sees the same condition. */
function listSources({ db }: Catalog) {
  return db
    .selectFrom('source')
    .leftJoin('host', 'host.id', 'source.hostId')
    .leftJoin('point', 'point.id', 'source.lastPointId')
    .select(['source.id', 'source.name', 'source.hostId', 'host.name as hostName'])
    .select(['source.labelsJson', 'source.lastSuccessAt', 'source.createdAt'])
    .select(['point.sizeBytes as lastSizeBytes', 'point.verifiedAt as newestVerifiedAt'])
    .select([
      sql<number | null>`(select min(taken_at) from point where source_id = source.id
        and state = 'available')`.as('firstAt'),
      sql<number | null>`(select max(taken_at) from point where source_id = source.id
        and state = 'available')`.as('newestAt'),
      sql<number | null>`(select max(verified_at) from point where source_id = source.id
        and verified_at is not null)`.as('verifiedAt'),
    ])
    .orderBy('source.id')
    .execute()
}

async function countPoints({ db }: Catalog): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('pointTotal')
    .select((e) => ['sourceId', e.fn.sum<number>('pointCount').as('count')])
    .where('state', '=', 'available')
    .groupBy('sourceId')
    .execute()
  return new Map(rows.map((row) => [row.sourceId, Number(row.count)]))
}

/** As long as jobs are kept. */
async function mapDrills({ db }: Catalog): Promise<Map<string, number>> {
  const rows = await db
    .selectFrom('job')
    .select((e) => ['sourceId', e.fn.max('endedAt').as('at')])
    .where('kind', '=', 'drill')
    .where('state', '=', 'succeeded')
    .groupBy('sourceId')
    .execute()
  return new Map(rows.map((row) => [row.sourceId ?? '', Number(row.at)]))
}

/**
 * What Prometheus reads. Gauges are filled from the catalog when somebody scrapes, by a few
 * grouped queries, and what was said is said again for five seconds; histograms count events from
 * the start of this process on.
 */
import { collectDefaultMetrics, Registry } from 'prom-client'
import { poolStats } from '@openmaas/api/resources/pool'
import type { Clock } from '@openmaas/kernel/clock'
import type { Catalog } from '../../catalog/catalog.ts'
import { statusOf } from '../../database/source-database.ts'
import type { CatalogEvent } from '../../catalog/events.ts'
import type { BoardRow, ComplianceBoard } from '../board.ts'
import { makeSeries } from './series.ts'
import type { Series } from './series.ts'

export interface MetricsOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly board: ComplianceBoard
  readonly daysToFull: (poolId: string) => number | null
}

interface Rendered {
  readonly contentType: string
  readonly text: string
}

/** Several scrapers, or one that is impatient, cost no more than one. */
const KEPT_MS = 5000
const seconds = (ms: number): number => ms / 1000

export class Metrics {
  readonly registry = new Registry()
  readonly #options: MetricsOptions
  readonly #series: Series
  /** Kinds that ran once: they are 0 when none runs, rather than absent. */
  readonly #kinds = new Set<string>()
  #kept: { readonly atMs: number; readonly rendered: Promise<Rendered> } | undefined

  constructor(options: MetricsOptions) {
    this.#options = options
    this.#series = makeSeries(this.registry)
    collectDefaultMetrics({ register: this.registry })
  }

  render(): Promise<Rendered> {
    const nowMs = this.#options.clock.monotonicMs()
    if (this.#kept !== undefined && nowMs - this.#kept.atMs < KEPT_MS) return this.#kept.rendered
    const rendered = this.#render()
    const kept = { atMs: nowMs, rendered }
    this.#kept = kept
    // A failure is not kept: the next one asks again.
    rendered.catch(() => {
      if (this.#kept === kept) this.#kept = undefined
    })
    return rendered
  }

  /** What histograms count. */
  async observe(events: readonly CatalogEvent[]): Promise<void> {
    const plugged: CatalogEvent[] = []
    for (const event of events) {
      const { kind, state, durationMs } = event.data
      if (event.type === 'job.ended' && typeof durationMs === 'number') {
        const labels = { kind: String(kind), result: String(state) }
        this.#series.jobDuration.observe(labels, seconds(durationMs))
        if (kind === 'make-virtual-database' && state === 'succeeded') {
          this.#series.virtualDatabaseReady.observe(seconds(durationMs))
        }
      }
      if (event.type === 'medium.plugged') plugged.push(event)
    }
    if (plugged.length === 0) return
    const rows = await this.#options.catalog.db
      .selectFrom('medium')
      .select(['id', 'createdAt'])
      .where(
        'id',
        'in',
        plugged.map((event) => event.subject),
      )
      .execute()
    const asked = new Map(rows.map((row) => [row.id, row.createdAt]))
    for (const { subject, at } of plugged) {
      const since = asked.get(subject)
      if (since !== undefined) this.#series.mountReady.observe(seconds(Math.max(0, at - since)))
    }
  }

  async #render(): Promise<Rendered> {
    await this.#fillSources()
    await this.#fillPools()
    await this.#fillHosts()
    await this.#fillCounts()
    await this.#fillDatabases()
    const text = await this.registry.metrics()
    return { contentType: this.registry.contentType, text }
  }

  async #fillSources(): Promise<void> {
    const { rows } = await this.#options.board.read()
    const series = this.#series
    for (const gauge of [
      series.sourceInfo,
      series.lastSuccess,
      series.lastSize,
      series.pointCount,
      series.oldestPoint,
      series.newestPoint,
      series.slaCompliant,
      series.drillSuccess,
      series.drillRto,
    ]) {
      gauge.reset()
    }
    let unprotected = 0
    for (const row of rows.values()) {
      if (row.state === 'unprotected') unprotected += 1
      fillSource(series, row)
    }
    series.unprotected.set(unprotected)
    await this.#fillDrills()
  }

  async #fillDrills(): Promise<void> {
    const drills = await this.#options.catalog.db
      .selectFrom('job')
      .select(['sourceId', 'startedAt', 'endedAt'])
      .where('kind', '=', 'drill')
      .where('state', '=', 'succeeded')
      .where('endedAt', 'is not', null)
      .orderBy('endedAt')
      .execute()
    // The newest comes last and stays.
    for (const { sourceId, startedAt, endedAt } of drills) {
      if (sourceId === null || endedAt === null) continue
      this.#series.drillSuccess.set({ source: sourceId }, seconds(endedAt))
      this.#series.drillRto.set({ source: sourceId }, seconds(endedAt - (startedAt ?? endedAt)))
    }
  }

  async #fillPools(): Promise<void> {
    const rows = await this.#options.catalog.db
      .selectFrom('pool')
      .select(['id', 'name', 'statsJson'])
      .execute()
    const series = this.#series
    for (const one of [
      series.poolSize,
      series.poolUsed,
      series.poolLogical,
      series.poolPhysical,
      series.poolRatio,
      series.poolDays,
      series.badBlocks,
    ]) {
      one.reset()
    }
    for (const { id, name, statsJson } of rows) {
      const labels = { pool: id, name }
      const days = this.#options.daysToFull(id)
      if (days !== null) series.poolDays.set(labels, days)
      const stats = poolStats.safeParse(JSON.parse(statsJson))
      if (!stats.success) continue // Its node has not reported yet.
      const { sizeBytes, freeBytes, logicalBytes, physicalBytes, badBlocks } = stats.data
      series.poolSize.set(labels, sizeBytes)
      series.poolUsed.set(labels, Math.max(0, sizeBytes - freeBytes))
      series.poolLogical.set(labels, logicalBytes)
      series.poolPhysical.set(labels, physicalBytes)
      series.badBlocks.inc(labels, badBlocks)
      if (physicalBytes > 0) series.poolRatio.set(labels, logicalBytes / physicalBytes)
    }
  }

  async #fillHosts(): Promise<void> {
    const rows = await this.#options.catalog.db
      .selectFrom('host')
      .select(['id', 'name', 'kind', 'state', 'certificateNotAfter'])
      .where('state', '!=', 'removed')
      .execute()
    const { agentUp, agentExpiry } = this.#series
    agentUp.reset()
    agentExpiry.reset()
    for (const { id, name, kind, state, certificateNotAfter } of rows) {
      const labels = { host: id, name, role: kind }
      agentUp.set(labels, state === 'online' ? 1 : 0)
      if (certificateNotAfter !== null) agentExpiry.set(labels, seconds(certificateNotAfter))
    }
  }

  async #fillDatabases(): Promise<void> {
    const { db } = this.#options.catalog
    const { standbyLag, standbyRetained, standbyFollowing, virtualDatabases } = this.#series
    for (const one of [standbyLag, standbyRetained, standbyFollowing]) one.reset()
    const rows = await db.selectFrom('sourceDatabase').selectAll().execute()
    for (const row of rows) {
      const status = statusOf(row)
      if (status === null) continue
      const labels = { source: row.sourceId }
      standbyFollowing.set(labels, status.state === 'following' ? 1 : 0)
      if (status.lagMs !== null) standbyLag.set(labels, seconds(status.lagMs))
      if (status.retainedBytes !== null) standbyRetained.set(labels, status.retainedBytes)
    }
    const counts = await db
      .selectFrom('virtualDatabase')
      .select((e) => ['state', e.fn.countAll<number>().as('count')])
      .where('endedAt', 'is', null)
      .groupBy('state')
      .execute()
    virtualDatabases.reset()
    for (const { state, count } of counts) virtualDatabases.set({ state }, Number(count))
  }

  async #fillCounts(): Promise<void> {
    const { db } = this.#options.catalog
    const jobs = await db
      .selectFrom('job')
      .select((e) => ['kind', e.fn.countAll<number>().as('count')])
      .where('state', '=', 'running')
      .groupBy('kind')
      .execute()
    for (const { kind } of jobs) this.#kinds.add(kind)
    const counts = new Map(jobs.map((row) => [row.kind, Number(row.count)]))
    for (const kind of this.#kinds) this.#series.jobsRunning.set({ kind }, counts.get(kind) ?? 0)
    const media = await db
      .selectFrom('medium')
      .select((e) => e.fn.countAll<number>().as('count'))
      .where('state', '=', 'plugged')
      .executeTakeFirstOrThrow()
    this.#series.mountsActive.set(Number(media.count))
    const alerts = await db
      .selectFrom('alert')
      .select((e) => ['severity', e.fn.countAll<number>().as('count')])
      .where('state', '=', 'firing')
      .groupBy('severity')
      .execute()
    for (const severity of ['info', 'warning', 'critical'] as const) {
      const row = alerts.find((one) => one.severity === severity)
      this.#series.alertsFiring.set({ severity }, Number(row?.count ?? 0))
    }
  }
}

function fillSource(series: Series, row: BoardRow): void {
  const source = row.sourceId
  const labels = { source }
  series.sourceInfo.set({ source, name: row.name, host: row.hostName ?? row.hostId }, 1)
  series.pointCount.set(labels, row.pointCount)
  if (row.lastSuccessAt !== null) series.lastSuccess.set(labels, seconds(row.lastSuccessAt))
  if (row.lastSizeBytes !== null) series.lastSize.set(labels, row.lastSizeBytes)
  if (row.firstAt !== null) series.oldestPoint.set(labels, seconds(row.firstAt))
  if (row.newestAt !== null) series.newestPoint.set(labels, seconds(row.newestAt))
  // Nothing is promised for what is paused or unprotected.
  if (row.rpoMs !== null && row.state !== 'paused') {
    series.slaCompliant.set({ source, rule: 'rpo' }, row.state === 'violated' ? 0 : 1)
  }
  for (const rule of ['verify', 'drill'] as const) {
    const cadence = row[rule]
    if (cadence !== null) series.slaCompliant.set({ source, rule }, cadence.isOverdue ? 0 : 1)
  }
}

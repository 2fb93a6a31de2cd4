/**
 * Watches over everything else: promises, jobs, machines, pools, and the server itself. It has
 * a timer of its own and asks nobody's leave, so it also notices that nothing happens at all.
 *
 * All that time does happens in `tick`; `start` calls it once a minute, and soon after events
 * that may open or end an alert. Of several servers on one catalog the one with the lease
 * evaluates; all of them serve metrics.
 */
import type { Clock } from '@openmaas/kernel/clock'
import type { Random } from '@openmaas/kernel/random'
import { Rounds } from '@openmaas/kernel/rounds'
import type { Catalog } from '../catalog/catalog.ts'
import type { CatalogEvent, EventFeed } from '../catalog/events.ts'
import type { Handlers } from '../http/handler.ts'
import { makeStatusHandlers } from './status-handlers.ts'
import { makeTrendHandlers, recordKept } from './trends.ts'
import type { HttpServerOptions } from '../http/server-options.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../policy/zone.ts'
import { dropLease, takeLease } from '../schedule/lease.ts'
import type { Lease } from '../schedule/lease.ts'
import { pruneAlerts } from './alerts/alert-repository.ts'
import { Evaluator } from './alerts/evaluator.ts'
import { AnomalyWatch } from './anomaly/anomaly-watch.ts'
import { thinSources } from './anomaly/source-days.ts'
import { ComplianceBoard } from './board.ts'
import { collectSamples, loadForecasts } from './capacity/capacity.ts'
import type { PoolOutlook } from './capacity/capacity.ts'
import { makeMonitorHandlers } from './handlers.ts'
import { makeHealthChecks, readDisk } from './health.ts'
import type { NamedCertificate } from './health.ts'
import { Metrics } from './metrics/metrics.ts'

export interface MonitorOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  readonly random: Random
  readonly events: EventFeed
  /** Of the product. */
  readonly version: string
  /** Where the server's own data lie; null: nowhere. */
  readonly directory: string | null
  /** Of the server's listeners. */
  readonly certificates: () => Promise<readonly NamedCertificate[]>
  /** /metrics without a token. */
  readonly metricsPublic: boolean
  /** Bugs, and a catalog that cannot be reached; the monitor goes on. */
  readonly onError: (error: unknown) => void
}

const TICK_MS = MINUTE_MS
/** A burst of events is looked at once, and not more often than this. */
const SOON_MS = 2000
const LEASE_MS = 90_000
const FORECAST_EVERY_MS = 10 * MINUTE_MS
const PRUNE_EVERY_MS = HOUR_MS
const ALERTS_KEPT_MS = 90 * DAY_MS
const PRUNE_MAX = 500
/** Sources whose old samples go in one tick: all of ten thousand within the hour. */
const THIN_COUNT = 200

/** What may open or end an alert; progress does not. */
const TELLING = /^(?:job\.ended|host\.|pool\.|medium\.|source\.|policy\.|clock\.)/

export class Monitor {
  readonly handlers: Handlers
  /** For HttpServerOptions. */
  readonly metrics: NonNullable<HttpServerOptions['metrics']>
  readonly checks: NonNullable<HttpServerOptions['checks']>
  readonly board: ComplianceBoard
  readonly #options: MonitorOptions
  readonly #metrics: Metrics
  readonly #anomalies: AnomalyWatch
  readonly #evaluator: Evaluator
  readonly #holder: string
  readonly #bornMs: number
  #forecasts: ReadonlyMap<string, PoolOutlook> = new Map()
  #forecastMs = -Infinity
  #pruneMs = -Infinity
  #thinAfter = ''
  #lease: Lease | null = null
  readonly #rounds: Rounds
  #soon: NodeJS.Timeout | undefined
  #unsubscribe: (() => void) | undefined

  constructor(options: MonitorOptions) {
    const { catalog, clock, version, directory, metricsPublic } = options
    this.#options = options
    this.#holder = `monitor-${options.random.bytes(8).toString('hex')}`
    const { onError } = options
    this.#rounds = new Rounds({ everyMs: TICK_MS, round: () => this.#tick(), onError })
    this.#bornMs = clock.monotonicMs()
    this.board = new ComplianceBoard(options)
    this.#metrics = new Metrics({ ...options, board: this.board, daysToFull: this.daysToFull })
    this.#anomalies = new AnomalyWatch(catalog)
    this.#evaluator = new Evaluator(options)
    this.metrics = { render: () => this.#metrics.render(), public: metricsPublic }
    this.checks = makeHealthChecks({ catalog, directory })
    const status = { catalog, clock, version, board: this.board, daysToFull: this.daysToFull }
    this.handlers = {
      ...makeMonitorHandlers(options),
      ...makeStatusHandlers(status),
      ...makeTrendHandlers(options),
    }
  }

  /** By the forecast; null: it does not grow for sure, or is too young. */
  readonly daysToFull = (poolId: string): number | null =>
    this.#forecasts.get(poolId)?.daysToFull ?? null

  async start(): Promise<void> {
    this.#unsubscribe = await this.#options.events.subscribe((events) => this.#hear(events))
    this.#rounds.start()
    this.#runSoon()
  }

  /** Lets the next server watch at once. */
  async stop(): Promise<void> {
    this.#unsubscribe?.()
    clearTimeout(this.#soon)
    await this.#rounds.stop()
    const lease = this.#lease
    this.#lease = null
    if (lease !== null) await this.#options.catalog.transaction((trx) => dropLease(trx, lease))
  }

  #runSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined
      this.tick().catch(this.#options.onError)
    }, SOON_MS).unref()
  }

  #hear(events: readonly CatalogEvent[]): void {
    this.#metrics.observe(events).catch((error: unknown) => this.#options.onError(error))
    for (const { type, data } of events) {
      if (type === 'point.created') this.#anomalies.note(String(data['sourceId']))
    }
    if (events.some(({ type }) => TELLING.test(type))) this.#runSoon()
  }

  /** Looks at everything once; of which there is never a second at once. */
  tick(): Promise<void> {
    return this.#rounds.now()
  }

  async #tick(): Promise<void> {
    const { catalog, clock } = this.#options
    const leads = await this.#lead()
    const now = clock.wallMs()
    const nowMs = clock.monotonicMs()
    if (leads) await this.#attempt(() => collectSamples(catalog, now))
    if (nowMs - this.#forecastMs >= FORECAST_EVERY_MS) {
      await this.#attempt(async () => {
        this.#forecasts = await loadForecasts(catalog.db, now)
        this.#forecastMs = nowMs
      })
    }
    if (!leads) return
    await this.#evaluate(now, nowMs)
    await this.#attempt(async () => recordKept(catalog, await this.board.read()))
    await this.#attempt(() => this.#thin(now))
    if (nowMs - this.#pruneMs < PRUNE_EVERY_MS) return
    await pruneAlerts(catalog.db, { before: now - ALERTS_KEPT_MS, limit: PRUNE_MAX })
    this.#pruneMs = nowMs
  }

  /** A part that fails must not keep the others from watching: it is told, and tried again. */
  async #attempt(part: () => Promise<void>): Promise<void> {
    try {
      await part()
    } catch (error) {
      this.#options.onError(error)
    }
  }

  async #lead(): Promise<boolean> {
    const { catalog, clock } = this.#options
    const wanted = { name: 'monitor', holder: this.#holder, durationMs: LEASE_MS }
    const now = clock.wallMs()
    this.#lease = await catalog.transaction((trx) => takeLease(trx, { ...wanted, now }))
    return this.#lease !== null
  }

  async #evaluate(now: number, nowMs: number): Promise<void> {
    const { catalog, directory, certificates } = this.#options
    await this.#evaluator.evaluate({
      db: catalog.db,
      now,
      upMs: nowMs - this.#bornMs,
      board: () => this.board.read(),
      forecasts: this.#forecasts,
      anomalies: () => this.#anomalies.look(now),
      disk: () => (directory === null ? Promise.resolve(null) : readDisk(directory)),
      certificates,
    })
  }

  /** Some sources each time, in the order of their ids, round and round. */
  async #thin(now: number): Promise<void> {
    const { db } = this.#options.catalog
    const rows = await db
      .selectFrom('source')
      .select('id')
      .where('id', '>', this.#thinAfter)
      .orderBy('id')
      .limit(THIN_COUNT)
      .execute()
    this.#thinAfter = rows.length < THIN_COUNT ? '' : rows.at(-1)!.id
    const ids = rows.map(({ id }) => id)
    if (ids.length > 0) await thinSources(db, ids, now)
  }
}

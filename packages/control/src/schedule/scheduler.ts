/**
 * Makes jobs of what is due: docs/internals/policies.md. Any number of processes may run one; the
 * one that holds the lease leads, and the others wait for it to die.
 *
 * All that time does happens in `tick`; `start` only calls it once a second. A test owns the clock
 * and calls it by hand.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { isDatabaseKind } from '@openmaas/api/resources/source'
import { MaasError } from '@openmaas/kernel/errors'
import type { Random } from '@openmaas/kernel/random'
import { Rounds } from '@openmaas/kernel/rounds'
import type { Catalog } from '../catalog/catalog.ts'
import { appendEvent } from '../catalog/events.ts'
import type { Trx } from '../job/definition.ts'
import { findActiveJob } from '../job/job-repository.ts'
import { verifyRequest } from '../job/kinds/pool-care.ts'
import { protectDatabaseRequest } from '../job/kinds/protect-database.ts'
import { verifyDatabaseRequest } from '../job/kinds/verify-database.ts'
import { protectRequest } from '../job/kinds/protect.ts'
import type { JobRequest } from '../job/queue.ts'
import { loadPolicies, Policies } from '../policy/resolve.ts'
import type { Policy } from '../policy/resolve.ts'
import { applyGroupPlan, findGroupPlans, listDueGroups, runGroup } from '../group/schedule.ts'
import { Housekeeping } from './housekeeping.ts'
import type { HousekeepingOptions } from './housekeeping.ts'
import { dropLease, holdsLease, takeLease } from './lease.ts'
import type { Lease } from './lease.ts'
import { decideDue } from './plan.ts'
import type { Purpose } from './plan.ts'
import {
  applyChanges,
  findChanges,
  listDue,
  readSignature,
  wakeHosts,
} from './schedule-repository.ts'
import type { DueRow } from './schedule-repository.ts'

export interface SchedulerOptions extends HousekeepingOptions {
  readonly catalog: Catalog
  readonly random: Random
  /** Bugs, and a catalog that cannot be reached; the scheduler goes on. */
  readonly onError: (error: unknown) => void
}

const TICK_MS = 1000
export const LEASE_MS = 30_000
const LEASE_RENEW_MS = 10_000
/** Changes of sources and policies, hosts that came back, leases that ended: seen within this. */
const SLOW_MS = 5000
/** Due rows of one tick: what is left comes with the next, longest overdue first. */
const DUE_MAX = 400
/** Rows of one transaction: others want to write too, and SQLite answers without a pause. */
const BATCH = 50
/** A wall clock that moved this much otherwise than time passed was set, or the machine slept. */
const JUMP_MS = 5000
/** Hosts that came back between two looks. */
const WOKEN_MAX = 500

const deposed = (): MaasError => new MaasError('JOB_FENCED', 'another process leads the schedule')

export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #housekeeping: Housekeeping
  readonly #holder: string
  #lease: Lease | null = null
  #leasedMs = -Infinity
  #slowMs = -Infinity
  #signature: string | null = null
  #versions = new Map<string, number>()
  #policies = new Policies([])
  #clocks: { readonly wallMs: number; readonly monotonicMs: number } | undefined
  #eventSeq = 0
  readonly #rounds: Rounds

  constructor(options: SchedulerOptions) {
    this.#options = options
    const { onError } = options
    this.#rounds = new Rounds({ everyMs: TICK_MS, round: () => this.#tick(), onError })
    this.#housekeeping = new Housekeeping(options)
    this.#holder = `scheduler-${options.random.bytes(8).toString('hex')}`
  }

  start(): void {
    this.#rounds.start()
  }

  /** Lets the next process lead at once. */
  async stop(): Promise<void> {
    await this.#rounds.stop()
    const lease = this.#lease
    this.#lease = null
    if (lease !== null) await this.#options.catalog.transaction((trx) => dropLease(trx, lease))
  }

  get isLeader(): boolean {
    return this.#lease !== null
  }

  tick(): Promise<void> {
    return this.#rounds.now()
  }

  async #tick(): Promise<void> {
    const jumpedMs = this.#readJump()
    if (jumpedMs !== 0) this.#housekeeping.noteJump()
    if (!(await this.#lead())) return
    try {
      if (jumpedMs !== 0) await this.#tellJump(jumpedMs)
      const nowMs = this.#options.catalog.clock.monotonicMs()
      const isSlow = jumpedMs !== 0 || nowMs - this.#slowMs >= SLOW_MS
      if (isSlow) {
        this.#slowMs = nowMs
        await this.#sync(jumpedMs !== 0)
        await this.#wake()
      }
      await this.#runDue()
      await this.#runGroups()
      if (isSlow) await this.#housekeeping.tick((trx) => this.#guard(trx))
    } catch (error) {
      // Somebody leads who sees all this too.
      if (!(error instanceof MaasError && error.code === 'JOB_FENCED')) throw error
      this.#lease = null
    }
  }

  async #guard(trx: Trx): Promise<void> {
    if (this.#lease === null || !(await holdsLease(trx, this.#lease))) throw deposed()
  }

  #transact<T>(body: (trx: Trx) => Promise<T>): Promise<T> {
    return this.#options.catalog.transaction(async (trx) => {
      await this.#guard(trx)
      return body(trx)
    })
  }

  async #lead(): Promise<boolean> {
    const { catalog } = this.#options
    const nowMs = catalog.clock.monotonicMs()
    if (this.#lease !== null && nowMs - this.#leasedMs < LEASE_RENEW_MS) return true
    const now = catalog.clock.wallMs()
    const wanted = { name: 'scheduler', holder: this.#holder, now, durationMs: LEASE_MS }
    const lease = await catalog.transaction((trx) => takeLease(trx, wanted))
    const isNew = lease !== null && lease.token !== this.#lease?.token
    this.#lease = lease
    this.#leasedMs = nowMs
    if (isNew) await this.#takeOver()
    return lease !== null
  }

  /** What was known here may be old: everything is looked at again. */
  async #takeOver(): Promise<void> {
    this.#housekeeping.begin()
    this.#signature = null
    this.#slowMs = -Infinity
    this.#versions = new Map()
    const row = await this.#options.catalog.db
      .selectFrom('event')
      .select((e) => e.fn.max('seq').as('seq'))
      .executeTakeFirst()
    this.#eventSeq = row?.seq ?? 0
  }

  /** By how much the wall clock moved otherwise than time passed; 0 for next to nothing. */
  #readJump(): number {
    const { clock } = this.#options.catalog
    const now = { wallMs: clock.wallMs(), monotonicMs: clock.monotonicMs() }
    const before = this.#clocks
    this.#clocks = now
    if (before === undefined) return 0
    const jumpedMs = now.wallMs - before.wallMs - (now.monotonicMs - before.monotonicMs)
    return Math.abs(jumpedMs) >= JUMP_MS ? Math.round(jumpedMs) : 0
  }

  async #tellJump(byMs: number): Promise<void> {
    const { clock } = this.#options.catalog
    const about = { topic: 'alerts', type: 'clock.jumped', subject: 'server', labels: {} } as const
    await this.#transact((trx) => appendEvent(trx, { ...about, data: { byMs } }, clock))
  }

  /** Brings the rows in line with sources and policies, when those have changed. */
  async #sync(jumped: boolean): Promise<void> {
    const { catalog } = this.#options
    const signature = await readSignature(catalog.db)
    if (!jumped && signature === this.#signature) return
    const policies = await loadPolicies(catalog.db)
    const isChanged = (policy: Policy): boolean =>
      jumped || this.#versions.get(policy.id) !== policy.version
    const now = catalog.clock.wallMs()
    const changes = await findChanges(catalog.db, { policies, now, isChanged })
    for (let i = 0; i < changes.length; i += BATCH) {
      await turn()
      await this.#transact((trx) => applyChanges(trx, changes.slice(i, i + BATCH)))
    }
    const plans = await findGroupPlans(catalog.db, { policies, now, isChanged })
    for (const plan of plans) await this.#transact((trx) => applyGroupPlan(trx, plan))
    this.#policies = policies
    this.#versions = new Map(policies.all.map((policy) => [policy.id, policy.version]))
    this.#signature = signature
  }

  /** Hosts that came back: what failed there is tried again. */
  async #wake(): Promise<void> {
    const { catalog } = this.#options
    const rows = await catalog.db
      .selectFrom('event')
      .select(['seq', 'subject'])
      .where('topic', '=', 'hosts')
      .where('type', '=', 'host.online')
      .where('seq', '>', this.#eventSeq)
      .orderBy('seq')
      .limit(WOKEN_MAX)
      .execute()
    const last = rows.at(-1)
    if (last === undefined) return
    const hostIds = [...new Set(rows.map((row) => row.subject))]
    await this.#transact(async (trx) => {
      await wakeHosts(trx, hostIds, catalog.clock.wallMs())
      await this.#housekeeping.wake(trx, hostIds)
    })
    this.#eventSeq = last.seq
  }

  async #runDue(): Promise<void> {
    const { catalog } = this.#options
    const rows = await listDue(catalog.db, catalog.clock.wallMs(), DUE_MAX)
    for (let i = 0; i < rows.length; i += BATCH) {
      await turn()
      await this.#transact(async (trx) => {
        for (const row of rows.slice(i, i + BATCH)) await this.#runRow(trx, row)
      })
    }
  }

  async #runGroups(): Promise<void> {
    const { catalog } = this.#options
    const groups = await listDueGroups(catalog.db, catalog.clock.wallMs(), DUE_MAX)
    for (const group of groups) {
      await turn()
      const policy = this.#policies.get(group.policyId ?? '')
      // Gone or switched off since the last look; the next one plans it anew.
      if (policy === undefined || !policy.enabled) continue
      const now = catalog.clock.wallMs()
      const enqueue: SchedulerOptions['enqueue'] = (trx, request) =>
        this.#options.enqueue(trx, request)
      const of = { group, policy, now, enqueue }
      await this.#transact((trx) => runGroup(trx, of))
    }
  }

  async #runRow(trx: Trx, row: DueRow): Promise<void> {
    const policy = this.#policies.get(row.policyId)
    // Gone since the last look; the next one removes the row.
    if (policy === undefined) return
    const now = this.#options.catalog.clock.wallMs()
    const purpose = row.purpose as Purpose
    const { sourceId, nextRunAt } = row
    const decision = decideDue(policy.spec, { sourceId, purpose, nextRunAt }, now)
    const jobId =
      decision.kind === 'run' ? await this.#begin(trx, requestOf(row, policy)) : undefined
    await trx
      .updateTable('schedule')
      .set({
        nextRunAt: decision.nextRunAt,
        ...(decision.kind === 'run' && { lastDueAt: now }),
        ...(jobId !== undefined && { lastJobId: jobId }),
      })
      .where('sourceId', '=', sourceId)
      .where('purpose', '=', purpose)
      .execute()
  }

  /** @returns undefined when the last one is not done yet: it stands for this one too */
  async #begin(trx: Trx, request: JobRequest): Promise<string | undefined> {
    const active = await findActiveJob(trx, request.activeKey!)
    return active === undefined ? this.#options.enqueue(trx, request) : undefined
  }
}

function requestOf(row: DueRow, policy: Policy): JobRequest {
  const { sourceId: id, hostId, poolId, labelsJson } = row
  const { priority, verify } = policy.spec
  if (row.purpose === 'verify' && isDatabaseKind(row.kind)) {
    const request = verifyDatabaseRequest({ id, labelsJson }, { actor: 'system' })
    return { ...request, policyId: policy.id }
  }
  if (row.purpose === 'verify') {
    const request = verifyRequest(
      { id, labelsJson },
      { actor: 'system', data: verify?.data ?? false },
    )
    return { ...request, policyId: policy.id }
  }
  const source = { id, hostId, poolId, labelsJson }
  const make = isDatabaseKind(row.kind) ? protectDatabaseRequest : protectRequest
  return make(source, { actor: 'system', priority, policyId: policy.id })
}

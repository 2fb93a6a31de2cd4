/** Whether the promise made for a source is kept, and why (not): pure. */
import { durationMs } from '@openmaas/api/policy'
import type { PolicySpec } from '@openmaas/api/policy'
import type { Reason, ReasonCode, ReasonParams } from '@openmaas/api/policy-text'
import { Runs } from './runs.ts'
import { HOUR_MS, MINUTE_MS } from './zone.ts'

export type ComplianceState = 'compliant' | 'at-risk' | 'violated' | 'unprotected' | 'paused'

export interface ComplianceFacts {
  readonly sourceId: string
  readonly createdAt: number
  readonly paused: boolean
  /** Null: none holds for it. */
  readonly spec: PolicySpec | null
  readonly lastSuccessAt: number | null
  readonly nextRunAt: number | null
  /** In a row, and the code of the last. */
  readonly failures: number
  readonly failureCode: string | null
  /** Of the job that works on it now. */
  readonly active: { readonly state: 'queued' | 'running'; readonly since: number } | null
  readonly hostState: 'pending' | 'online' | 'offline' | 'removed'
  readonly hostDrained: boolean
  /** The longest of the last captures; null: none was measured. */
  readonly captureMs: number | null
}

export interface Compliance {
  readonly state: ComplianceState
  readonly rpoMs: number | null
  readonly ageMs: number | null
  readonly reasons: readonly Reason[]
}

/** Ticks, queues and starting a process take their time; nobody's promise is about that. */
const GRACE_MS = MINUTE_MS
/** The first capture of a source reads all of it. */
const FIRST_CAPTURE_MS = HOUR_MS
/** From this share of what is allowed on, what fails puts the promise at risk. */
const RISK_SHARE = 0.9

const reason = (code: ReasonCode, params: ReasonParams = {}): Reason => ({ code, params })

export function judgeCompliance(facts: ComplianceFacts, now: number): Compliance {
  const { spec, lastSuccessAt } = facts
  const ageMs = lastSuccessAt === null ? null : Math.max(0, now - lastSuccessAt)
  if (spec === null) {
    return { state: 'unprotected', rpoMs: null, ageMs, reasons: [reason('NO_POLICY')] }
  }
  const rpoMs = durationMs(spec.rpo)
  const about = [
    ageMs === null ? reason('NO_SUCCESS') : reason('LAST_SUCCESS', { ageMs, at: lastSuccessAt }),
    reason('PROMISE', { rpoMs }),
  ]
  if (facts.paused) {
    return { state: 'paused', rpoMs, ageMs, reasons: [reason('PAUSED'), ...about] }
  }
  const runs = new Runs(spec, facts.sourceId)
  const allowedUntil = deadlineOf(facts, runs, rpoMs)
  const isLate = now > allowedUntil
  const hinders = hindrances(facts, runs, now)
  if (lastSuccessAt === null && !isLate) {
    // Nothing can be restored yet, whatever is promised: nobody shall take that for safe.
    const reasons = [...about, reason('FIRST_DUE', { at: allowedUntil }), ...hinders]
    return { state: 'unprotected', rpoMs, ageMs, reasons }
  }
  const since = lastSuccessAt ?? facts.createdAt
  const isNear = now - since > RISK_SHARE * (allowedUntil - since)
  const isAtRisk = facts.failures > 0 || (isNear && hinders.some((each) => HINDERS.has(each.code)))
  const state = isLate ? 'violated' : isAtRisk ? 'at-risk' : 'compliant'
  return { state, rpoMs, ageMs, reasons: [...about, ...hinders] }
}

/** Until when the newest point is as young as promised, or as windows let it be. */
function deadlineOf(facts: ComplianceFacts, runs: Runs, rpoMs: number): number {
  const { lastSuccessAt, createdAt, captureMs } = facts
  if (lastSuccessAt === null) {
    const first = runs.next(createdAt) ?? createdAt
    return Math.max(createdAt + rpoMs, first) + FIRST_CAPTURE_MS + GRACE_MS
  }
  const next = runs.next(lastSuccessAt) ?? lastSuccessAt
  return Math.max(lastSuccessAt + rpoMs, next) + (captureMs ?? 0) + GRACE_MS
}

const HINDERS: ReadonlySet<ReasonCode> = new Set(['LAST_FAILURE', 'HOST_OFFLINE', 'HOST_DRAINED'])

function hindrances(facts: ComplianceFacts, runs: Runs, now: number): Reason[] {
  const { failures, failureCode, active, nextRunAt } = facts
  const found: Reason[] = []
  if (failures > 0)
    found.push(reason('LAST_FAILURE', { code: failureCode ?? 'INTERNAL', failures }))
  if (facts.hostState !== 'online') found.push(reason('HOST_OFFLINE'))
  if (facts.hostDrained) found.push(reason('HOST_DRAINED'))
  if (active !== null) {
    const forMs = Math.max(0, now - active.since)
    found.push(reason(active.state === 'running' ? 'RUNNING' : 'WAITING', { forMs }))
  }
  if (!runs.isOpen(now)) {
    const until = runs.nextOpen(now)
    if (until !== null) found.push(reason('CLOSED', { until }))
  }
  if (nextRunAt !== null && active === null) found.push(reason('NEXT_RUN', { at: nextRunAt }))
  return found
}

/**
 * Where recovery ends, in PostgreSQL's settings, and whether it can end there at all.
 *
 * PostgreSQL stops at a commit in the log. A target that lies before what the clone already holds
 * would not stop it in time: that is refused here, before anything is replayed.
 */
import { z } from 'zod'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { RecoveryTarget } from '@openmaas/protocols/channel/database-orders'
import { volumeLayout } from '@openmaas/source-kit/layout'
import type { ControlData } from './control-data.ts'
import { formatLsn, lsn, parseLsn } from './lsn.ts'
import type { Place } from './place.ts'
import { type ServerSettings, shellQuote } from './server-settings.ts'
import { findState, type Mark, type PostgresState } from './state.ts'

/** `end`: of all log there is; for a moment that no commit follows. */
export type ReplayTarget = RecoveryTarget | { readonly kind: 'end' }

export interface Replay {
  readonly target: ReplayTarget
  /** Roots of later points. */
  readonly logDirectories: readonly string[]
}

export function recoverySettings(place: Place, replay: Replay): ServerSettings {
  const common = {
    recovery_target_timeline: 'latest',
    recovery_target_action: 'promote',
    recovery_target_inclusive: 'on',
    restore_command: restoreCommand(place, replay.logDirectories),
  }
  const { target } = replay
  switch (target.kind) {
    case 'snapshot':
      // Its own pg_wal holds all of it: the archive is asked for nothing.
      return { ...common, restore_command: 'false' }
    case 'end':
      return common
    case 'time':
      return { ...common, recovery_target_time: timeText(target.atMs) }
    case 'transaction':
      return { ...common, recovery_target_xid: xidText(target.id) }
    case 'position': {
      const position = parseLsn(target.position)
      return position === null
        ? { ...common, recovery_target_name: target.position }
        : { ...common, recovery_target_lsn: formatLsn(position) }
    }
  }
}

/**
 * Whole segments of any point first; of those received in part, the newest point's holds most.
 */
function restoreCommand(place: Place, roots: readonly string[]): string {
  const logs = [place.layout.log, ...roots.map((root) => volumeLayout(root, place.id).log)]
  const whole = logs.map((log) => `${shellQuote(log)}/%f`)
  const partial = logs.toReversed().map((log) => `${shellQuote(log)}/%f.partial`)
  const files = [...whole, ...partial].join(' ')
  return `for f in ${files}; do if [ -f "$f" ]; then exec cp "$f" %p; fi; done; exit 1`
}

/** Microseconds are what PostgreSQL keeps; milliseconds with a fraction are what we are given. */
function timeText(atMs: number): string {
  const seconds = Math.floor(atMs / 1000)
  const micros = Math.round((atMs - seconds * 1000) * 1000)
  const date = new Date((seconds + Math.floor(micros / 1e6)) * 1000).toISOString().slice(0, 19)
  return `${date.replace('T', ' ')}.${String(micros % 1e6).padStart(6, '0')}+00`
}

/** 0 to 2 are no transactions of anybody: InvalidTransactionId, Bootstrap, Frozen. */
const XID_FIRST = 3n
const XID_LAST = 0xffff_ffffn
/** Ids are compared modulo 2^32: further apart than this, two cannot both be in one log. */
const XID_APART_MAX = 2n ** 31n

/**
 * A number that an epoch may lead: pg_current_xact_id() tells 64 bits, the log holds 32.
 *
 * @throws MaasError REQUEST_INVALID: no other point makes it a transaction
 */
function xidText(id: string): string {
  const value = /^\d{1,20}$/.test(id) ? BigInt(id) : 0n
  const text = value & XID_LAST
  if (text >= XID_FIRST && value < 2n ** 64n) return String(text)
  throw noTransaction(id, `"${id}" is no transaction id: one as pg_current_xact_id() tells`)
}

/** An epoch that the cluster is not in would name another transaction of the same 32 bits. */
function checkEpoch(id: string, { nextXid }: ControlData): void {
  xidText(id)
  const value = BigInt(id)
  if (value <= XID_LAST) return
  const apart = value > nextXid ? value - nextXid : nextXid - value
  if (apart < XID_APART_MAX) return
  throw noTransaction(id, `transaction ${id} is of another epoch: the next one is ${nextXid}`)
}

function noTransaction(id: string, message: string): MaasError {
  return new MaasError('REQUEST_INVALID', message, { id })
}

/**
 * @throws MaasError DATABASE_TARGET_UNREACHABLE when the clone already holds what comes after;
 *   REQUEST_INVALID when the target is none of this database at all
 */
export function checkReachable(
  target: RecoveryTarget,
  { marks }: PostgresState,
  control: ControlData,
): void {
  if (target.kind === 'transaction') checkEpoch(target.id, control)
  if (target.kind === 'time' && !isAfterMark(target.atMs, marks, control)) {
    // pg_control tells whole seconds: what was committed within that one may be in already.
    const earliestMs = control.checkpointAtMs + 1000
    if (target.atMs < earliestMs) throw tooEarly(new Date(earliestMs).toISOString())
  }
  if (target.kind === 'position') {
    const position = parseLsn(target.position)
    const minimum = control.minimumRecovery === '0/0' ? control.redo : control.minimumRecovery
    if (position !== null && position < lsn(minimum)) throw tooEarly(minimum)
  }
}

/** Replay begins at or before that mark, so it meets every commit which followed the mark. */
function isAfterMark(atMs: number, marks: readonly Mark[], control: ControlData): boolean {
  return marks.some((mark) => mark.atMs <= atMs && lsn(control.redo) <= lsn(mark.lsn))
}

function tooEarly(earliest: string): MaasError {
  const message = `the copy is newer than the target: it can be recovered to ${earliest} or later`
  return new MaasError('DATABASE_TARGET_UNREACHABLE', message, { earliest })
}

/** Up to when the log of these points, or of the clone itself, is known to reach. */
export function coveredUntilMs(place: Place, roots: readonly string[]): number | null {
  const layouts = [place.layout, ...roots.map((root) => volumeLayout(root, place.id))]
  const moments = layouts.map((layout) => findState(layout)?.marks.at(-1)?.atMs ?? 0)
  const latest = Math.max(...moments)
  return latest === 0 ? null : latest
}

const startFailure = z.object({ log: z.string() })

/** PostgreSQL 13 and later refuse to open before the target rather than open somewhere else. */
export function isEndBeforeTarget(error: unknown): boolean {
  return logOf(error).includes('recovery ended before configured recovery target')
}

/** Pages were written that hold later changes: only replay beyond the target mends them. */
export function isBeforeConsistency(error: unknown): boolean {
  return logOf(error).includes('recovery stop point is before consistent recovery point')
}

function logOf(error: unknown): string {
  if (!isMaasError(error, 'DATABASE_START_FAILED')) return ''
  return startFailure.safeParse(error.details).data?.log ?? ''
}

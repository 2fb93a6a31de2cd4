/** The numbers of the job engine, in one place; docs/internals/jobs.md explains them. */
import type { Random } from '@openmaas/kernel/random'

/** A claim outlives three renewals that were missed; then the process is taken for dead. */
export const CLAIM_MS = 20_000
export const CLAIM_RENEW_MS = 5000
/** Further ahead than any claim is made: the clock was set back since. */
export const CLAIM_AHEAD_MAX_MS = 2 * CLAIM_MS

/** Jobs one engine runs at once: each holds a promise and an order, and little memory. */
export const RUNNING_MAX = 64
/** Of those, kept free for what somebody waits for: a plug must not wait behind 64 backups. */
export const RESERVED_MAX = 16
export const URGENT_PRIORITY = 50
/** Waiting jobs looked at from the top, and from where the last look ended. */
export const SCAN_TOP_MAX = 100
export const SCAN_NEXT_MAX = 400

/** How many jobs may hold the same slot, by what stands before its colon. */
export const SLOT_LIMITS: Readonly<Record<string, number>> = {
  host: 4,
  node: 8,
  pool: 4,
  /** Jobs that wait for jobs: fewer than RUNNING_MAX - RESERVED_MAX, so that those find a place. */
  parents: 16,
}
/** For a slot of another kind: it is a lock. */
export const SLOT_LIMIT_DEFAULT = 1

export const BACKOFF_FIRST_MS = 5000
export const BACKOFF_MAX_MS = 15 * 60_000
/** Jobs that failed together shall not come back together. */
const BACKOFF_SPREAD = 0.2

/** Undoing is tried this often; then reconciliation has to find what is left. */
export const UNDO_ATTEMPT_MAX = 5

/** Cancel must be done within 5 s: the step has 3 to answer, undoing has the rest. */
export const CANCEL_PATIENCE_MS = 3000

/** Orders of an undo have time limits of their own; this one is for what has none. */
export const UNDO_PATIENCE_MS = 15 * 60_000

export const PROGRESS_WRITE_MS = 1000
/** More lines nobody reads; the last one says that there were more. */
export const LOG_LINES_MAX = 10_000
/** Of one line. */
export const LOG_TEXT_MAX = 4096

/** How often an engine looks for work when nobody wakes it. */
export const POLL_MS = 500

/** @param failures how often it has failed, from 1 */
export function backoffMs(failures: number, random: Random): number {
  const plain = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures - 1, 30))
  const unit = random.bytes(4).readUInt32LE() / 2 ** 32
  return Math.round(plain * (1 - BACKOFF_SPREAD + 2 * BACKOFF_SPREAD * unit))
}

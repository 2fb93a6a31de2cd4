/** What of the logs must be replayed on a clone so that it ends where the target says. */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import type { RecoveryTarget } from '@openmaas/protocols/channel/database-orders'
import type { GtidMath } from '../gtid.ts'
import { BINLOG_BASE } from '../server-options.ts'
import { previousPosition, readTransactions } from './log-file.ts'
import type { LoggedTransaction } from './log-file.ts'

export interface ReplayPlan {
  /** In their order; empty when nothing is to be replayed. */
  readonly files: readonly string[]
  /** Offset in the first file, and in the last. */
  readonly begin: number
  readonly end: number
  readonly last: LoggedTransaction | null
  readonly count: number
}

export interface PlanRequest {
  /** What the clone has. */
  readonly from: string
  readonly target: RecoveryTarget
  readonly gtids: GtidMath
  /** The clone's own last one; null when its log is empty. */
  readonly lastHeld: LoggedTransaction | null
  /** All that production committed until then is in the logs; null when nobody said. */
  readonly coveredMs: number | null
}

const LOG_NAME = new RegExp(`^${BINLOG_BASE}\\.\\d{6,10}$`)

/**
 * The files of several log directories of one standby, taken at different times: of each number
 * the longest, since a later point holds an earlier one's log and more.
 */
export function listLogFiles(directories: readonly string[]): string[] {
  const longest = new Map<string, { path: string; size: number }>()
  for (const directory of directories) {
    if (!existsSync(directory)) continue
    for (const name of readdirSync(directory)) {
      if (!LOG_NAME.test(name)) continue
      const path = join(directory, name)
      const { size } = statSync(path)
      if (size > (longest.get(name)?.size ?? -1)) longest.set(name, { path, size })
    }
  }
  return [...longest].toSorted(([a], [b]) => numberOf(a) - numberOf(b)).map(([, { path }]) => path)
}

function numberOf(name: string): number {
  return Number(name.slice(BINLOG_BASE.length + 1))
}

/**
 * Before anything is started: with no point and no log would such a target be reached.
 *
 * @throws MaasError REQUEST_INVALID
 */
export function checkTarget(target: RecoveryTarget, gtids: GtidMath): void {
  if (target.kind === 'transaction' && gtids.parse(target.id) === null) throw malformed(target.id)
  if (target.kind !== 'position') return
  try {
    gtids.union(target.position, '')
  } catch (error) {
    if (!isMaasError(error, 'CONFIG_INVALID')) throw error
    throw malformed(target.position)
  }
}

function malformed(text: string): MaasError {
  const message = `"${text.slice(0, 80)}" is no GTID of this product`
  return new MaasError('REQUEST_INVALID', message, {})
}

/** @throws MaasError DATABASE_TARGET_UNREACHABLE, REQUEST_INVALID */
export function planReplay(files: readonly string[], request: PlanRequest): ReplayPlan {
  const { from, target, gtids } = request
  const nothing: ReplayPlan = { files: [], begin: 0, end: 0, last: null, count: 0 }
  if (target.kind === 'snapshot') return nothing
  const goal = goalOf(request)
  if (goal.isReached()) return nothing
  if (files.length === 0) {
    goal.meetEnd()
    return nothing
  }
  const first = firstFileAfter(files, from, gtids)
  const replayed: string[] = []
  let [begin, end, count] = [0, 0, 0]
  let last: LoggedTransaction | null = null
  let position = from
  for (const path of files.slice(first)) {
    for (const transaction of readTransactions(path)) {
      if (gtids.contains(from, transaction.gtid)) continue
      if (goal.isBeyond(transaction)) return { files: replayed, begin, end, last, count }
      if (count === 0) begin = transaction.begin
      if (replayed.at(-1) !== path) replayed.push(path)
      end = transaction.end
      last = transaction
      count += 1
      if (goal.kind === 'position') position = gtids.union(position, transaction.gtid)
      if (goal.endsWith(transaction, position)) return { files: replayed, begin, end, last, count }
    }
  }
  goal.meetEnd()
  return { files: replayed, begin, end, last, count }
}

interface Goal {
  readonly kind: RecoveryTarget['kind']
  /** @throws MaasError when the clone is past it */
  isReached(): boolean
  /** The first that is too much. */
  isBeyond(transaction: LoggedTransaction): boolean
  /** The last that is wanted. */
  endsWith(transaction: LoggedTransaction, position: string): boolean
  meetEnd(): void
}

function goalOf(request: PlanRequest): Goal {
  const { target } = request
  if (target.kind === 'time') return momentGoal(request, target.atMs)
  if (target.kind === 'transaction') return transactionGoal(request, target.id)
  return positionGoal(request, target.kind === 'position' ? target.position : '')
}

/** Ends before the first transaction that was committed later, or may have been. */
function momentGoal({ lastHeld, coveredMs }: PlanRequest, atMs: number): Goal {
  return {
    kind: 'time',
    isReached() {
      if (lastHeld === null || lastHeld.byMs <= atMs) return false
      throw unreachable('the clone holds transactions after that moment: take an earlier point')
    },
    isBeyond: ({ byMs }) => byMs > atMs,
    endsWith: () => false,
    meetEnd() {
      if (coveredMs !== null && coveredMs >= atMs) return
      throw unreachable('the log ends before that moment: take a point first')
    },
  }
}

function transactionGoal({ gtids, from, lastHeld }: PlanRequest, text: string): Goal {
  const id = gtids.parse(text)
  if (id === null) throw malformed(text)
  return {
    kind: 'transaction',
    isReached() {
      if ((lastHeld?.gtid ?? from) === id) return true
      if (!gtids.contains(from, id)) return false
      throw unreachable('the clone has that transaction and later ones: take an earlier point')
    },
    isBeyond: () => false,
    endsWith: ({ gtid }) => gtid === id,
    meetEnd() {
      throw unreachable('that transaction is not in the log: take a point first')
    },
  }
}

function positionGoal({ gtids, from }: PlanRequest, position: string): Goal {
  return {
    kind: 'position',
    isReached() {
      if (!gtids.contains(from, position)) return false
      if (gtids.contains(position, from)) return true
      throw unreachable('the clone is past that position: take an earlier point')
    },
    isBeyond: () => false,
    endsWith: (_, reached) => gtids.contains(reached, position),
    meetEnd() {
      throw unreachable('that position is not in the log: take a point first')
    },
  }
}

/** The last file at whose beginning nothing was committed that the clone lacks. */
function firstFileAfter(files: readonly string[], from: string, gtids: GtidMath): number {
  const first = files.findLastIndex((path) => {
    const previous = previousPosition(path)
    return previous !== null && gtids.contains(from, previous)
  })
  if (first >= 0) return first
  throw unreachable('the log between the clone and the later point is missing')
}

function unreachable(why: string): MaasError {
  return new MaasError('DATABASE_TARGET_UNREACHABLE', why, {})
}

/** Of the newest file that holds one; null when there is none. */
export function lastTransaction(files: readonly string[]): LoggedTransaction | null {
  for (const path of files.toReversed()) {
    let last: LoggedTransaction | null = null
    for (const transaction of readTransactions(path)) last = transaction
    if (last !== null) return last
  }
  return null
}

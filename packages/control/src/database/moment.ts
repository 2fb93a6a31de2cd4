/**
 * Which point a moment is recovered from, and which later one has the log that leads to it. Pure,
 * over the points of one source, the oldest first. Decision 0012.
 *
 *   base ──────── its own log ────────▶ freeze │ log of the first point after T ──▶ T
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { RecoveryTarget } from '@openmaas/protocols/channel/database-orders'
import { compareReached, compareTransaction } from './log-position.ts'
import type { DatabaseMark, DatabasePoint } from './points.ts'

export type Moment =
  | { readonly kind: 'newest' }
  | { readonly kind: 'point'; readonly pointId: string }
  | { readonly kind: 'time'; readonly atMs: number }
  | { readonly kind: 'transaction'; readonly id: string }
  | { readonly kind: 'position'; readonly position: string }

/** A way that may lead there. */
export interface Candidate {
  readonly base: DatabasePoint
  /** Its log is read after the base's own; null: the base has all that is needed. */
  readonly later: DatabasePoint | null
}

export interface Way {
  /** Tried in this order: only the engine knows whether the log holds a transaction. */
  readonly candidates: readonly Candidate[]
  readonly target: RecoveryTarget
  /** What is wanted is later than every point: one has to be taken first. */
  readonly needsPoint: boolean
}

/** Between the mark and the freeze more commits come in; clocks of hosts differ a little. */
export const BASE_MARGIN_MS = 1000
/** Each is a start of the engine: whoever does not know when a transaction was says so better. */
export const CANDIDATES_MAX = 16

/** @throws MaasError DATABASE_TARGET_UNREACHABLE, POINT_NOT_AVAILABLE */
export function findWay(points: readonly DatabasePoint[], moment: Moment): Way {
  switch (moment.kind) {
    case 'newest': {
      const base = points.at(-1)
      const candidates = base === undefined ? [] : [{ base, later: null }]
      return { candidates, target: { kind: 'snapshot' }, needsPoint: base === undefined }
    }
    case 'point': {
      const base = points.find(({ id }) => id === moment.pointId)
      if (base === undefined) {
        const { pointId } = moment
        throw new MaasError('POINT_NOT_AVAILABLE', 'the point is not available', { pointId })
      }
      const target = { kind: 'snapshot' } as const
      return { candidates: [{ base, later: null }], target, needsPoint: false }
    }
    case 'time':
      return findTime(points, moment.atMs)
    case 'transaction':
      return findPlace(points, { kind: 'transaction', id: moment.id }, moment.id)
    case 'position':
      return findPlace(points, { kind: 'position', position: moment.position }, moment.position)
  }
}

/** The first moment at which all that the point holds has been committed. */
const settledMs = ({ takenAt, mark }: DatabasePoint): number => Math.max(takenAt, mark.atMs)

function findTime(points: readonly DatabasePoint[], atMs: number): Way {
  const target = { kind: 'time', atMs } as const
  const later = points.find(({ mark }) => mark.atMs > atMs) ?? null
  const safe = points.findLast((point) => settledMs(point) + BASE_MARGIN_MS <= atMs)
  const base = safe ?? points.findLast((point) => settledMs(point) <= atMs)
  if (base === undefined) {
    const oldest = points[0]
    if (oldest === undefined) return { candidates: [], target, needsPoint: true }
    const message = 'the moment is older than the oldest recovery point'
    const details = { at: new Date(atMs).toISOString(), from: timeText(settledMs(oldest)) }
    throw new MaasError('DATABASE_TARGET_UNREACHABLE', message, details)
  }
  return { candidates: [{ base, later }], target, needsPoint: later === null }
}

/** By the engine's own order where its positions tell it; else from the newest point back. */
function findPlace(points: readonly DatabasePoint[], target: RecoveryTarget, wanted: string): Way {
  const known = points.map(({ mark }) => compareReached(mark, wanted))
  const pairs = points.map((base, i): Candidate => ({ base, later: points[i + 1] ?? null }))
  if (points.length > 0 && known.every((reached) => reached !== null)) {
    const first = known.indexOf(true)
    if (first === 0) throw tooOld(wanted)
    // It may have ended between the mark and the freeze of the last point that it is later than:
    // then it is in that one, and behind the one before.
    const end = first === -1 ? points.length : first
    const candidates = pairs.slice(Math.max(0, end - 2), end).toReversed()
    return { candidates, target, needsPoint: first === -1 }
  }
  const [begin, end] = spanOf(points, wanted)
  if (points.length > 0 && end === 0) throw tooOld(wanted)
  const candidates = pairs.slice(begin, end).toReversed().slice(0, CANDIDATES_MAX)
  return { candidates, target, needsPoint: end === points.length }
}

/**
 * Behind which points it may lie, by what their marks tell of the transactions of that moment. It
 * may have ended between the mark and the freeze of the last one that it is later than: then it
 * is in that point, and behind the one before.
 */
function spanOf(points: readonly DatabasePoint[], wanted: string): [number, number] {
  const known = points.map(({ mark }) => compareTransaction(mark, wanted))
  const ended = known.indexOf('ended')
  const begin = Math.max(0, known.lastIndexOf('later') - 1)
  return [begin, ended === -1 ? points.length : ended]
}

/**
 * Whether a point with this mark may have what is wanted, by itself or with what came between the
 * mark and its freeze; null: only a recovery tells.
 */
export function mayHold(
  mark: Pick<DatabaseMark, 'engine' | 'position' | 'detail'>,
  wanted: string,
) {
  const reached = compareReached(mark, wanted)
  if (reached !== null) return reached
  const known = compareTransaction(mark, wanted)
  return known === null ? null : known !== 'later'
}

function tooOld(wanted: string): MaasError {
  const message = 'the transaction is older than the oldest recovery point'
  return new MaasError('DATABASE_TARGET_UNREACHABLE', message, { wanted })
}

const timeText = (ms: number): string => new Date(ms).toISOString()

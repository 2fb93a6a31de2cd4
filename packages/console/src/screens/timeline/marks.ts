/** Points and gaps as they are drawn: where, how many, how well. */
import type { Job } from '@openmaas/api/resources/job'
import type { Point } from '@openmaas/api/resources/point'
import { positionIn, type Span } from './span.ts'

/** From the worst to the best: a day or a mark shows its worst. */
export const CONDITIONS = ['missing', 'warning', 'plain', 'verified'] as const
export type Condition = (typeof CONDITIONS)[number]

export function conditionOf(
  point: Pick<Point, 'state' | 'warningCount' | 'verifiedAt'>,
): Condition {
  if (point.state !== 'available') return 'missing'
  if (point.warningCount > 0) return 'warning'
  return point.verifiedAt === null ? 'plain' : 'verified'
}

export function worstOf(conditions: readonly Condition[]): Condition {
  return CONDITIONS.find((condition) => conditions.includes(condition)) ?? 'plain'
}

/** More marks on one line than these cannot be told apart, nor hit. */
export const SLOT_COUNT = 60

export interface Mark {
  /** 0 to 1. */
  readonly position: number
  /** Newest first. */
  readonly points: readonly Point[]
  readonly condition: Condition
}

/** Points that would lie over each other are one mark. @param points newest first */
export function marksOf(points: readonly Point[], span: Span): Mark[] {
  const slots = Map.groupBy(points, ({ takenAt }) => {
    return Math.floor(positionIn(span, new Date(takenAt)) * SLOT_COUNT)
  })
  return [...slots]
    .filter(([slot]) => slot >= 0 && slot < SLOT_COUNT)
    .toSorted(([a], [b]) => a - b)
    .map(([, own]) => ({
      position: positionIn(span, new Date(own[0]!.takenAt)),
      points: own,
      condition: worstOf(own.map(conditionOf)),
    }))
}

export interface Gap {
  readonly from: Date
  readonly until: Date
  /** Runs that gave no point, newest first. */
  readonly runs: readonly Pick<Job, 'id' | 'state' | 'problem' | 'endedAt' | 'queuedAt'>[]
}

type Run = Gap['runs'][number]

const runAt = ({ endedAt, queuedAt }: Run): number => Date.parse(endedAt ?? queuedAt)

/**
 * Where runs were begun and gave nothing: from the point before to the point after, or now. Space
 * between old points is no gap: the retention thins them, and that was promised.
 *
 * @param frame.since when the source was made: before, nothing was missing
 */
export function gapsOf(
  points: readonly Pick<Point, 'takenAt'>[],
  runs: readonly Run[],
  frame: { readonly span: Span; readonly since: Date; readonly now: Date },
): Gap[] {
  const { span, since, now } = frame
  const end = Math.min(now.getTime(), span.until.getTime())
  const taken = points.map(({ takenAt }) => Date.parse(takenAt)).toSorted((a, b) => a - b)
  const begin = Math.max(span.from.getTime(), since.getTime())
  const edges = [begin, ...taken.filter((at) => at > begin), end]
  return edges.slice(1).flatMap((until, index) => {
    const from = edges[index]!
    const own = runs.filter((run) => runAt(run) > from && runAt(run) <= until)
    return own.length === 0 ? [] : [{ from: new Date(from), until: new Date(until), runs: own }]
  })
}

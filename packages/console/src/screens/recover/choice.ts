/** What the Recover flow proposes: sources that match, where to look for files, which point. */
import type { Point } from '@openmaas/api/resources/point'
import { isDatabaseKind, type Source } from '@openmaas/api/resources/source'

/** More would not be read. */
export const SOURCES_SHOWN_MAX = 12
/** A search reads every directory of every point, and the API has one for a source at a time. */
export const SOURCES_SEARCHED_MAX = 8
/** Shorter names are in every file. */
export const PATTERN_LENGTH_MIN = 2

export function matchingSources(sources: readonly Source[], typed: string): Source[] {
  const wanted = typed.trim().toLowerCase()
  return sources.filter(({ name, path }) => {
    return name.toLowerCase().includes(wanted) || path.toLowerCase().includes(wanted)
  })
}

/** Those with files, captured last first. */
export function searchedSources(sources: readonly Source[]): Source[] {
  return sources
    .filter(({ kind, lastPointId }) => kind === 'files' && lastPointId !== null)
    .toSorted((a, b) => (b.lastSuccessAt ?? '').localeCompare(a.lastSuccessAt ?? ''))
    .slice(0, SOURCES_SEARCHED_MAX)
}

type Candidate = Pick<Point, 'id' | 'takenAt' | 'verifiedAt'>

/** The newest verified point, else the newest. @param points newest first */
export function proposedPoint<P extends Candidate>(points: readonly P[]): P | undefined {
  return points.find(({ verifiedAt }) => verifiedAt !== null) ?? points[0]
}

export type Way = 'database' | 'mount' | 'restore' | 'elsewhere' | 'download'

/** What can be done with a point of this kind, whoever asks. */
export function waysOf(point: Pick<Point, 'kind'>, kind: Source['kind']): Way[] {
  if (isDatabaseKind(kind)) return ['database', 'mount']
  return point.kind === 'tree'
    ? ['mount', 'restore', 'elsewhere', 'download']
    : ['mount', 'elsewhere']
}

/** Recovery points as people name them: by id, by a part of it, by `latest`, by time. */
import { MaasError } from '@openmaas/kernel/errors'
import type { SnapshotManifest, SnapshotRow } from '@openmaas/pool/pool/types'
import { formatLocal } from '../format/time.ts'
import { parseWhen } from '../format/when.ts'

export interface Point {
  readonly row: SnapshotRow
  readonly manifest: SnapshotManifest
}

/** Shown of an id: its random end, unique in practice, and lengthened where it is not. */
const SHORT_ID_LENGTH = 6
/** A part of an id shorter than this is more likely a typing error. */
const PART_LENGTH_MIN = 3
/** Named in an error message. */
const CANDIDATES_SHOWN_MAX = 5

const PREFIX = 'snp_'

/** Short ids for display: as long as needed to be unique among these. */
export function shortIds(ids: readonly string[]): (id: string) => string {
  for (let length = SHORT_ID_LENGTH; length < 26; length += 1) {
    const short = (id: string): string => id.slice(-length)
    if (new Set(ids.map((id) => short(id))).size === ids.length) return short
  }
  return (id) => id
}

/**
 * Finds the one point meant.
 *
 * @param points newest first
 * @param text a full id; a unique beginning or end of one; `latest`; `latest:NAME`; a time
 * @throws MaasError SNAPSHOT_NOT_FOUND, SNAPSHOT_AMBIGUOUS
 */
export function resolvePoint(points: readonly Point[], text: string, nowMs: number): Point {
  const notFound = (message: string): MaasError =>
    new MaasError('SNAPSHOT_NOT_FOUND', message, { point: text })
  if (points.length === 0) throw notFound('the pool has no recovery points yet')
  if (text === 'latest') return points[0]!
  if (text.startsWith('latest:')) {
    const name = text.slice('latest:'.length)
    const found = points.find((point) => point.manifest.source.name === name)
    if (found === undefined) throw notFound(`there is no point of the name "${name}"`)
    return found
  }
  const at = parseWhen(text, nowMs)
  if (at !== undefined) {
    const found = points.find((point) => point.row.createdAt.getTime() <= at.getTime())
    if (found === undefined) throw notFound(`there is no point as old as ${formatLocal(at)}`)
    return found
  }
  const found = matchId(points, text)
  if (found.length === 0) throw notFound(`there is no point "${text}"`)
  if (found.length > 1) {
    const shown = found.slice(0, CANDIDATES_SHOWN_MAX).map((point) => point.row.id)
    throw new MaasError('SNAPSHOT_AMBIGUOUS', `"${text}" names ${found.length} points`, {
      point: text,
      candidates: shown,
    })
  }
  return found[0]!
}

function matchId(points: readonly Point[], text: string): readonly Point[] {
  const part = text.toUpperCase().replace(/^SNP_/, '')
  if (part.length < PART_LENGTH_MIN) return []
  // The random end is what we show, so it goes before the beginning, which is a time.
  const byEnd = points.filter((point) => point.row.id.endsWith(part))
  if (byEnd.length > 0) return byEnd
  return points.filter((point) => point.row.id.startsWith(PREFIX + part))
}

/**
 * log/: the write-ahead log of the volume, for recovery to any moment between two points.
 *
 *   000000010000000000000003           a whole segment: a hard link to pg_wal's
 *   000000010000000000000004.partial   the one that is being received, linked at each mark
 *   00000002.history                   where a timeline left its parent
 *
 * Whole segments come by the standby's archiver (standby.ts). What pg_basebackup brought along is
 * never archived, since it marks it as done: a mark links that as well.
 */
import {
  chownSync,
  closeSync,
  copyFileSync,
  existsSync,
  fdatasyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { join } from 'node:path'
import { syncDirectory, volumeLayout } from '@openmaas/source-kit/layout'
import type { LogBudget } from '@openmaas/source-kit/log-budget'
import { parseSegmentName, type Segment, segmentName } from './lsn.ts'
import type { Place } from './place.ts'
import { type Mark, type PostgresState, saveState } from './state.ts'

/** The newest points that log/ always reaches back to, however full the volume. */
export const POINTS_MIN = 2
/** What is being received, and the one before it: a cut leaves them. */
const SEGMENTS_LEFT = 2

export interface Range {
  /** Older ones are needed no more. */
  readonly oldest: string
  /** The one that is being received. */
  readonly current: Segment
}

/** Links what pg_wal has and log/ has not. */
export function linkLog(place: Place, { oldest, current }: Range, segmentSize: bigint): void {
  const wal = join(place.layout.data, 'pg_wal')
  const log = place.layout.log
  const newest = segmentName(current, segmentSize)
  const present = new Set(readdirSync(log))
  for (const name of readdirSync(wal)) {
    const isHistory = name.endsWith('.history')
    const segment = isHistory ? null : parseSegmentName(name, segmentSize)
    if (!isHistory && (segment === null || name.includes('.'))) continue
    if (segment !== null && order(name) < order(oldest)) continue
    // One beyond the current segment was made ahead of time, and holds nothing yet.
    if (segment !== null && segment.number > current.number) continue
    // A server that was killed had perhaps written, and read again, what it had not yet flushed.
    if (name === newest) {
      syncFile(join(wal, name))
      linkAnew(join(wal, name), join(log, `${name}.partial`))
    } else if (!present.has(name)) {
      linkIfThere(join(wal, name), join(log, name))
    }
  }
  for (const name of present) {
    // The whole segment is there: what was linked of it before says nothing more.
    const whole = name.replace(/\.partial$/, '')
    if (whole !== name && existsSync(join(log, whole))) rmSync(join(log, name), { force: true })
  }
  syncDirectory(log)
}

function syncFile(path: string): void {
  const file = openSync(path, 'r+')
  try {
    fdatasyncSync(file)
  } finally {
    closeSync(file)
  }
}

/** The archiver or a restartpoint of the standby may be quicker with either name. */
function linkIfThere(from: string, to: string): void {
  try {
    linkSync(from, to)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'EEXIST' && code !== 'ENOENT') throw error
  }
}

function linkAnew(from: string, to: string): void {
  const [one, other] = [from, to].map((path) => statSync(path, { throwIfNoEntry: false })?.ino)
  if (one !== undefined && one === other) return
  rmSync(to, { force: true })
  linkIfThere(from, to)
}

/**
 * Removes segments that are older than the oldest mark which is kept.
 *
 * @param marks  oldest first
 * @param budget  of log/ in bytes: beyond it only the newest points keep theirs
 * @returns the marks that log/ still reaches back to, and the bytes that were removed
 */
export function pruneLog(
  place: Place,
  marks: readonly Mark[],
  budget: number,
): { readonly marks: readonly Mark[]; readonly prunedBytes: number } {
  const files = listSegments(place)
  let total = sizeOf(files)
  let kept = marks
  let prunedBytes = 0
  while (files.length > 0 && kept.length > 0) {
    const file = files[0]!
    if (order(file.name) < order(kept[0]!.segment)) {
      rmSync(join(place.layout.log, file.name), { force: true })
      files.shift()
      total -= file.size
      prunedBytes += file.size
    } else {
      if (total <= budget || kept.length <= POINTS_MIN) break
      kept = kept.slice(1)
    }
  }
  return { marks: kept, prunedBytes }
}

interface SegmentFile {
  readonly name: string
  readonly size: number
}

/** The oldest first. */
function listSegments(place: Place): SegmentFile[] {
  return readdirSync(place.layout.log)
    .filter((name) => !name.endsWith('.history'))
    .flatMap((name) => {
      // The archiver may be linking one this moment.
      const size = statSync(join(place.layout.log, name), { throwIfNoEntry: false })?.size
      return size === undefined ? [] : [{ name, size }]
    })
    .toSorted((a, b) => compare(order(a.name), order(b.name)))
}

const sizeOf = (files: readonly SegmentFile[]): number =>
  files.reduce((sum, file) => sum + file.size, 0)

/**
 * While no point is taken, too: log/ stays within its part of the volume. First as a mark would
 * prune it; when even the newest points need more than `openBytes`, all of it goes, since a
 * recovery from them needs every segment or none. What the standby itself needs is in pg_wal.
 *
 * @returns true when it was cut: nothing after the newest point can be recovered until the next
 */
export function boundLog(place: Place, state: PostgresState, budget: LogBudget): boolean {
  if (sizeOf(listSegments(place)) <= budget.markedBytes) return false
  const { marks } = pruneLog(place, state.marks, budget.markedBytes)
  const files = listSegments(place)
  const isCut = sizeOf(files) > budget.openBytes
  for (const { name } of isCut ? files.slice(0, -SEGMENTS_LEFT) : []) {
    rmSync(join(place.layout.log, name), { force: true })
  }
  const kept = isCut ? { marks: [], logCutAtMs: Date.now() } : { marks: [...marks] }
  if (isCut || marks.length < state.marks.length) saveState(place.layout, { ...state, ...kept })
  return isCut
}

/**
 * Copies what the server's user could not read where it is: a later point is mounted read-only,
 * and was perhaps written on a host where that user has another number.
 */
export function borrowLog(place: Place, roots: readonly string[]): void {
  const { user, layout } = place
  if (user === null) return
  for (const root of roots) {
    const log = volumeLayout(root, place.id).log
    if (statSync(log).uid === user.uid) continue
    for (const name of readdirSync(log)) {
      const target = join(layout.log, name)
      const isPartial = name.endsWith('.partial')
      // A later point has received more of a segment than an earlier one.
      if (existsSync(target) && !isPartial) continue
      copyFileSync(join(log, name), `${target}.new`)
      chownSync(`${target}.new`, user.uid, user.gid)
      renameSync(`${target}.new`, target)
    }
  }
}

/** Segments in the order of the log: the timeline, which grows with it, does not count. */
function order(name: string): string {
  return name.slice(8, 24)
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

/**
 * Garbage collection by POOL.md section 4: epochs and pins, no clocks, no heuristics.
 *
 *   mark ─▶ preview, approval ─▶ compact ─▶ condemn turn (synchronous) ─▶ CONDEMN durable
 *        ─▶ grace ─▶ second traversal ─▶ DELETE durable ─▶ unlink ─▶ fsync(directory)
 *
 * Sessions write on while this runs. What keeps it from taking their chunks:
 * - a pack logged after the mark began is not judged by this mark;
 * - packs that open sessions pinned are kept, and so are those of sessions that committed since;
 * - a parent snapshot of an open session is a root, deleted or not.
 * Design: docs/internals/gc.md.
 */
import { MaasError } from '@openmaas/kernel/errors'
import { PackStatus } from '../index/pack-table.ts'
import type { PinSet } from '../index/pin-set.ts'
import { LogType } from '../log/types.ts'
import type { CommitWatcher, OpenSession, PoolCore } from '../pool/core.ts'
import type { PackRow } from '../pool/state.ts'
import { compactPacks } from './compact.ts'
import { deletePacks, isGraceOver } from './delete.ts'
import type { Marks } from './marks.ts'
import { PACKS_PER_RECORD, aborted, checkSignal } from './run.ts'
import type { GcReport, GcRun } from './run.ts'
import { makeMarks, markSnapshot, newestLocation, rootSnapshots } from './traverse.ts'

/** A run that would free more than this share of the bytes needs a second approval. */
export const APPROVAL_SHARE = 0.3
/** So does one that would take a pack younger than this, in pool time. */
export const YOUNG_MS = 24 * 3_600_000
/** Packs of which less than this share is referenced are rewritten. */
const COMPACT_BELOW = 0.5
/** Live bytes moved by one run; the next run goes on. */
const COMPACT_BYTES_MAX = 8 * 2 ** 30
/** Keeps the pins of sessions that commit during the mark: the root set did not have them. */
class LatePins implements CommitWatcher {
  readonly #pins: PinSet[] = []

  sessionCommitted(session: OpenSession): void {
    this.#pins.push(session.pins)
  }

  has(packNo: number): boolean {
    return this.#pins.some((pins) => pins.has(packNo))
  }
}

/**
 * @throws MaasError GC_ABORTED when anything could not be read (nothing is deleted then),
 *   GC_NEEDS_APPROVAL, POOL_TIME_FROZEN, POOL_BUSY when one runs already, CANCELLED
 */
export async function collectGarbage(run: GcRun): Promise<GcReport> {
  const { core, options } = run
  if (core.collecting) throw new MaasError('POOL_BUSY', 'a garbage collection is running already')
  core.collecting = true
  const late = new LatePins()
  // From this turn on, commits are watched; what was committed before is a root of the mark.
  core.watchers.add(late)
  try {
    core.time.requireRunning()
    const markSequence = core.state.sequence
    const marks = await markAll(run)
    const preview = makePreview(run, marks, markSequence)
    if (options.dryRun === true) return preview.report
    if (preview.report.needsApproval.length > 0 && options.approve !== true) {
      throw needsApproval(preview.report)
    }
    const compacted = await compactPacks(run, preview.sparse, marks)
    const input = { marks, markSequence, late, compacted: compacted.packs }
    const condemned = await condemn(run, input).finally(() => compacted.session?.abort())
    const deleted = await deletePacks(run)
    const waiting = core.state.condemnedPacks().filter((pack) => !isGraceOver(run, pack))
    return {
      ...preview.report,
      condemnedPacks: condemned,
      copiedBytes: compacted.copiedBytes,
      deletedPacks: deleted.length,
      deletedBytes: deleted.reduce((sum, pack) => sum + pack.size, 0),
      waitingPacks: waiting.length,
    }
  } finally {
    core.watchers.delete(late)
    core.collecting = false
  }
}

/** Rule: any error ends the collection. */
async function markAll(run: GcRun): Promise<Marks> {
  const { core, reader } = run
  const marks = makeMarks(core)
  const roots = rootSnapshots(core)
  const locate = newestLocation(core, marks)
  for (const [done, row] of roots.entries()) {
    run.onProgress({ phase: 'mark', done, total: roots.length })
    await core.deps.yieldTurn()
    checkSignal(run.signal)
    try {
      markSnapshot({ core, reader, marks, locate }, row)
    } catch (cause) {
      throw aborted(row.id, cause)
    }
  }
  return marks
}

interface Preview {
  readonly sparse: PackRow[]
  readonly report: GcReport
}

function makePreview({ core, options }: GcRun, marks: Marks, markSequence: number): Preview {
  const judged = core.state.livePacks().filter((pack) => pack.sequence <= markSequence)
  const garbage = judged.filter((pack) => !marks.hasPack(pack.packNo) && !isPinned(core, pack))
  const now = core.time.now()
  const isYoung = (pack: PackRow): boolean => now - pack.at < YOUNG_MS
  const sparse = judged.filter((pack) => {
    if (isYoung(pack) && options.approve !== true) return false
    return (
      marks.hasPack(pack.packNo) && isSparse(pack, marks, options.compactBelow ?? COMPACT_BELOW)
    )
  })
  const garbageBytes = sumSizes(garbage)
  const sparseBytes = sparse.reduce(
    (sum, { packNo, size }) => sum + size - marks.liveBytes(packNo),
    0,
  )
  const totalBytes = sumSizes(judged) + sumSizes(core.state.condemnedPacks())
  const needs: string[] = []
  if (garbageBytes + sparseBytes > totalBytes * APPROVAL_SHARE) needs.push('share')
  if (garbage.some(isYoung)) needs.push('young')
  const report: GcReport = {
    snapshots: core.state.snapshots.size,
    chunksMarked: marks.count,
    garbagePacks: garbage.length,
    garbageBytes,
    sparsePacks: sparse.length,
    sparseBytes,
    needsApproval: needs,
    condemnedPacks: 0,
    copiedBytes: 0,
    deletedPacks: 0,
    deletedBytes: 0,
    waitingPacks: core.state.condemnedPacks().length,
  }
  return { sparse: limitBytes(sparse, marks, options.compactBytesMax ?? COMPACT_BYTES_MAX), report }
}

/** Some record is garbage, and the live ones fill less than that share of the file. */
function isSparse(pack: PackRow, marks: Marks, share: number): boolean {
  if (marks.liveRecords(pack.packNo) === pack.recordCount) return false
  return share >= 1 || marks.liveBytes(pack.packNo) < pack.size * share
}

function limitBytes(packs: PackRow[], marks: Marks, bytesMax: number): PackRow[] {
  const cheapest = packs.toSorted(
    (a, b) => marks.liveBytes(a.packNo) - marks.liveBytes(b.packNo) || a.packNo - b.packNo,
  )
  let bytes = 0
  return cheapest.filter((pack) => {
    bytes += marks.liveBytes(pack.packNo)
    return bytes <= bytesMax
  })
}

interface CondemnInput {
  readonly marks: Marks
  readonly markSequence: number
  readonly late: LatePins
  readonly compacted: ReadonlySet<number>
}

async function condemn(run: GcRun, input: CondemnInput): Promise<number> {
  const { core } = run
  await core.deps.yieldTurn()
  const { garbage, superseded } = chooseCandidates(core, input)
  const at = core.time.now()
  const appends: Promise<unknown>[] = []
  for (const [candidates, held] of [
    [garbage, {}],
    [superseded, { superseded: true }],
  ] as const) {
    for (let i = 0; i < candidates.length; i += PACKS_PER_RECORD) {
      const body = { packs: candidates.slice(i, i + PACKS_PER_RECORD), at, ...held }
      appends.push(core.append({ type: LogType.condemn, body }))
    }
  }
  await Promise.all(appends)
  return garbage.length + superseded.length
}

interface Candidates {
  /** Hold nothing that any root refers to. */
  readonly garbage: number[]
  /** Hold chunks that lie in a newer pack too; a reader may still look for them here. */
  readonly superseded: number[]
}

/** The condemn turn: no `await` in here. The packs it names are hidden from look-ups already. */
function chooseCandidates(core: PoolCore, input: CondemnInput): Candidates {
  const { marks, markSequence, late, compacted } = input
  const candidates: Candidates = { garbage: [], superseded: [] }
  for (const pack of core.state.livePacks()) {
    const { packNo } = pack
    if (pack.sequence > markSequence) continue // Newer than the mark: not judged by it.
    if (marks.hasPack(packNo) && !compacted.has(packNo)) continue
    // Dekker's rule, see PinSet: hide the pack first, look at the pins after.
    const before = core.packs.status(packNo)
    core.packs.setStatus(packNo, PackStatus.condemned)
    const pinned = isPinned(core, pack)
    // Rule: the re-scan. Sessions that committed since the mark began are not among its roots;
    // all they refer to is in packs they pinned, or below a parent that was a root.
    const committedSince = late.has(packNo)
    if (pinned || committedSince) {
      core.packs.setStatus(packNo, before === PackStatus.lost ? PackStatus.lost : PackStatus.live)
      continue
    }
    if (compacted.has(packNo) || marks.isSuperseded(packNo)) candidates.superseded.push(packNo)
    else candidates.garbage.push(packNo)
  }
  return candidates
}

/** Rule: what an open session has pinned is never condemned. */
function isPinned(core: PoolCore, pack: PackRow): boolean {
  for (const session of core.sessions.values()) if (session.pins.has(pack.packNo)) return true
  return false
}

function sumSizes(packs: readonly PackRow[]): number {
  return packs.reduce((sum, { size }) => sum + size, 0)
}

function needsApproval(report: GcReport): MaasError {
  const { garbagePacks, garbageBytes, sparseBytes } = report
  return new MaasError('GC_NEEDS_APPROVAL', 'the run would delete unusually much', {
    garbagePacks,
    garbageBytes,
    sparseBytes,
    reasons: report.needsApproval,
  })
}

/**
 * Moves the live chunks of sparse packs into new packs, by the protocol of every other write: the
 * new packs are durable and logged before the old ones can be condemned.
 */
import { makeSessionId } from '@openmaas/kernel/ids'
import { readPackFooter } from '../pool/pack-records.ts'
import { Session } from '../pool/session.ts'
import type { SessionLane } from '../pool/lane.ts'
import type { PackRow } from '../pool/state.ts'
import { checkSignal } from './run.ts'
import type { GcRun } from './run.ts'
import type { Marks } from './marks.ts'

export interface Compaction {
  /** Packs all of whose referenced chunks lie in a newer live pack now. */
  readonly packs: ReadonlySet<number>
  readonly copiedBytes: number
  /** Holds the new packs until the old ones are condemned; the caller aborts it then. */
  readonly session: Session | undefined
}

/** @throws MaasError RECORD_INVALID, POOL_FULL, FS_*…; nothing was condemned then */
export async function compactPacks(
  run: GcRun,
  packs: readonly PackRow[],
  marks: Marks,
): Promise<Compaction> {
  if (packs.length === 0) return { packs: new Set(), copiedBytes: 0, session: undefined }
  const { core, signal } = run
  const id = makeSessionId(core.deps.clock, core.deps.random)
  // The reserve is for this: on a full disk a collection still has room to work.
  const reserves = run.reserves.map((reserve) => (Number.isFinite(reserve) ? 0 : reserve))
  const session = new Session({ core, id, parent: undefined, reserves })
  try {
    const lane = session.inlineLane()
    for (const [done, pack] of packs.entries()) {
      run.onProgress({ phase: 'compact', done, total: packs.length })
      await core.deps.yieldTurn()
      checkSignal(signal)
      copyLive(run, pack, marks, lane)
    }
    lane.flush()
    await session.settle()
    const copiedBytes = lane.counters.storedBytes
    return { packs: new Set(packs.map(({ packNo }) => packNo)), copiedBytes, session }
  } catch (error) {
    session.abort()
    throw error
  }
}

function copyLive(run: GcRun, pack: PackRow, marks: Marks, lane: SessionLane): void {
  const { core, reader } = run
  const { packNo } = pack
  for (const record of readPackFooter(core.deps.fs, core.brickPaths, pack).records) {
    if (!marks.hasRecord(packNo, record.recordNumber)) continue
    const { chunkId, type } = record
    lane.append(type, chunkId, reader.readAt(chunkId, { ...record, packNo }))
  }
}

/** The end of a condemned pack: grace, second traversal, DELETE, unlink. */
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import { LogType } from '../log/types.ts'
import { packDirectory, packPath } from '../pack/path.ts'
import type { PackRow } from '../pool/state.ts'
import { PackStatus } from '../index/pack-table.ts'
import { PACKS_PER_RECORD, aborted, checkSignal } from './run.ts'
import type { GcRun } from './run.ts'
import { anyLiveLocation, makeMarks, markSnapshot, rootSnapshots } from './traverse.ts'

/**
 * True when nobody can still read the pack: every session and reader that was there before it was
 * condemned has ended, and the delay has passed in pool time. Locks need no look here: a locked
 * snapshot cannot be deleted, and what a live snapshot refers to is not condemned.
 */
export function isGraceOver({ core, options }: GcRun, pack: PackRow): boolean {
  const { condemnedSequence, condemnedAt } = pack
  for (const session of core.sessions.values()) {
    if (session.openedAtSequence < condemnedSequence) return false
  }
  // A pinned snapshot is a root, so a pack without any reference is nothing to its readers; but
  // they may know only the old place of a chunk that was moved.
  if (pack.superseded) {
    for (const pin of core.state.pins.values()) if (pin.sequence < condemnedSequence) return false
  }
  return core.time.now() - condemnedAt >= (options.delayMs ?? 0)
}

/** Deletes what may be deleted. @returns the packs that are gone */
export async function deletePacks(run: GcRun): Promise<PackRow[]> {
  const { core } = run
  const due = core.state.condemnedPacks().filter((pack) => isGraceOver(run, pack))
  if (due.length === 0) return []
  await verifyUnreferenced(run)
  core.time.requireRunning()
  // Pins and sessions that came during the verification are later than the CONDEMN; but one that
  // was waited for must not have come back: the rule is asked again in this turn.
  const dead = due.filter((pack) => isGraceOver(run, pack))
  for (let i = 0; i < dead.length; i += PACKS_PER_RECORD) {
    const part = dead.slice(i, i + PACKS_PER_RECORD)
    const packs = part.map(({ packNo }) => packNo)
    // Rule: no file is removed without a durable DELETE.
    await core.append({ type: LogType.delete, body: { packs, at: core.time.now() } })
    await unlinkPacks(run, part)
  }
  return dead
}

/**
 * A second traversal that follows references only through live packs. A snapshot that needs a
 * condemned one is a bug or a damaged index: the packs come back and the collection stops.
 */
async function verifyUnreferenced(run: GcRun): Promise<void> {
  const { core, reader } = run
  const marks = makeMarks(core)
  const locate = anyLiveLocation(core)
  const roots = rootSnapshots(core)
  for (const [done, row] of roots.entries()) {
    run.onProgress({ phase: 'verify', done, total: roots.length })
    await core.deps.yieldTurn()
    checkSignal(run.signal)
    try {
      markSnapshot({ core, reader, marks, locate }, row)
    } catch (cause) {
      await restoreCondemned(run)
      throw aborted(row.id, cause)
    }
  }
}

async function restoreCondemned({ core }: GcRun): Promise<void> {
  const packs = core.state.condemnedPacks().map(({ packNo }) => packNo)
  for (let i = 0; i < packs.length; i += PACKS_PER_RECORD) {
    const body = { packs: packs.slice(i, i + PACKS_PER_RECORD), at: core.time.now() }
    await core.append({ type: LogType.uncondemn, body })
  }
}

async function unlinkPacks(run: GcRun, packs: readonly PackRow[]): Promise<void> {
  const { core, reader } = run
  const { fs, yieldTurn } = core.deps
  const directories = new Set<string>()
  for (const [done, pack] of packs.entries()) {
    run.onProgress({ phase: 'delete', done, total: packs.length })
    if (core.packs.status(pack.packNo) !== PackStatus.dead) {
      throw new MaasError('INTERNAL', 'a pack to be unlinked is not dead', { packNo: pack.packNo })
    }
    reader.forget(pack.packNo)
    const packId = Buffer.from(pack.packId, 'hex')
    for (const brick of pack.bricks) {
      // A brick that is away keeps its file; the next opening with it removes that.
      if (!Number.isFinite(run.reserves[brick])) continue
      const path = core.brickPaths[brick]!
      try {
        fs.unlink(packPath(path, packId))
      } catch (error) {
        if (!isMaasError(error, 'FS_NOT_FOUND')) throw error // It was lost before: nothing to do.
      }
      directories.add(packDirectory(path, packId))
      await yieldTurn()
    }
  }
  for (const directory of directories) {
    if (fs.stat(directory) !== undefined) fs.syncDirectory(directory)
  }
}

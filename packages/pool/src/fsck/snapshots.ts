/** Whether every snapshot is complete, and which are not, by name. */
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import { SNAPSHOT_VISITORS } from '../gc/visitors.ts'
import { makeMarks } from '../gc/traverse.ts'
import type { Marks } from '../gc/marks.ts'
import { parseManifest } from '../pool/manifest.ts'
import { snapshotRow } from '../pool/snapshot-row.ts'
import type { SnapshotState } from '../pool/state.ts'
import type { AffectedSnapshot, FsckRun } from './report.ts'

export async function checkSnapshots(run: FsckRun): Promise<AffectedSnapshot[]> {
  const affected: AffectedSnapshot[] = []
  const rows = [...run.core.state.snapshots.values()]
  let marks = makeMarks(run.core)
  for (const [done, row] of rows.entries()) {
    run.onProgress({ phase: 'snapshots', done, total: rows.length })
    await run.core.deps.yieldTurn()
    if (run.signal?.aborted === true) throw new MaasError('CANCELLED', 'the check was cancelled')
    const problem = checkSnapshot(run, marks, row)
    if (problem === undefined) continue
    affected.push(problem)
    run.add({ what: 'snapshot', message: `${row.id}: ${problem.message}`, repaired: false })
    // What this one entered and could not finish must be looked at again below the next.
    marks = makeMarks(run.core)
  }
  return affected
}

function checkSnapshot(
  run: FsckRun,
  marks: Marks,
  row: SnapshotState,
): AffectedSnapshot | undefined {
  const { core, reader } = run
  let [name, path] = [row.id, '']
  let missingChunks = 0
  // A missing leaf is counted and the walk goes on; whatever cannot be walked ends it.
  const locate = (id: Buffer) => core.index.view.lookup(id, 0)
  try {
    const manifest = parseManifest(
      reader.read(Buffer.from(row.manifestChunk, 'hex')),
      snapshotRow(row),
    )
    name = manifest.source.name
    path = manifest.source.path
    const visitors = core.tuning.visitors ?? SNAPSHOT_VISITORS
    const { chunkCount } = visitors[row.kind](reader, Buffer.from(row.root, 'hex'), {
      enter: (id) => {
        const location = locate(id)
        if (location === undefined)
          throw new MaasError('CHUNK_MISSING', 'a part of the tree is lost')
        return marks.enter(location)
      },
      leaf: (id) => {
        if (locate(id) === undefined) missingChunks += 1
      },
    })
    if (chunkCount !== row.chunkCount) {
      throw new MaasError('TREE_INVALID', 'it does not hold as many chunks as the log says')
    }
  } catch (error) {
    if (!isMaasError(error)) throw error
    return { id: row.id, name, path, message: error.message, missingChunks: missingChunks + 1 }
  }
  if (missingChunks === 0) return undefined
  const message = `${missingChunks} chunks of its content are lost`
  return { id: row.id, name, path, message, missingChunks }
}

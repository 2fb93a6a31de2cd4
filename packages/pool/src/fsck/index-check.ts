/** The index against the packs: every record of every live pack is found where it lies (I7). */
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import { removeManifest } from '../index/manifest.ts'
import { PackStatus } from '../index/pack-table.ts'
import { readPackFooter } from '../pool/pack-records.ts'
import { indexDirectory } from '../pool/load.ts'
import type { PackRow } from '../pool/state.ts'
import type { FsckRun } from './report.ts'

export async function checkIndex(run: FsckRun): Promise<void> {
  const { core } = run
  const packs = core.state.livePacks()
  let wrong = 0
  for (const [done, pack] of packs.entries()) {
    run.onProgress({ phase: 'index', done, total: packs.length })
    await core.deps.yieldTurn()
    if (run.signal?.aborted === true) throw new MaasError('CANCELLED', 'the check was cancelled')
    if (core.packs.status(pack.packNo) === PackStatus.live) wrong += countWrong(run, pack)
  }
  if (wrong === 0 && !core.index.view.damaged) return
  // A cache: without its manifest the next owner builds it from the packs.
  if (run.repair) {
    core.index.distrust()
    removeManifest(core.deps.fs, indexDirectory(core.brickPaths))
  }
  const message = `${wrong} records are not in the index as they lie in their packs`
  run.add({ what: 'index', message, repaired: run.repair })
}

function countWrong(run: FsckRun, pack: PackRow): number {
  const { core } = run
  const { view } = core.index
  let wrong = 0
  try {
    for (const record of readPackFooter(core.deps.fs, core.brickPaths, pack).records) {
      const found = view.find(record.chunkId, (packNo) => packNo === pack.packNo)
      // The same chunk may stand twice in a pack: then either record will do.
      const same = found?.rawLength === record.rawLength && found.recordNumber < pack.recordCount
      if (!same) wrong += 1
    }
  } catch (error) {
    if (!isMaasError(error)) throw error // The check of the packs has told it.
  }
  return wrong
}

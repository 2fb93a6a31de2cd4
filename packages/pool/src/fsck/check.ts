/**
 * Checks a pool, as its owner: the small files, every copy of every pack, the index, and that
 * every snapshot is complete. With `repair`, bad copies are rewritten from good ones. A repair of
 * a healthy pool changes nothing (I11).
 */
import { checkFiles } from './files.ts'
import { checkIndex } from './index-check.ts'
import { checkPacks } from './packs.ts'
import type { AffectedSnapshot, FsckReport, FsckRun } from './report.ts'
import { checkSnapshots } from './snapshots.ts'

/** @throws MaasError POOL_READ_ONLY, CANCELLED; damage is no error but in the report */
export async function checkPool(run: FsckRun): Promise<FsckReport> {
  const { core } = run
  run.onProgress({ phase: 'files', done: 0, total: 1 })
  let affected: AffectedSnapshot[]
  try {
    checkFiles(run)
    await checkPacks(run)
    await checkIndex(run)
    affected = await checkSnapshots(run)
  } finally {
    run.close()
  }
  return {
    level: run.level,
    snapshots: core.state.snapshots.size,
    packs: core.state.livePacks().length,
    records: run.records,
    bytesRead: run.bytesRead,
    problems: run.problems,
    problemCount: run.problemCount,
    repairedCount: run.repairedCount,
    affected,
    healthy: run.problemCount === run.repairedCount && affected.length === 0,
  }
}

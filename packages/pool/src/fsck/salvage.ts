/**
 * A pack of which no copy is whole: its records that can still be read move to a new pack, and it
 * is condemned, which keeps the file. Chunks that are lost then count as missing, so the next
 * backup that meets them stores them again.
 */
import { makeSessionId } from '@openmaas/kernel/ids'
import { isMaasError } from '@openmaas/kernel/errors'
import { packPath } from '../pack/path.ts'
import { scanPack } from '../pack/scan.ts'
import type { RecordEntry } from '../pack/format.ts'
import { LogType } from '../log/types.ts'
import { Session } from '../pool/session.ts'
import type { PackRow } from '../pool/state.ts'
import { PackStatus } from '../index/pack-table.ts'
import type { FsckRun } from './report.ts'

export async function salvagePack(run: FsckRun, pack: PackRow): Promise<void> {
  const { core } = run
  const records = readableRecords(run, pack)
  const id = makeSessionId(core.deps.clock, core.deps.random)
  const reserves = core.brickPaths.map((_, index) => {
    return run.available.includes(index) ? 0 : Number.POSITIVE_INFINITY
  })
  const session = new Session({ core, id, parent: undefined, reserves })
  try {
    const lane = session.inlineLane()
    for (const { chunkId, type, raw } of records()) lane.append(type, chunkId, raw)
    lane.flush()
    await session.settle()
    core.packs.setStatus(pack.packNo, PackStatus.condemned)
    const body = { packs: [pack.packNo], at: core.time.now(), superseded: true }
    await core.append({ type: LogType.condemn, body })
  } finally {
    session.abort()
  }
}

function readableRecords(run: FsckRun, pack: PackRow) {
  const { core, reader } = run
  const packId = Buffer.from(pack.packId, 'hex')
  return function* (): Generator<RecordEntry & { raw: Buffer }> {
    const seen = new Set<number>()
    for (const brick of pack.bricks) {
      const path = packPath(core.brickPaths[brick]!, packId)
      if (!run.available.includes(brick) || core.deps.fs.stat(path) === undefined) continue
      for (const record of scanPack(core.deps.fs, path).records) {
        if (seen.has(record.recordNumber)) continue
        try {
          const raw = reader.readAt(record.chunkId, { ...record, packNo: pack.packNo })
          seen.add(record.recordNumber)
          yield { ...record, raw }
        } catch (error) {
          // This record is lost in this copy: another may have it, else the report names it.
          if (!isMaasError(error)) throw error
        }
      }
    }
  }
}

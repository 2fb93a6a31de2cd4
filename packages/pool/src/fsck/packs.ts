/**
 * Every copy of every logged pack: footer or all bytes against the log, and repair from a good
 * copy. A bad copy is replaced by a new file; the old one goes to quarantine. Nothing is deleted.
 */
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { PACK_TRAILER_SIZE } from '../pack/format.ts'
import { PackStatus } from '../index/pack-table.ts'
import { LogType } from '../log/types.ts'
import { packDirectory, packPath, packsDirectory } from '../pack/path.ts'
import { readFooter, scanPack } from '../pack/scan.ts'
import type { PackFooter } from '../pack/scan.ts'
import { copyCount } from '../backend/superblock.ts'
import { quarantineFile } from '../pool/recover-files.ts'
import type { PackRow } from '../pool/state.ts'
import type { FsckLevel, FsckRun } from './report.ts'
import { salvagePack } from './salvage.ts'

interface CopyCheck {
  readonly brick: number
  readonly path: string
  readonly error: MaasError | undefined
}

/** @returns ids of packs that no copy of which is whole */
export async function checkPacks(run: FsckRun): Promise<void> {
  const packs = [...run.core.state.packs.values()].filter(({ state }) => state !== 'deleted')
  for (const [done, pack] of packs.entries()) {
    run.onProgress({ phase: 'packs', done, total: packs.length })
    await run.core.deps.yieldTurn()
    if (run.signal?.aborted === true) throw new MaasError('CANCELLED', 'the check was cancelled')
    // Deleted or condemned by a collection meanwhile: the next check sees it.
    const row = run.core.state.packs.get(pack.packNo)!
    if (row.state !== 'deleted') await checkPack(run, row)
  }
}

async function checkPack(run: FsckRun, pack: PackRow): Promise<void> {
  const { core } = run
  let checks = pack.bricks.map((brick) => checkCopy(run, pack, brick, run.level))
  run.records += pack.recordCount
  const wanted = Math.min(
    copyCount(core.superblock.redundancy, core.superblock.brickCount),
    run.available.length,
  )
  if (checks.every(isGood) && checks.length >= wanted) return
  if (run.repair && run.level !== 'data') {
    // Rule: only a copy that was read whole may take the place of another.
    checks = checks.map((check) => {
      return isGood(check) ? checkCopy(run, pack, check.brick, 'data') : check
    })
  }
  const good = checks.filter(isGood)
  const bad = checks.filter((check) => !isGood(check))
  if (good.length === 0) {
    await reportLost(run, pack, bad)
    return
  }
  const source = good[0]!.path
  for (const copy of bad) {
    const repaired = run.repair && run.available.includes(copy.brick)
    if (repaired) replaceCopy(run, pack, copy.brick, source)
    run.add(describe(pack, copy, repaired))
  }
  // A pack that a collection has just hidden must stay hidden: only a lost one comes back.
  const isLost = core.packs.status(pack.packNo) === PackStatus.lost
  if (run.repair && isLost) core.packs.setStatus(pack.packNo, statusOf(pack))
  // A bad copy is counted already, whether it was repaired or not.
  if (pack.bricks.length < wanted) await addCopies(run, pack, source, wanted)
}

const isGood = ({ error }: CopyCheck): boolean => error === undefined

function checkCopy(run: FsckRun, pack: PackRow, brick: number, level: FsckLevel): CopyCheck {
  const path = packPath(run.core.brickPaths[brick]!, Buffer.from(pack.packId, 'hex'))
  if (!run.available.includes(brick)) {
    return { brick, path, error: new MaasError('POOL_BRICK_MISSING', 'its brick is missing') }
  }
  try {
    const footer = level === 'data' ? readAll(run, pack, path) : readFooter(run.core.deps.fs, path)
    compareFooter(footer, pack, path)
    if (level === 'data') openRecords(run, pack, { brick, footer })
    return { brick, path, error: undefined }
  } catch (error) {
    // This is what the check is for: it goes into the report. Too many open files is no damage.
    if (!isMaasError(error) || error.code === 'FS_LIMIT') throw error
    return { brick, path, error }
  }
}

/** @throws MaasError PACK_INVALID when any byte differs from what was written */
function readAll(run: FsckRun, pack: PackRow, path: string): PackFooter {
  const scan = scanPack(run.core.deps.fs, path, run.scratch(pack.size))
  run.bytesRead += scan.size
  const [first] = scan.damaged
  if (scan.whole && scan.footer !== undefined && scan.hash.toString('hex') === pack.hash) {
    return scan.footer
  }
  throw new MaasError('PACK_INVALID', `a pack is damaged: ${first?.what ?? 'hash'}`, {
    path,
    offset: first?.offset ?? pack.size - PACK_TRAILER_SIZE,
  })
}

function compareFooter(footer: PackFooter, pack: PackRow, path: string): void {
  const same =
    footer.header.packId.toString('hex') === pack.packId &&
    footer.trailer.hash.toString('hex') === pack.hash &&
    footer.trailer.count === pack.recordCount &&
    footer.size === pack.size
  if (!same)
    throw new MaasError('PACK_INVALID', 'the pack is not the one that the log names', { path })
}

/** Decrypts, decompresses and hashes every record of one copy. */
function openRecords(
  run: FsckRun,
  pack: PackRow,
  { brick, footer }: { brick: number; footer: PackFooter },
): void {
  const { core } = run
  const copies = { packId: Buffer.from(pack.packId, 'hex'), bricks: [core.brickPaths[brick]!] }
  try {
    for (const record of footer.records) run.copyReader.read({ ...record, pack: copies })
  } finally {
    run.copyReader.forget(copies)
  }
}

async function reportLost(run: FsckRun, pack: PackRow, bad: readonly CopyCheck[]): Promise<void> {
  for (const copy of bad) run.add(describe(pack, copy, false))
  const isAway = pack.bricks.some((brick) => !run.available.includes(brick))
  // What can still be read moves to a new pack, so that only the rest has to be backed up again;
  // but a copy on a brick that is away may be whole, and the brick may come back.
  if (run.repair && pack.state === 'live' && !isAway) await salvagePack(run, pack)
  else run.core.packs.setStatus(pack.packNo, PackStatus.lost)
}

function describe(pack: PackRow, copy: CopyCheck, repaired: boolean) {
  const isMissing =
    isMaasError(copy.error, 'FS_NOT_FOUND') || isMaasError(copy.error, 'POOL_BRICK_MISSING')
  return {
    what: isMissing ? ('pack-missing' as const) : ('pack-damaged' as const),
    message: copy.error?.message ?? '',
    path: copy.path,
    packId: pack.packId,
    repaired,
  }
}

function statusOf(pack: PackRow): typeof PackStatus.live | typeof PackStatus.condemned {
  return pack.state === 'condemned' ? PackStatus.condemned : PackStatus.live
}

function replaceCopy(run: FsckRun, pack: PackRow, brick: number, source: string): void {
  const { core } = run
  const { fs } = core.deps
  const root = core.brickPaths[brick]!
  const packId = Buffer.from(pack.packId, 'hex')
  const directory = packDirectory(root, packId)
  const temporary = `${root}/tmp/${pack.packId}`
  copyFile(fs, source, temporary)
  fs.makeDirectory(directory)
  if (fs.stat(packPath(root, packId)) !== undefined) {
    quarantineFile(fs, { root, directory, name: pack.packId, now: core.time.now() })
  }
  fs.rename(temporary, packPath(root, packId))
  fs.syncDirectory(directory)
  fs.syncDirectory(packsDirectory(root))
  run.reader.forget(pack.packNo)
}

/** Puts copies on further bricks, and says so in the log. */
async function addCopies(
  run: FsckRun,
  pack: PackRow,
  source: string,
  wanted: number,
): Promise<void> {
  const path = source
  const spare = run.available.filter((brick) => !pack.bricks.includes(brick))
  const added = run.repair ? spare.slice(0, wanted - pack.bricks.length) : []
  for (const brick of added) replaceCopy(run, pack, brick, source)
  const bricks = [...pack.bricks, ...added]
  if (added.length > 0) {
    await run.core.append({ type: LogType.repair, body: { packNo: pack.packNo, bricks } })
  }
  const message = `it has ${pack.bricks.length} of ${wanted} copies`
  const repaired = bricks.length >= wanted
  run.add({ what: 'pack-copies', message, path, packId: pack.packId, repaired })
}

function copyFile(fs: Fs, source: string, target: string): void {
  const from = fs.open(source, 'read')
  try {
    const bytes = Buffer.alloc(fs.size(from))
    if (fs.read(from, bytes, 0) < bytes.length) {
      throw new MaasError('PACK_INVALID', 'a pack became shorter while it was copied', {
        path: source,
      })
    }
    if (fs.stat(target) !== undefined) fs.unlink(target)
    const to = fs.open(target, 'create')
    try {
      fs.write(to, bytes, 0)
      fs.dataSync(to)
    } finally {
      fs.close(to)
    }
  } finally {
    fs.close(from)
  }
}

/** The small files of the pool: superblocks, key slots, and what opening found in log and index. */
import { isMaasError } from '@openmaas/kernel/errors'
import { loadSuperblockFile, saveSuperblock, superblockFiles } from '../backend/superblock.ts'
import type { Superblock } from '../backend/superblock.ts'
import { canonicalJson } from '../keys/canonical-json.ts'
import type { Json } from '../keys/canonical-json.ts'
import { loadKeySlots, saveKeySlot } from '../keys/key-slot-store.ts'
import { logDirectories, readMirror } from '../log/mirrors.ts'
import { RecordCodec } from '../log/record.ts'
import { recoverLog } from '../log/recovery.ts'
import type { FsckRun } from './report.ts'

export function checkFiles(run: FsckRun): void {
  checkSuperblocks(run)
  checkKeySlots(run)
  checkOpening(run)
  checkLog(run)
}

function checkSuperblocks(run: FsckRun): void {
  const { core } = run
  const { fs } = core.deps
  for (const [brickIndex, brick] of core.brickPaths.entries()) {
    const { brickId } = core.superblock.bricks[brickIndex]!
    const expected = { ...core.superblock, brickIndex, brickId }
    for (const path of superblockFiles(brick)) {
      const message = superblockProblem(run, path, expected)
      if (message === undefined) continue
      const repaired = run.repair && run.available.includes(brickIndex)
      if (repaired) saveSuperblock(fs, brick, expected)
      run.add({ what: 'superblock', message, path, repaired })
    }
  }
}

function superblockProblem(run: FsckRun, path: string, expected: Superblock): string | undefined {
  try {
    const found = canonicalJson(loadSuperblockFile(run.core.deps.fs, path) as unknown as Json)
    const same = found === canonicalJson(expected as unknown as Json)
    return same ? undefined : 'it differs from the others'
  } catch (error) {
    if (!isMaasError(error)) throw error
    return error.message
  }
}

function checkKeySlots(run: FsckRun): void {
  const { core } = run
  const { fs } = core.deps
  const bricks = run.available.map((index) => core.brickPaths[index]!)
  const { slots } = loadKeySlots(fs, bricks)
  const good = new Set(slots.map(({ slot }) => slot))
  for (const brick of bricks) {
    const here = loadKeySlots(fs, [brick])
    const names = new Set(here.slots.map(({ slot }) => slot))
    for (const { slot } of slots.filter((each) => !names.has(each.slot))) {
      const path = `${brick}/keys/${slot}.json`
      run.add({ what: 'key-slot', message: 'missing or damaged', path, repaired: run.repair })
    }
    for (const { path, error } of here.problems) {
      const slot = path.slice(path.lastIndexOf('/') + 1).replace(/\.json(?:\.copy)?$/, '')
      if (good.has(slot) && !names.has(slot)) continue // Told above: another brick has it.
      const repaired = run.repair && good.has(slot)
      run.add({ what: 'key-slot', message: error.message, path, repaired })
    }
    if (!run.repair) continue
    const damaged = here.problems.map(({ path }) => path)
    for (const keySlot of slots) {
      const whole =
        names.has(keySlot.slot) && !damaged.some((path) => path.includes(`/${keySlot.slot}.json`))
      if (!whole) saveKeySlot(fs, [brick], keySlot)
    }
  }
}

/** Opening for writing has put right what it could: it is told here. */
function checkOpening(run: FsckRun): void {
  for (const path of run.core.opening.damagedMirrors) {
    const message = 'a mirror was damaged; it was written again from another when the pool opened'
    run.add({ what: 'log', message, path, repaired: true })
  }
  if (run.core.index.rebuilt) {
    const message = 'the index was damaged; it was built again when the pool opened'
    run.add({ what: 'index', message, repaired: true })
  }
}

/** The mirrors as they are on disk now, against what the owner has in memory. */
function checkLog(run: FsckRun): void {
  const { core } = run
  const directories = logDirectories(core.brickPaths)
  const there = directories.filter((_, index) => {
    return core.brickPaths.length === 1 || run.available.includes(index)
  })
  const mirrors = there.map((directory) => readMirror(core.deps.fs, directory))
  const recovery = recoverLog(new RecordCodec(core.keys.logMacKey), mirrors)
  // Behind what is applied a batch may be under way: on one mirror already, not yet on the other.
  const length = recovery.records
    .slice(0, core.state.sequence)
    .reduce((sum, record) => sum + record.length, 0)
  const applied = recovery.bytes.subarray(0, length)
  for (const [index, mirror] of mirrors.entries()) {
    if (mirror?.subarray(0, length).equals(applied) === true) continue
    run.add({
      what: 'log',
      message: 'a mirror is damaged; open the pool again',
      path: there[index]!,
      repaired: false,
    })
  }
  if (recovery.records.length < core.state.sequence) {
    const message = 'every mirror lacks records that were written'
    run.add({ what: 'log', message, repaired: false })
  }
}

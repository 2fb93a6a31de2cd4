/**
 * Makes the files agree with the log after an owner has ended, however it ended (POOL.md,
 * section 5): deletions are carried out again, unlogged packs go to quarantine, logged ones are
 * looked for. Nothing that the log names is ever touched here.
 */
import type { Fs } from '@openmaas/kernel/fs'
import { packPath, parsePackName } from '../pack/path.ts'
import type { PackRow, PoolState } from './state.ts'

/** Pool time an unlogged file waits in quarantine. */
export const QUARANTINE_MS = 24 * 3_600_000

export interface RecoveredFiles {
  /** Logged packs that no brick holds in full size. */
  readonly missing: readonly number[]
  /** Logged packs that lack a copy on some brick, but not on all. */
  readonly incomplete: readonly number[]
  readonly quarantined: number
  readonly unlinked: number
}

export interface RecoverFilesOptions {
  readonly fs: Fs
  readonly bricks: readonly string[]
  /** Indexes of bricks that are there. */
  readonly available: readonly number[]
  readonly state: PoolState
  readonly now: number
}

export function recoverFiles(options: RecoverFilesOptions): RecoveredFiles {
  const { fs, bricks, available, state, now } = options
  let quarantined = 0
  let unlinked = 0
  for (const brick of available) {
    const root = bricks[brick]!
    clearDirectory(fs, `${root}/tmp`)
    for (const { directory, name } of packFiles(fs, root)) {
      const packNo = state.packNumbers.get(name)
      const row = packNo === undefined ? undefined : state.packs.get(packNo)
      if (row === undefined) {
        quarantineFile(fs, { root, directory, name, now })
        quarantined += 1
      } else if (row.state === 'deleted') {
        // Its DELETE is durable; the owner ended before it unlinked.
        fs.unlink(`${directory}/${name}`)
        fs.syncDirectory(directory)
        unlinked += 1
      }
    }
    unlinked += emptyQuarantine(fs, root, now)
  }
  return { ...findPacks(options), quarantined, unlinked }
}

/** Every file below packs/ with the name of a pack. */
export function* packFiles(fs: Fs, root: string): Generator<{ directory: string; name: string }> {
  const packs = `${root}/packs`
  if (fs.stat(packs) === undefined) return
  for (const first of fs.readDirectory(packs).toSorted()) {
    if (!/^[0-9a-f]{2}$/.test(first)) continue
    const directory = `${packs}/${first}`
    for (const name of fs.readDirectory(directory).toSorted()) {
      if (parsePackName(name) !== undefined) yield { directory, name }
    }
  }
}

/** Moves a file of unknown standing aside; it is removed by exact name a day later. */
export function quarantineFile(
  fs: Fs,
  file: { root: string; directory: string; name: string; now: number },
): void {
  const { root, directory, name, now } = file
  fs.makeDirectory(`${root}/quarantine`)
  fs.rename(`${directory}/${name}`, `${root}/quarantine/${name}.${now}`)
  fs.syncDirectory(`${root}/quarantine`)
  fs.syncDirectory(directory)
}

function emptyQuarantine(fs: Fs, root: string, now: number): number {
  const directory = `${root}/quarantine`
  if (fs.stat(directory) === undefined) return 0
  let removed = 0
  for (const name of fs.readDirectory(directory).toSorted()) {
    const since = Number(/^[0-9a-f]{32}\.(\d{1,16})$/.exec(name)?.[1])
    // NaN compares false: what we did not name stays.
    if (now - since < QUARANTINE_MS || !(now >= since)) continue
    fs.unlink(`${directory}/${name}`)
    removed += 1
  }
  if (removed > 0) fs.syncDirectory(directory)
  return removed
}

function clearDirectory(fs: Fs, directory: string): void {
  if (fs.stat(directory) === undefined) return
  for (const name of fs.readDirectory(directory)) fs.unlink(`${directory}/${name}`)
}

function findPacks(options: RecoverFilesOptions): { missing: number[]; incomplete: number[] } {
  const missing: number[] = []
  const incomplete: number[] = []
  for (const pack of options.state.packs.values()) {
    if (pack.state === 'deleted') continue
    const copies = pack.bricks.filter((brick) => hasCopy(options, pack, brick)).length
    if (copies === 0) missing.push(pack.packNo)
    else if (copies < pack.bricks.length) incomplete.push(pack.packNo)
  }
  return { missing, incomplete }
}

function hasCopy(options: RecoverFilesOptions, pack: PackRow, brick: number): boolean {
  if (!options.available.includes(brick)) return false
  const path = packPath(options.bricks[brick]!, Buffer.from(pack.packId, 'hex'))
  const stat = options.fs.stat(path)
  return stat?.kind === 'file' && stat.size === pack.size
}

/**
 * The runs of the index: written, loaded, merged, and published in the arena for all threads. The
 * owner's; see shared-index.ts.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { MiB } from '@openmaas/kernel/units'
import { RUN_COUNT_MAX } from './arena.ts'
import type { Arena, RunDirectoryEntry, SegmentAllocator } from './arena.ts'
import { ENTRY_SIZE, ID_SIZE } from './entry.ts'
import { BLOCK_SIZE, FENCE_SIZE, checkBlock } from './run-format.ts'
import { mergeRunFiles } from './run-merge.ts'
import { loadRunTables, openRun } from './run-reader.ts'
import { RunWriter } from './run-writer.ts'
import { runPath } from './view.ts'

/** Runs of about one size that are merged into one. */
export const RUN_FANOUT = 8
/** Runs up to this size together are checked block by block when the index is opened. */
const CHECKED_BYTES_MAX = 64 * MiB

export interface RunSetOptions {
  readonly fs: Fs
  readonly directory: string
  readonly poolIdBytes: Buffer
  readonly arena: Arena
  readonly segments: SegmentAllocator
  /** False for packs whose entries a merge drops. */
  readonly isKept: (packNo: number) => boolean
}

export class RunSet {
  readonly #options: RunSetOptions
  #runs: RunDirectoryEntry[] = []
  #nextRun: number
  /** Runs that a merge reads now. */
  readonly #inMerge = new Set<RunDirectoryEntry>()
  /** True when the runs are not those of the manifest. */
  changed = false

  constructor(options: RunSetOptions) {
    this.#options = options
    this.#nextRun = nextFreeRun(options)
  }

  get count(): number {
    return this.#runs.length
  }

  get entryCount(): number {
    return this.#runs.reduce((sum, run) => sum + run.entryCount, 0)
  }

  get fileNumbers(): number[] {
    return this.#runs.map((run) => run.fileNumber)
  }

  /** Number of the next file. */
  get nextRun(): number {
    return this.#nextRun
  }

  /** Loads what a manifest names. @throws MaasError INDEX_INVALID, FS_*; nothing is loaded then */
  load(fileNumbers: readonly number[], nextRun: number): void {
    const loaded = fileNumbers.map((fileNumber) => this.#loadRun(fileNumber))
    this.#checkBlocks(loaded)
    this.#nextRun = Math.max(this.#nextRun, nextRun)
    this.#publish(loaded)
  }

  /**
   * Writes entries (52 bytes each, in any order) as a run. It counts once `add` is called.
   * @returns undefined when there are none
   */
  write(entries: Buffer): RunDirectoryEntry | undefined {
    if (entries.length === 0) return undefined
    this.#makeRoom()
    const { fs, directory, poolIdBytes } = this.#options
    const fileNumber = this.#takeNumber()
    fs.makeDirectory(directory)
    const path = runPath(directory, fileNumber)
    const entryCountMax = entries.length / ENTRY_SIZE
    const writer = new RunWriter({ fs, path, poolId: poolIdBytes, entryCountMax })
    for (const offset of sortedOffsets(entries)) writer.append(entries, offset)
    writer.seal()
    fs.syncDirectory(directory)
    return this.#loadRun(fileNumber)
  }

  /** Publishes the run, and what the owner changes with it, as one change of the directory. */
  add(run: RunDirectoryEntry | undefined, together: () => void): void {
    const { arena } = this.#options
    this.changed = true
    arena.beginChange()
    if (run !== undefined) this.#runs = [...this.#runs, run]
    arena.setRuns(this.#runs)
    together()
    arena.endChange()
  }

  /** The runs of a tier that has enough of them to be merged. */
  fullTier(): RunDirectoryEntry[] {
    const tiers = new Map<number, RunDirectoryEntry[]>()
    for (const run of this.#runs) {
      if (this.#inMerge.has(run)) continue
      const tier = Math.max(0, Math.floor(Math.log(run.entryCount) / Math.log(RUN_FANOUT)))
      tiers.set(tier, [...(tiers.get(tier) ?? []), run])
    }
    return [...tiers.values()].find((runs) => runs.length >= RUN_FANOUT) ?? []
  }

  /** Merges the given runs, step by step. @returns true when something was merged */
  *mergeSteps(inputs: readonly RunDirectoryEntry[]): Generator<void, boolean> {
    if (inputs.length === 0) return false
    const { fs, directory, poolIdBytes, isKept } = this.#options
    const fileNumber = this.#takeNumber()
    for (const run of inputs) this.#inMerge.add(run)
    try {
      const written = yield* mergeRunFiles({
        fs,
        poolId: poolIdBytes,
        inputs: inputs.map((run) => this.#tables(run)),
        entryCountMax: inputs.reduce((sum, run) => sum + run.entryCount, 0),
        path: runPath(directory, fileNumber),
        keep: isKept,
      })
      this.changed = true
      const rest = this.#runs.filter((run) => !inputs.includes(run))
      this.#publish(written > 0 ? [...rest, this.#loadRun(fileNumber)] : rest)
      for (const run of inputs) this.#release(run)
      return true
    } finally {
      for (const run of inputs) this.#inMerge.delete(run)
    }
  }

  /** Removes run files that are not of this set. */
  removeStrays(): void {
    const { fs, directory } = this.#options
    if (fs.stat(directory) === undefined) return
    const used = new Set(this.#runs.map((run) => runPath(directory, run.fileNumber)))
    for (const name of fs.readDirectory(directory)) {
      const path = `${directory}/${name}`
      if (name.endsWith('.run') && !used.has(path)) fs.unlink(path)
    }
  }

  /** When merging in the background does not keep up: merges the smallest runs at once. */
  #makeRoom(): void {
    while (this.#runs.length >= RUN_COUNT_MAX) {
      const smallest = this.#runs
        .filter((run) => !this.#inMerge.has(run))
        .toSorted((a, b) => a.entryCount - b.entryCount)
        .slice(0, RUN_FANOUT)
      assert(smallest.length > 1, 'most runs are not being merged already')
      const steps = this.mergeSteps(smallest)
      while (steps.next().done !== true) {
        // To the end: an insert is waiting.
      }
    }
  }

  #takeNumber(): number {
    this.#nextRun += 1
    return this.#nextRun - 1
  }

  /** Reads fences and bloom into the arena. @throws MaasError INDEX_INVALID, FS_NOT_FOUND */
  #loadRun(fileNumber: number): RunDirectoryEntry {
    const { fs, directory, poolIdBytes, arena, segments } = this.#options
    const path = runPath(directory, fileNumber)
    const { file, trailer } = openRun(fs, path, poolIdBytes)
    try {
      const fenceBytes = trailer.blockCount * FENCE_SIZE
      const fences = segments.allocate(fenceBytes)
      const bloom = segments.allocate(trailer.bloomSize)
      const { buffer } = arena
      const target = {
        fences: Buffer.from(buffer, fences, fenceBytes),
        bloom: Buffer.from(buffer, bloom, trailer.bloomSize),
      }
      loadRunTables(fs, { file, trailer, path }, target)
      const { blockCount, bloomSize, entryCount } = trailer
      return { fileNumber, blockCount, bloomSize, fences, bloom, entryCount }
    } finally {
      fs.close(file)
    }
  }

  #checkBlocks(runs: readonly RunDirectoryEntry[]): void {
    const bytes = runs.reduce((sum, run) => sum + run.blockCount * BLOCK_SIZE, 0)
    if (bytes > CHECKED_BYTES_MAX) return
    const { fs, directory, poolIdBytes } = this.#options
    const piece = Buffer.alloc(1 * MiB)
    for (const run of runs) {
      const path = runPath(directory, run.fileNumber)
      const { file } = openRun(fs, path, poolIdBytes)
      try {
        checkFile(fs, file, { size: run.blockCount * BLOCK_SIZE, path, piece })
      } finally {
        fs.close(file)
      }
    }
  }

  #tables(run: RunDirectoryEntry) {
    const { buffer } = this.#options.arena
    return {
      path: runPath(this.#options.directory, run.fileNumber),
      blockCount: run.blockCount,
      fences: Buffer.from(buffer, run.fences, run.blockCount * FENCE_SIZE),
      bloom: new Uint32Array(buffer, run.bloom, run.bloomSize / 4),
    }
  }

  #publish(runs: RunDirectoryEntry[]): void {
    this.#options.arena.beginChange()
    this.#runs = runs
    this.#options.arena.setRuns(runs)
    this.#options.arena.endChange()
  }

  #release(run: RunDirectoryEntry): void {
    this.#options.segments.release(run.fences, run.blockCount * FENCE_SIZE)
    this.#options.segments.release(run.bloom, run.bloomSize)
  }
}

function checkFile(
  fs: Fs,
  file: number,
  { size, path, piece }: { size: number; path: string; piece: Buffer },
): void {
  for (let offset = 0; offset < size; offset += piece.length) {
    const bytes = piece.subarray(0, Math.min(piece.length, size - offset))
    const whole = fs.read(file, bytes, offset) === bytes.length
    for (let at = 0; whole && at < bytes.length; at += BLOCK_SIZE) {
      if (checkBlock(bytes.subarray(at, at + BLOCK_SIZE)) === undefined) throw badRun(path)
    }
    if (!whole) throw badRun(path)
  }
}

/** Offsets of the entries in ascending order of their ids. */
function sortedOffsets(entries: Buffer): Uint32Array {
  const count = entries.length / ENTRY_SIZE
  // The first 8 bytes decide nearly always, and numbers compare ten times faster than buffers.
  const high = new Uint32Array(count)
  const low = new Uint32Array(count)
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i += 1) {
    high[i] = entries.readUInt32BE(i * ENTRY_SIZE)
    low[i] = entries.readUInt32BE(i * ENTRY_SIZE + 4)
    order[i] = i
  }
  const compareIds = (a: number, b: number): number => {
    const [x, y] = [a * ENTRY_SIZE, b * ENTRY_SIZE]
    return entries.compare(entries, y, y + ID_SIZE, x, x + ID_SIZE)
  }
  order.sort((a, b) => high[a]! - high[b]! || low[a]! - low[b]! || compareIds(a, b) || a - b)
  return order.map((index) => index * ENTRY_SIZE)
}

function nextFreeRun({ fs, directory }: RunSetOptions): number {
  if (fs.stat(directory) === undefined) return 1
  const numbers = fs.readDirectory(directory).map((name) => Number.parseInt(name, 10))
  return 1 + Math.max(0, ...numbers.filter((number) => Number.isSafeInteger(number)))
}

function badRun(path: string): MaasError {
  return new MaasError('INDEX_INVALID', 'the index run has a damaged block', { path })
}

/**
 * The index as its owner sees it: makes the shared memory, turns full memtables into runs, merges
 * runs, and builds everything again from the packs' footers when the files are lost or damaged.
 *
 *   lanes insert ─▶ memtable active ─¾ full─▶ frozen ─▶ run ─8 of a size─▶ larger run
 *
 * A run may name packs that are not live yet, or never will be: look-ups ask the pack table, which
 * knows (I7). The manifest is saved when the owner ends, with the first pack number that was not
 * handed out: a number stands for one pack for ever, also one whose pack never came to be.
 *
 * Memory: 7 MiB per memtable in use, and about 1.4 bytes per chunk for blooms and fences: 24 MB
 * for each TB of 64 KiB chunks.
 */
import { assert } from '@openmaas/kernel/assert'
import { isMaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import type { Location } from '../pool/types.ts'
import {
  Arena,
  MEMTABLE_COUNT_MAX,
  MemtableState,
  SEGMENT_SIZE,
  SegmentAllocator,
  Word,
} from './arena.ts'
import { ENTRY_SIZE, ID_SIZE } from './entry.ts'
import { hasManifest, loadManifest, removeManifest, saveManifest } from './manifest.ts'
import type { IndexManifest } from './manifest.ts'
import { Memtable } from './memtable.ts'
import { PackStatus, PackTable } from './pack-table.ts'
import type { PackTableBuffers } from './pack-table.ts'
import { RunSet } from './run-set.ts'
import { IndexView } from './view.ts'
import type { IndexHandoff } from './view.ts'

/** 131,072 slots: about 98,000 chunks, 6 GB at 64 KiB, in 7 MiB. */
export const MEMTABLE_SLOTS = 2 ** 17
/**
 * When the owner ends, the active memtable becomes a run if the next owner would have to read
 * more records than this from the footers of its packs (a microsecond each)…
 */
const UNCOVERED_RECORDS_MAX = 2048
/** … or than one in so many of a small table's slots, for the simulator's sake… */
const UNCOVERED_SHARE = 8
/** … or the footers of more packs than this. */
const UNCOVERED_PACKS_MAX = 64

/** A pack as the log names it. */
interface LoggedPack {
  readonly packNo: number
  readonly recordCount: number
}
/** Milliseconds after which a lane that is inside an insert is taken for dead (worker ended). */
const WRITER_WAITS_MAX = 5_000

export interface PackRecords {
  readonly packNo: number
  /** Sequence of its PACK record. */
  readonly sequence: number
  readonly recordCount: number
  /** Reads the pack's footer. @throws MaasError PACK_INVALID, PACK_MISSING, FS_* */
  readonly read: () => Iterable<{ chunkId: Buffer } & Omit<Location, 'packNo'>>
}

export interface SharedIndexOptions {
  readonly fs: Fs
  readonly directory: string
  readonly poolId: string
  /** 16 bytes, as in run trailers. */
  readonly poolIdBytes: Buffer
  /** Live and condemned packs; their states are in the pack table already. */
  readonly packs: readonly PackRecords[]
  readonly packTable: PackTableBuffers
  readonly nextPackNo: number
  /** Mac (hex) of the log record with that sequence, to tell whether a manifest is of this log. */
  readonly logMac: (sequence: number) => string | undefined
  /** False for readers: nothing is written, and everything uncovered is kept in memory. */
  readonly writable: boolean
  readonly slotCount?: number
  readonly arenaSizeMax?: number
}

export class SharedIndex {
  readonly view: IndexView
  readonly packs: PackTable
  readonly #options: SharedIndexOptions
  readonly #arena: Arena
  readonly #segments: SegmentAllocator
  readonly #runs: RunSet
  #listening = false
  #closed = false
  #background: Promise<void> | undefined
  /** True when there was an index, and it was damaged or another log's. */
  rebuilt = false
  /** Why a merge in the background failed, if one has. */
  problem: unknown
  /** Packs whose footer could not be read: lost until repaired. */
  readonly unreadable: number[] = []
  /** Packs whose entries are in the runs that were loaded. */
  readonly #covered = new Set<number>()
  /** Entries of other packs that have become part of runs since. */
  readonly #written = new Map<number, number>()

  private constructor(options: SharedIndexOptions, slotCount: number) {
    this.#options = options
    const buffer = Arena.allocate(slotCount, options.arenaSizeMax)
    this.#arena = new Arena(buffer)
    this.#segments = new SegmentAllocator(buffer)
    this.packs = new PackTable(options.packTable)
    const { fs, directory, poolIdBytes } = options
    const [arena, segments] = [this.#arena, this.#segments]
    const isKept = (packNo: number): boolean => this.#isKept(packNo)
    this.#runs = new RunSet({ fs, directory, poolIdBytes, arena, segments, isKept })
    this.#reservePackNumbers(options.nextPackNo)
    this.#makeMemtable(0)
    Atomics.store(this.#arena.words, this.#arena.memtableWord(0, 0), MemtableState.active)
    Atomics.store(this.#arena.words, Word.inUse, 1)
    if (options.writable) {
      this.#ensureFree()
      // From the beginning: lanes that write tiny chunks fill every memtable before a pack is full.
      this.#listenForPressure()
    }
    this.view = new IndexView(this.handoff(), { fs, relieve: () => this.maintain() })
  }

  /** Loads what the manifest covers and reads the footers of all other packs. */
  static open(options: SharedIndexOptions): SharedIndex {
    const manifest = loadManifest(options.fs, options.directory)
    const fits =
      manifest !== undefined &&
      manifest.poolId === options.poolId &&
      options.logMac(manifest.logSequence) === manifest.logMac
    const uncovered = new Set(manifest?.uncovered)
    const isCovered = (pack: PackRecords): boolean =>
      fits && pack.sequence <= manifest.logSequence && !uncovered.has(pack.packNo)
    let missing = options.packs.filter((pack) => !isCovered(pack))
    let index = new SharedIndex(options, slotCountFor(options, missing))
    const loaded = fits && index.#load(manifest)
    if (fits && !loaded) {
      missing = [...options.packs]
      index = new SharedIndex(options, slotCountFor(options, missing))
    }
    index.rebuilt = hasManifest(options.fs, options.directory) && !loaded
    // Its runs may name pack numbers that are handed out anew: it must not come back with them.
    if (options.writable && index.rebuilt) removeManifest(options.fs, options.directory)
    for (const pack of options.packs) {
      if (loaded && isCovered(pack)) index.#covered.add(pack.packNo)
    }
    if (options.writable) index.#runs.removeStrays()
    for (const pack of missing) index.addPack(pack)
    return index
  }

  handoff(): IndexHandoff {
    const { packTable, directory } = this.#options
    return { arena: this.#arena.buffer, packs: packTable, directory }
  }

  get runCount(): number {
    return this.#runs.count
  }

  /** Entries in runs; several locations of one chunk count each. */
  get runEntries(): number {
    return this.#runs.entryCount
  }

  /** Adds the entries of a pack from its footer. A pack that cannot be read becomes lost. */
  addPack(pack: PackRecords): void {
    try {
      for (const record of pack.read()) {
        this.view.insert(record.chunkId, { ...record, packNo: pack.packNo })
      }
    } catch (error) {
      // What is unreadable is reported by whoever opened the pool; the rest must stay usable. Too
      // many open files say nothing about the pack.
      if (!isMaasError(error) || error.code === 'FS_LIMIT') throw error
      this.unreadable.push(pack.packNo)
      this.packs.setStatus(pack.packNo, PackStatus.lost)
    }
  }

  /**
   * Writes frozen memtables as runs and keeps a free one ready. Synchronous; called by the owner
   * when packs have become live, and by inserts of its own thread that find no room.
   */
  maintain(): void {
    if (this.#options.writable) this.#listenForPressure()
    for (let number = 0; number < MEMTABLE_COUNT_MAX; number += 1) {
      const state = this.#arena.load(this.#arena.memtableWord(number, 0))
      if (state === MemtableState.frozen && this.#options.writable) this.#flush(number)
    }
    this.#ensureFree()
  }

  /**
   * Before the owner ends: turns the active memtable into a run when reading its packs' footers
   * at the next opening would cost more than a few milliseconds. A pack is read whole for the
   * sake of one entry.
   */
  consolidate(logged: Iterable<LoggedPack>): void {
    if (!this.#options.writable) return
    this.#ensureFree()
    const inMemory = this.#packsInMemory()
    let records = 0
    for (const { packNo, recordCount } of logged) {
      if (inMemory.has(packNo)) records += recordCount
    }
    const slotCount = this.#arena.load(Word.slotCount)
    const recordsMax = Math.min(UNCOVERED_RECORDS_MAX, slotCount / UNCOVERED_SHARE)
    const isMuch = records > recordsMax || inMemory.size > UNCOVERED_PACKS_MAX
    if (isMuch) this.view.freezeActive()
    this.maintain()
  }

  /**
   * Saves which runs there are, if that has changed; the log position must be durable.
   *
   * @param logged packs of the log: one whose entries were not all seen to become part of a run is
   *   not called covered, for whatever reason an entry was lost on the way
   */
  save(logSequence: number, logMac: string, logged: Iterable<LoggedPack>): void {
    if (!this.#options.writable || !(this.#runs.changed || this.view.damaged)) return
    this.#runs.changed = false
    if (this.view.damaged) {
      // Some run has a bad block: without a manifest the next owner builds the index anew.
      removeManifest(this.#options.fs, this.#options.directory)
      return
    }
    const { fs, directory, poolId } = this.#options
    // What could not be read is no part of any run: whoever opens the pool next tries again.
    const missing = new Set([...this.#packsInMemory(), ...this.unreadable])
    for (const { packNo, recordCount } of logged) {
      const whole = this.#covered.has(packNo) || this.#written.get(packNo) === recordCount
      if (!whole && this.#isKept(packNo)) missing.add(packNo)
    }
    const uncovered = [...missing].toSorted((a, b) => a - b)
    const runs = this.#runs.fileNumbers
    saveManifest(fs, directory, {
      format: 1,
      poolId,
      logSequence,
      logMac,
      runs,
      nextRun: this.#runs.nextRun,
      nextPackNo: this.#arena.load(Word.nextPackNo),
      uncovered,
    })
  }

  /** Lanes in other threads that find no room ask for it through shared memory. */
  #listenForPressure(): void {
    if (this.#listening) return
    this.#listening = true
    const { words } = this.#arena
    const wait = Atomics.waitAsync(words, Word.pressure, Atomics.load(words, Word.pressure))
    if (!wait.async) {
      this.#listening = false
      return
    }
    // Weak: a wait that nobody ends must not keep the index of a pool that is gone.
    const self = new WeakRef(this)
    void wait.value.then(() => {
      const index = self.deref()
      if (index !== undefined) index.#relieveLanes()
    })
  }

  #relieveLanes(): void {
    this.#listening = false
    if (this.#closed) return
    try {
      this.maintain()
    } catch (error) {
      // The lanes wait and give up by themselves; why stands in the pool's status.
      this.problem ??= error
    }
  }

  /** Merges the runs of a tier that is full. @returns true when something was merged */
  async merge(yieldTurn: () => Promise<void>): Promise<boolean> {
    const steps = this.#runs.mergeSteps(this.#runs.fullTier())
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) return step.value
      await yieldTurn()
    }
  }

  /**
   * Merges full tiers while the caller goes on; one at a time. A failure costs nothing but the
   * merge, so it ends no backup: it stands in `problem`, which the pool's status shows.
   */
  mergeInBackground(yieldTurn: () => Promise<void>): void {
    if (!this.#options.writable || this.#background !== undefined) return
    if (this.#runs.fullTier().length === 0) return
    const run = async (): Promise<void> => {
      while (await this.merge(yieldTurn)) await yieldTurn()
    }
    this.#background = run()
      .catch((error: unknown) => void (this.problem ??= error))
      .finally(() => (this.#background = undefined))
  }

  /** Waits until nothing runs in the background. */
  async settled(): Promise<void> {
    while (this.#background !== undefined) await this.#background
  }

  /** Old run files may go once the manifest that does not name them is durable. */
  removeOldRuns(): void {
    if (this.#options.writable) this.#runs.removeStrays()
  }

  /** From here on nothing is saved: the next owner builds the index from the packs. */
  distrust(): void {
    Atomics.store(this.#arena.words, Word.damaged, 1)
  }

  close(): void {
    this.#closed = true
    this.view.close()
  }

  #isKept(packNo: number): boolean {
    const status = this.packs.status(packNo)
    return status !== PackStatus.dead && status !== PackStatus.none
  }

  #flush(number: number): void {
    const { words } = this.#arena
    const writers = this.#arena.memtableWord(number, 1)
    // Inserts that began before the freeze take microseconds. An insert of this very thread that
    // asks for relief stands outside of the table.
    let waits = 0
    for (let inside = 1; inside !== 0; waits += 1) {
      inside = Atomics.load(words, writers)
      if (inside !== 0) Atomics.wait(words, writers, inside, 1)
      // A worker that was ended inside an insert: what it was about to leave behind goes with it.
      if (waits === WRITER_WAITS_MAX) Atomics.sub(words, writers, inside)
    }
    const table = this.#arena.memtable(number)
    const entries = this.#collect(table)
    const run = this.#runs.write(entries)
    this.#countWritten(entries)
    this.#runs.add(run, () => Atomics.and(words, Word.inUse, ~(1 << number)))
    table.clear()
    Atomics.store(words, this.#arena.memtableWord(number, 2), 0)
    Atomics.store(words, this.#arena.memtableWord(number, 0), MemtableState.free)
    Atomics.add(words, Word.freed, 1)
    Atomics.notify(words, Word.freed)
  }

  /** The entries worth keeping, one behind the other. */
  #collect(table: Memtable): Buffer {
    const entries = Buffer.allocUnsafeSlow(table.slotCount * ENTRY_SIZE)
    let length = 0
    table.forEach((entry, packNo) => {
      if (this.#isKept(packNo)) length += entry.copy(entries, length)
    })
    return entries.subarray(0, length)
  }

  #countWritten(entries: Buffer): void {
    for (let at = 0; at < entries.length; at += ENTRY_SIZE) {
      const packNo = entries.readUInt32LE(at + ID_SIZE)
      this.#written.set(packNo, (this.#written.get(packNo) ?? 0) + 1)
    }
  }

  /** Pack numbers below this one are taken, also those whose packs never came to be. */
  #reservePackNumbers(next: number): void {
    const { words } = this.#arena
    Atomics.store(words, Word.nextPackNo, Math.max(next, Atomics.load(words, Word.nextPackNo)))
  }

  #load({ runs, nextRun, nextPackNo }: IndexManifest): boolean {
    try {
      this.#runs.load(runs, nextRun)
    } catch (error) {
      // The index is a cache: any damage means building it again, which the caller does.
      if (isMaasError(error)) return false
      throw error
    }
    this.#reservePackNumbers(nextPackNo)
    return true
  }

  #ensureFree(): void {
    for (let number = 0; number < MEMTABLE_COUNT_MAX; number += 1) {
      const place = this.#arena.load(this.#arena.memtableWord(number, 3))
      if (place === 0) return this.#makeMemtable(number)
      const state = this.#arena.load(this.#arena.memtableWord(number, 0))
      if (state === MemtableState.free) return
    }
  }

  #makeMemtable(number: number): void {
    const slotCount = this.#arena.load(Word.slotCount)
    const offset = this.#segments.allocateZeroed(Memtable.byteLength(slotCount))
    const place = this.#arena.memtableWord(number, 3)
    Atomics.store(this.#arena.words, place, offset / SEGMENT_SIZE)
  }

  #packsInMemory(): Set<number> {
    const numbers = new Set<number>()
    const inUse = this.#arena.load(Word.inUse)
    for (let number = 0; number < MEMTABLE_COUNT_MAX; number += 1) {
      if ((inUse & (1 << number)) === 0) continue
      this.#arena.memtable(number).addPacksTo(numbers)
    }
    return numbers
  }
}

function slotCountFor(options: SharedIndexOptions, missing: readonly PackRecords[]): number {
  const configured = options.slotCount ?? MEMTABLE_SLOTS
  if (options.writable) return configured
  // A reader writes no runs: one table takes everything.
  const records = missing.reduce((sum, pack) => sum + pack.recordCount, 0)
  let slots = 1024
  while (slots < records * 2) slots *= 2
  assert(slots <= 2 ** 30, 'a reader of a pool without an index fits memory')
  return slots
}

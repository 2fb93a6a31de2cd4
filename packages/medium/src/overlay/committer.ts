/**
 * How changes of state become known and durable: dirty records, commits, compactions. One
 * instance per thread over the shared state. Locks are taken in the order commit → log; the
 * caller of `record` holds the region locks, which come before both.
 */
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { FileHandle, Fs } from '@openmaas/kernel/fs'
import { MiB } from '@openmaas/kernel/units'
import { cutRun, DIRTY_RECORDS_MAX, DIRTY_TRUNCATE_MIN, DirtyLog } from './dirty-log.ts'
import type { OverlayFiles } from './files.ts'
import { type BatchEntry, type GrainRun, GrainState, JOURNAL_START } from './format.ts'
import type { GrainMap } from './grain-map.ts'
import { appendBatches, joinRuns, writeCompactJournal, writeJournalHeader } from './journal.ts'
import { CONTROL, COUNTER, type SharedState } from './shared-state.ts'

/** A journal below this is never compacted: it is read in a millisecond. */
const JOURNAL_COMPACT_MIN = 1 * MiB
/** Growth over the compact form before the journal is rewritten: writes at most 1/4 more. */
const JOURNAL_GROWTH_MAX = 4

export class OverlayCommitter {
  readonly #fs: Fs
  readonly #files: OverlayFiles
  readonly #state: SharedState
  readonly #map: GrainMap
  readonly #dirty: DirtyLog
  readonly #size: number
  readonly #bootId: string

  constructor(
    fs: Fs,
    files: OverlayFiles,
    state: SharedState,
    map: GrainMap,
    overlay: { readonly size: number; readonly bootId: string },
  ) {
    this.#fs = fs
    this.#files = files
    this.#state = state
    this.#map = map
    this.#dirty = new DirtyLog(fs, files.dirty, map.grainCount)
    this.#size = overlay.size
    this.#bootId = overlay.bootId
  }

  /** @throws MaasError OVERLAY_FAILED after a sync has failed */
  checkUsable(): void {
    if (Atomics.load(this.#state.control, CONTROL.failed) === 0) return
    throw new MaasError('OVERLAY_FAILED', 'an earlier flush of the overlay failed')
  }

  /** Makes a change of state known: survives a kill of the engine, not yet a power loss. */
  record(run: GrainRun): void {
    const { control, counters } = this.#state
    if (Atomics.load(control, CONTROL.dirtyCount) >= DIRTY_RECORDS_MAX) this.compact()
    this.#state.lock(CONTROL.logLock)
    try {
      for (const part of cutRun(run)) {
        const slot = Atomics.load(control, CONTROL.dirtyCount)
        this.#dirty.write(slot, part)
        const end = part.first + part.count
        const before = this.#map.count(part.first, end, GrainState.written)
        const after = part.state === GrainState.written ? part.count : 0
        this.#map.set(part)
        counters[COUNTER.writtenGrains]! += after - before
        Atomics.store(control, CONTROL.dirtyCount, slot + 1)
      }
    } finally {
      this.#state.unlock(CONTROL.logLock)
    }
  }

  /** A flush that began after this one asked, and ended well, serves both. */
  flush(): void {
    const { control } = this.#state
    this.checkUsable()
    const begunBefore = Atomics.load(control, CONTROL.commitsBegun)
    this.#state.lock(CONTROL.commitLock)
    try {
      this.checkUsable()
      if (((Atomics.load(control, CONTROL.commitEnded) - begunBefore) | 0) > 0) return
      this.#commit()
      if (this.#journalIsLong()) this.#compactIfSpace()
    } finally {
      this.#state.unlock(CONTROL.commitLock)
    }
  }

  compact(): void {
    this.#state.lock(CONTROL.commitLock)
    try {
      this.checkUsable()
      this.#compactLocked()
    } finally {
      this.#state.unlock(CONTROL.commitLock)
    }
  }

  /** Caller holds the commit lock. */
  #commit(): void {
    const { control, counters } = this.#state
    const number = Atomics.add(control, CONTROL.commitsBegun, 1) + 1
    // Under the log lock, so that all records counted are in the file and their bytes in `data`.
    this.#state.lock(CONTROL.logLock)
    const count = Atomics.load(control, CONTROL.dirtyCount)
    this.#state.unlock(CONTROL.logLock)
    const committed = Atomics.load(control, CONTROL.dirtyCommitted)
    this.#sync(this.#files.data)
    if (count > committed) {
      const journal = this.#files.journals[Atomics.load(control, CONTROL.journalFile)]!
      const position = {
        end: counters[COUNTER.journalEnd]!,
        sequence: counters[COUNTER.batchSequence]!,
        generation: counters[COUNTER.generation]!,
      }
      const runs = this.#dirtyRuns(committed, count)
      const sync = (): void => this.#sync(journal)
      const next = appendBatches(this.#fs, journal, position, runs, sync)
      counters[COUNTER.journalEnd] = next.end
      counters[COUNTER.batchSequence] = next.sequence
      Atomics.store(control, CONTROL.dirtyCommitted, count)
      if (count >= DIRTY_TRUNCATE_MIN) this.#truncateDirty(count)
    }
    Atomics.store(control, CONTROL.commitEnded, number)
  }

  *#dirtyRuns(first: number, end: number): Generator<BatchEntry> {
    let pending: GrainRun | undefined
    let count = 0
    for (const run of this.#dirty.read(first, end)) {
      count += 1
      const joined = pending === undefined ? undefined : joinRuns(pending, run)
      if (pending !== undefined && joined === undefined) yield { kind: 'run', run: pending }
      pending = joined ?? run
    }
    if (count !== end - first) {
      throw new MaasError('OVERLAY_INVALID', 'a dirty record cannot be read back', { first, count })
    }
    if (pending !== undefined) yield { kind: 'run', run: pending }
  }

  /** Empties `dirty` unless records came in meanwhile: they must not move. */
  #truncateDirty(count: number): void {
    const { control } = this.#state
    this.#state.lock(CONTROL.logLock)
    try {
      if (Atomics.load(control, CONTROL.dirtyCount) !== count) return
      this.#dirty.truncate()
      Atomics.store(control, CONTROL.dirtyCount, 0)
      Atomics.store(control, CONTROL.dirtyCommitted, 0)
    } finally {
      this.#state.unlock(CONTROL.logLock)
    }
  }

  #journalIsLong(): boolean {
    const length = this.#state.counters[COUNTER.journalEnd]! - JOURNAL_START
    const compact = this.#state.counters[COUNTER.compactLength]!
    return length > Math.max(JOURNAL_COMPACT_MIN, JOURNAL_GROWTH_MAX * compact)
  }

  /** The commit is done: a full disk only puts the compaction off to a later flush. */
  #compactIfSpace(): void {
    try {
      this.#compactLocked()
    } catch (error) {
      if (!isMaasError(error, 'FS_NO_SPACE')) throw error
    }
  }

  /** Caller holds the commit lock. Changes of state wait meanwhile; writes in place do not. */
  #compactLocked(): void {
    const { control, counters } = this.#state
    const number = Atomics.add(control, CONTROL.commitsBegun, 1) + 1
    this.#sync(this.#files.data) // Most of the work, before anyone has to wait for it.
    this.#state.lock(CONTROL.logLock)
    try {
      this.#sync(this.#files.data)
      const which = Atomics.load(control, CONTROL.journalFile) === 0 ? 1 : 0
      const generation = counters[COUNTER.generation]! + 1
      const journal = this.#files.journals[which]
      const position = writeCompactJournal(this.#fs, journal, this.#map, generation)
      const header = { generation, deviceSize: this.#size, baseLength: position.end }
      this.#sync(journal)
      writeJournalHeader(this.#fs, journal, header)
      this.#sync(journal)
      Atomics.store(control, CONTROL.journalFile, which)
      counters[COUNTER.generation] = generation
      counters[COUNTER.journalEnd] = position.end
      counters[COUNTER.batchSequence] = position.sequence
      counters[COUNTER.compactLength] = position.end - JOURNAL_START
      Atomics.store(control, CONTROL.commitEnded, number)
      this.#dirty.truncate()
      Atomics.store(control, CONTROL.dirtyCount, 0)
      Atomics.store(control, CONTROL.dirtyCommitted, 0)
    } finally {
      this.#state.unlock(CONTROL.logLock)
    }
  }

  /**
   * The kernel drops pages that it could not write: a sync is never tried twice, and not by the
   * next engine of this boot either, which sees the same page cache.
   */
  #sync(file: FileHandle): void {
    try {
      this.#fs.dataSync(file)
    } catch (cause) {
      if (!(cause instanceof MaasError)) throw cause
      Atomics.store(this.#state.control, CONTROL.failed, 1)
      this.#dirty.markFailed(this.#bootId)
      throw new MaasError('OVERLAY_FAILED', 'a flush of the overlay failed', {}, { cause })
    }
  }
}

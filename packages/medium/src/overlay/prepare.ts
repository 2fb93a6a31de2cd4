/**
 * Making an overlay's files, and bringing an existing one back into memory: the recovery that
 * runs whenever an engine starts. One thread prepares; all threads serve (overlay.ts).
 */
import { assert } from '@openmaas/kernel/assert'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import { OverlayCommitter } from './committer.ts'
import { DirtyLog } from './dirty-log.ts'
import { openOverlayFiles, type OverlayFiles, overlayPath } from './files.ts'
import {
  BATCH_RUNS_MAX,
  GRAIN_SIZE,
  GrainState,
  JOURNAL_START,
  type JournalHeader,
  OVERLAY_SIZE_MAX,
} from './format.ts'
import { GrainMap } from './grain-map.ts'
import { readJournalHeader, replayJournal, writeJournalHeader } from './journal.ts'
import type { OverlayHandoff } from './overlay.ts'
import { CONTROL, COUNTER, SharedState } from './shared-state.ts'

/**
 * Makes the files of an empty overlay, durably, in an existing directory.
 * @throws MaasError FS_*
 */
export function createOverlay(fs: Fs, directory: string, size: number): void {
  assert(size >= 512 && size % 512 === 0, 'a device is a number of sectors')
  assert(size <= OVERLAY_SIZE_MAX, 'the size is within the format limit')
  const files = {
    data: fs.open(overlayPath.data(directory), 'create'),
    a: fs.open(overlayPath.journal(directory, 0), 'create'),
    b: fs.open(overlayPath.journal(directory, 1), 'create'),
    dirty: fs.open(overlayPath.dirty(directory), 'create'),
  }
  try {
    fs.truncate(files.data, size)
    fs.dataSync(files.data)
    const header = { generation: 1, deviceSize: size, baseLength: JOURNAL_START }
    writeJournalHeader(fs, files.a, header)
    fs.dataSync(files.a)
    fs.syncDirectory(directory)
  } finally {
    for (const file of Object.values(files)) fs.close(file)
  }
}

export interface PrepareOptions {
  readonly fs: Fs
  readonly directory: string
  /** Of the running kernel (kernel/sysinfo): decides whether `dirty` counts. */
  readonly bootId: string
  /** 0 or absent: as much as the file system holds. */
  readonly quotaBytes?: number
}

export interface PreparedOverlay {
  readonly handoff: OverlayHandoff
  /** Releases the lock that keeps other processes out. The threads have closed before. */
  close(): void
}

/**
 * Takes the overlay for this process and recovers it. Cost: one read of the journal.
 *
 * @throws MaasError MEDIUM_BUSY when another process has it, OVERLAY_INVALID, FS_*
 */
export function prepareOverlay(options: PrepareOptions): PreparedOverlay {
  const { fs, directory, bootId } = options
  const files = openOverlayFiles(fs, directory)
  try {
    if (!fs.tryLock(files.data)) {
      throw new MaasError('MEDIUM_BUSY', 'another process serves this overlay', { directory })
    }
    const { which, header, map, position } = loadJournal(fs, directory, files)
    const journal = files.journals[which]
    if (fs.size(journal) > position.end) fs.truncate(journal, position.end) // A torn tail.
    const dirty = replayDirty(fs, files, map, bootId)

    const state = new SharedState()
    state.control[CONTROL.journalFile] = which
    state.control[CONTROL.dirtyCount] = dirty.count
    state.control[CONTROL.failed] = dirty.failed ? 1 : 0
    state.counters[COUNTER.journalEnd] = position.end
    state.counters[COUNTER.batchSequence] = position.sequence
    state.counters[COUNTER.generation] = header.generation
    state.counters[COUNTER.compactLength] = header.baseLength - JOURNAL_START
    state.counters[COUNTER.writtenGrains] = map.count(0, map.grainCount, GrainState.written)
    const handoff: OverlayHandoff = {
      directory,
      size: header.deviceSize,
      bootId,
      quotaBytes: options.quotaBytes ?? 0,
      map: map.buffer,
      state: state.buffer,
    }
    if (dirty.count > BATCH_RUNS_MAX && !dirty.failed) {
      compactIfSpace(new OverlayCommitter(fs, files, state, map, handoff))
    }
    return { handoff, close: () => files.close() }
  } catch (error) {
    files.close()
    throw error
  }
}

/**
 * What was replayed may have been committed before, and is then committed again: the states of old
 * first, which newer ones follow. Cut into several batches, a power loss between two of them would
 * leave an old state where a newer one had been flushed; a compaction has only the newest.
 */
function compactIfSpace(committer: OverlayCommitter): void {
  try {
    committer.compact()
  } catch (error) {
    if (!isMaasError(error, 'FS_NO_SPACE')) throw error // The disk must come up on a full one, too.
  }
}

/** The journal that counts, and the states it holds. @throws MaasError OVERLAY_INVALID */
function loadJournal(fs: Fs, directory: string, files: OverlayFiles) {
  const headers = files.journals.map((file) => readJournalHeader(fs, file))
  const [a, b] = [headers[0]?.generation ?? 0, headers[1]?.generation ?? 0]
  const which = a >= b ? 0 : 1
  const header: JournalHeader | undefined = headers[which]
  if (header === undefined) {
    throw new MaasError('OVERLAY_INVALID', 'no journal of the overlay is whole', { directory })
  }
  if (fs.size(files.data) !== header.deviceSize) {
    throw new MaasError('OVERLAY_INVALID', 'the data file is not of the size of the device', {
      directory,
    })
  }
  const map = new GrainMap(Math.ceil(header.deviceSize / GRAIN_SIZE))
  const position = replayJournal(fs, files.journals[which]!, header, map)
  return { which: which as 0 | 1, header, map, position }
}

interface DirtyFound {
  /** Records of this boot that were found and applied. */
  readonly count: number
  /** A sync failed earlier in this boot: as far as this kernel goes, the overlay only reads. */
  readonly failed: boolean
}

function replayDirty(fs: Fs, files: OverlayFiles, map: GrainMap, bootId: string): DirtyFound {
  const dirty = new DirtyLog(fs, files.dirty, map.grainCount)
  const header = dirty.header(bootId)
  if (header === undefined) {
    dirty.reset(bootId)
    return { count: 0, failed: false }
  }
  let count = 0
  for (const run of dirty.read(0, dirty.recordCount())) {
    map.set(run)
    count += 1
  }
  return { count, failed: header.failed }
}

export interface FrozenStates {
  readonly size: number
  readonly map: GrainMap
}

/**
 * The states of a frozen overlay, for reading only; takes no lock and changes nothing.
 *
 * @throws MaasError OVERLAY_INVALID, FS_*
 */
export function loadFrozenStates(fs: Fs, directory: string): FrozenStates {
  const files = openOverlayFiles(fs, directory, 'read')
  try {
    const { header, map } = loadJournal(fs, directory, files)
    return { size: header.deviceSize, map }
  } finally {
    files.close()
  }
}

/**
 * Makes everything of an overlay durable and its journal compact, so that it can be frozen. No
 * engine serves it.
 *
 * @throws MaasError MEDIUM_BUSY, OVERLAY_INVALID, FS_*
 */
export function settleOverlay(options: PrepareOptions): void {
  const prepared = prepareOverlay(options)
  try {
    settlePrepared(options.fs, prepared.handoff)
  } finally {
    prepared.close()
  }
}

/** The same for one that this process has, and nobody writes to any more. */
export function settlePrepared(fs: Fs, handoff: OverlayHandoff): void {
  withCommitter(fs, handoff, (committer) => committer.compact())
}

/** Everything completed before is durable. @throws MaasError OVERLAY_FAILED, FS_* */
export function flushOverlay(fs: Fs, handoff: OverlayHandoff): void {
  withCommitter(fs, handoff, (committer) => committer.flush())
}

/** For an overlay that this process has; any of its threads. */
function withCommitter(
  fs: Fs,
  handoff: OverlayHandoff,
  work: (committer: OverlayCommitter) => void,
): void {
  const files = openOverlayFiles(fs, handoff.directory)
  try {
    const map = new GrainMap(Math.ceil(handoff.size / GRAIN_SIZE), handoff.map)
    work(new OverlayCommitter(fs, files, new SharedState(handoff.state), map, handoff))
  } finally {
    files.close()
  }
}

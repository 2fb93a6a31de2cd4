/**
 * The journal of an overlay: the states that survive a power loss. Two files take turns; the one
 * whose valid header has the higher generation counts (docs/formats/overlay.md).
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { FileHandle, Fs } from '@openmaas/kernel/fs'
import {
  type BatchEntry,
  BATCH_HEADER_SIZE,
  BATCH_SIZE_MAX,
  batchLength,
  decodeBatch,
  decodeJournalHeader,
  encodeBatch,
  encodeJournalHeader,
  ENTRY_SIZE,
  entrySize,
  type GrainRun,
  GrainState,
  JOURNAL_HEADER_SIZE,
  JOURNAL_START,
  type JournalHeader,
  LEAF_BYTES,
  LEAF_GRAINS,
  RUN_GRAINS_MAX,
} from './format.ts'
import type { GrainMap } from './grain-map.ts'

export interface JournalPosition {
  /** Where the next batch goes. */
  readonly end: number
  /** Of the last batch; 0 when there is none. */
  readonly sequence: number
}

/** @returns undefined when the file holds no whole header */
export function readJournalHeader(fs: Fs, file: FileHandle): JournalHeader | undefined {
  const bytes = Buffer.alloc(JOURNAL_HEADER_SIZE)
  if (fs.read(file, bytes, 0) < JOURNAL_HEADER_SIZE) return undefined
  return decodeJournalHeader(bytes)
}

/**
 * Applies every batch to the map and finds the end; changes no file.
 *
 * @throws MaasError OVERLAY_INVALID for damage that is not a torn tail
 */
export function replayJournal(
  fs: Fs,
  file: FileHandle,
  header: JournalHeader,
  map: GrainMap,
): JournalPosition {
  const size = fs.size(file)
  let at = JOURNAL_START
  let sequence = 0
  for (;;) {
    const batch = readBatch(fs, file, at, size, map.grainCount)
    const follows = batch?.sequence === sequence + 1 && batch.generation === header.generation
    if (batch === undefined || !follows) break
    for (const entry of batch.entries) applyEntry(map, entry)
    sequence = batch.sequence
    at += batch.entries.reduce((sum, entry) => sum + entrySize(entry), BATCH_HEADER_SIZE)
  }
  if (at < header.baseLength) {
    throw new MaasError('OVERLAY_INVALID', 'the compacted part of the journal is damaged', { at })
  }
  refuseLaterBatch(fs, file, { end: at, sequence }, header, map.grainCount)
  return { end: at, sequence }
}

function readBatch(fs: Fs, file: FileHandle, at: number, size: number, grainCount: number) {
  if (at + BATCH_HEADER_SIZE > size) return undefined
  const head = Buffer.alloc(BATCH_HEADER_SIZE)
  fs.read(file, head, at)
  const length = batchLength(head)
  if (length === 0 || at + length > size) return undefined
  const bytes = Buffer.alloc(length)
  fs.read(file, bytes, at)
  return decodeBatch(bytes, grainCount)
}

/**
 * Batches are synced one by one, so a power loss tears the last at most. A valid one behind an
 * invalid one means that a synced batch went bad: nothing is cut off then.
 */
function refuseLaterBatch(
  fs: Fs,
  file: FileHandle,
  position: JournalPosition,
  header: JournalHeader,
  grainCount: number,
): void {
  const at = position.end
  const damaged = (): MaasError =>
    new MaasError('OVERLAY_INVALID', 'a journal batch before the last is damaged', { at })
  // A torn batch over the rest of an earlier attempt at it: two batches at most.
  const tailSize = fs.size(file) - at
  if (tailSize > 2 * BATCH_SIZE_MAX) throw damaged()
  const tail = Buffer.alloc(Math.max(0, tailSize))
  fs.read(file, tail, at)
  for (let next = 16; next + BATCH_HEADER_SIZE < tail.length; next += 16) {
    const length = batchLength(tail.subarray(next, next + BATCH_HEADER_SIZE))
    if (length === 0 || next + length > tail.length) continue
    const batch = decodeBatch(tail.subarray(next, next + length), grainCount)
    const later = batch !== undefined && batch.sequence > position.sequence
    if (later && batch.generation === header.generation) throw damaged()
  }
}

function applyEntry(map: GrainMap, entry: BatchEntry): void {
  if (entry.kind === 'run') map.set(entry.run)
  else map.setLeaf(entry.first / LEAF_GRAINS, entry.states)
}

/** Cuts entries into batches and writes them; `sync` is called behind each. */
export function appendBatches(
  fs: Fs,
  file: FileHandle,
  position: JournalPosition & { readonly generation: number },
  entries: Iterable<BatchEntry>,
  sync: () => void,
): JournalPosition {
  let { end, sequence } = position
  let pending: BatchEntry[] = []
  let length = BATCH_HEADER_SIZE
  const write = (): void => {
    sequence += 1
    const bytes = encodeBatch({ sequence, generation: position.generation, entries: pending })
    fs.write(file, bytes, end)
    sync()
    end += bytes.length
    pending = []
    length = BATCH_HEADER_SIZE
  }
  for (const entry of entries) {
    if (length + entrySize(entry) > BATCH_SIZE_MAX) write()
    pending.push(entry)
    length += entrySize(entry)
  }
  if (pending.length > 0) write()
  return { end, sequence }
}

/** Writes the whole map to a file that does not count until it has a header; syncs nothing. */
export function writeCompactJournal(
  fs: Fs,
  file: FileHandle,
  map: GrainMap,
  generation: number,
): JournalPosition {
  fs.truncate(file, 0) // The old header goes first.
  const start = { end: JOURNAL_START, sequence: 0, generation }
  return appendBatches(fs, file, start, compactEntries(map), () => {})
}

/**
 * Makes the file the one that counts, once it is synced; everything else in it is synced before.
 * A write that fails has made no whole header, so the other file counts as before.
 */
export function writeJournalHeader(fs: Fs, file: FileHandle, header: JournalHeader): void {
  fs.write(file, encodeJournalHeader(header), 0)
}

/** The whole map: runs where they are shorter, leaves where they are not. */
export function* compactEntries(map: GrainMap): Generator<BatchEntry> {
  let pending: GrainRun | undefined
  for (let leaf = 0; leaf < map.leafCount; leaf += 1) {
    const first = leaf * LEAF_GRAINS
    const end = Math.min(first + LEAF_GRAINS, map.grainCount)
    const content = map.leaf(leaf)
    const runs =
      typeof content === 'number'
        ? [{ first, count: end - first, state: content }]
        : [...map.runs(first, end)]
    const stored = runs.filter((run) => run.state !== GrainState.absent)
    if (typeof content !== 'number' && stored.length * ENTRY_SIZE > LEAF_BYTES + ENTRY_SIZE) {
      if (pending !== undefined) yield { kind: 'run', run: pending }
      pending = undefined
      yield { kind: 'leaf', first, states: content }
      continue
    }
    for (const run of stored) {
      const joined = pending === undefined ? undefined : joinRuns(pending, run)
      if (pending !== undefined && joined === undefined) yield { kind: 'run', run: pending }
      pending = joined ?? run
    }
  }
  if (pending !== undefined) yield { kind: 'run', run: pending }
}

/** One run for two, where the second continues or repeats the first. */
export function joinRuns(a: GrainRun, b: GrainRun): GrainRun | undefined {
  const end = Math.max(a.first + a.count, b.first + b.count)
  const touches = b.first >= a.first && b.first <= a.first + a.count
  if (!touches || a.state !== b.state || end - a.first > RUN_GRAINS_MAX) return undefined
  return { first: a.first, count: end - a.first, state: a.state }
}

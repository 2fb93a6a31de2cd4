/**
 * The shared memory of the index: one growable buffer that every thread sees grow, so that no
 * message is needed when a memtable or a run is added.
 *
 *   header page (64 KiB, Int32 words)
 *     word 0   version: odd while the owner changes the directory; a reader that sees it change
 *              throws its result away and looks again (a sequence lock)
 *     word 1   number of the active memtable          word 2  count of runs
 *     word 3   next pack number                       word 4  rises when a memtable becomes free
 *     word 5   bits of the memtables in use           word 6  slots per memtable
 *     word 7   1 when a thread met a damaged run      word 8  rises when a lane finds no room
 *     16 + 4 i   memtable i: state, writers inside, entries, place (64 KiB units; 0 = none yet)
 *    128 + 8 i   run i: file number, blocks, bloom bytes, place of fences, place of bloom,
 *                entries (low, high)
 *   segments of whole 64 KiB: memtables, fences, blooms
 *
 * The owner alone changes the directory and allocates; lanes insert, and may make the next
 * memtable the active one.
 */
import { assert } from '@openmaas/kernel/assert'
import { GiB, KiB } from '@openmaas/kernel/units'
import { Memtable } from './memtable.ts'

export const SEGMENT_SIZE = 64 * KiB
/** Memtables in turn: one is filled, the others wait for their packs to become live. */
export const MEMTABLE_COUNT_MAX = 8
/** Tiers of at most RUN_FANOUT runs each; more means merging has stopped working. */
export const RUN_COUNT_MAX = 64
/** Address space, not memory: fences and blooms of 2.5 billion chunks (160 TiB at 64 KiB). */
export const ARENA_SIZE_MAX = 4 * GiB

export const Word = {
  version: 0,
  active: 1,
  runCount: 2,
  nextPackNo: 3,
  freed: 4,
  inUse: 5,
  slotCount: 6,
  damaged: 7,
  pressure: 8,
} as const
const MEMTABLE_WORD = 16
const RUN_WORD = 128
const RUN_WORDS = 8

export const MemtableState = { free: 0, active: 1, frozen: 2 } as const

export interface RunDirectoryEntry {
  readonly fileNumber: number
  readonly blockCount: number
  readonly bloomSize: number
  /** Byte offsets in the arena. */
  readonly fences: number
  readonly bloom: number
  readonly entryCount: number
}

export class Arena {
  readonly buffer: SharedArrayBuffer
  readonly words: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.words = new Int32Array(buffer, 0, SEGMENT_SIZE / 4)
  }

  static allocate(slotCount: number, sizeMax: number = ARENA_SIZE_MAX): SharedArrayBuffer {
    const buffer = new SharedArrayBuffer(SEGMENT_SIZE, { maxByteLength: sizeMax })
    new Int32Array(buffer, 0, SEGMENT_SIZE / 4)[Word.slotCount] = slotCount
    return buffer
  }

  load(word: number): number {
    return Atomics.load(this.words, word)
  }

  /** Word of a field (0 state, 1 writers, 2 entries, 3 place) of a memtable. */
  memtableWord(memtable: number, field: 0 | 1 | 2 | 3): number {
    return MEMTABLE_WORD + memtable * 4 + field
  }

  memtable(number: number): Memtable {
    const place = this.load(this.memtableWord(number, 3))
    assert(place > 0, 'the memtable has memory')
    return new Memtable(this.buffer, place * SEGMENT_SIZE, this.load(Word.slotCount))
  }

  runs(): RunDirectoryEntry[] {
    return Array.from({ length: this.load(Word.runCount) }, (_, run) => {
      const word = (field: number): number => this.load(RUN_WORD + run * RUN_WORDS + field) >>> 0
      return {
        fileNumber: word(0),
        blockCount: word(1),
        bloomSize: word(2),
        fences: word(3) * SEGMENT_SIZE,
        bloom: word(4) * SEGMENT_SIZE,
        entryCount: word(5) + word(6) * 2 ** 32,
      }
    })
  }

  /** The owner's: replaces the list of runs; call between beginChange and endChange. */
  setRuns(runs: readonly RunDirectoryEntry[]): void {
    assert(runs.length <= RUN_COUNT_MAX, 'runs are merged before they are too many')
    for (const [run, entry] of runs.entries()) {
      const at = RUN_WORD + run * RUN_WORDS
      this.words[at] = entry.fileNumber
      this.words[at + 1] = entry.blockCount
      this.words[at + 2] = entry.bloomSize
      this.words[at + 3] = entry.fences / SEGMENT_SIZE
      this.words[at + 4] = entry.bloom / SEGMENT_SIZE
      this.words[at + 5] = entry.entryCount
      this.words[at + 6] = Math.floor(entry.entryCount / 2 ** 32)
    }
    Atomics.store(this.words, Word.runCount, runs.length)
  }

  beginChange(): void {
    Atomics.add(this.words, Word.version, 1)
  }

  endChange(): void {
    Atomics.add(this.words, Word.version, 1)
  }
}

/** The owner's allocator of segments: first fit over what was given back, else the buffer grows. */
export class SegmentAllocator {
  readonly #buffer: SharedArrayBuffer
  readonly #free: { offset: number; size: number }[] = []

  constructor(buffer: SharedArrayBuffer) {
    this.#buffer = buffer
  }

  allocate(byteLength: number): number {
    const size = Math.ceil(byteLength / SEGMENT_SIZE) * SEGMENT_SIZE
    const index = this.#free.findIndex((segment) => segment.size >= size)
    if (index >= 0) {
      const segment = this.#free[index]!
      const { offset } = segment
      segment.offset += size
      segment.size -= size
      if (segment.size === 0) this.#free.splice(index, 1)
      return offset
    }
    return this.allocateZeroed(size)
  }

  /** New memory, never used before: zeros, and no page taken until it is touched. */
  allocateZeroed(byteLength: number): number {
    const size = Math.ceil(byteLength / SEGMENT_SIZE) * SEGMENT_SIZE
    const offset = this.#buffer.byteLength
    assert(offset + size <= this.#buffer.maxByteLength, 'the index fits its address space')
    this.#buffer.grow(offset + size)
    return offset
  }

  release(offset: number, byteLength: number): void {
    const size = Math.ceil(byteLength / SEGMENT_SIZE) * SEGMENT_SIZE
    const before = this.#free.find((segment) => segment.offset + segment.size === offset)
    const after = this.#free.find((segment) => segment.offset === offset + size)
    if (before !== undefined) before.size += size
    else if (after !== undefined) after.offset = offset
    else this.#free.push({ offset, size })
    if (before === undefined && after !== undefined) after.size += size
  }
}

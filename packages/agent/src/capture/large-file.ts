/**
 * One large file, captured by several lanes at once. The lane that met it owns it; idle lanes
 * help. They share one memory: segments are claimed by a counter, results go into a ring of slots,
 * and the owner takes them out in order. So the content list is the same whoever did the work.
 *
 * Memory, Int32: [0] next segment, [1] segments taken out, [2] total, then per slot a state word;
 * then per slot the items: u32 length (bit 31: hole), id 32.
 */
import { assert } from '@openmaas/kernel/assert'
import type {
  ContentCapture,
  ContentTarget,
  SegmentRequest,
} from '@openmaas/source-files/content-capture'
import { SEGMENT_SIZE } from '@openmaas/source-files/content-capture'
import type { LargeFileOffer } from './messages.ts'

/** Smaller files are captured by one lane: handing out work costs more than it gains. */
export const LARGE_FILE_SIZE_MIN = 32 << 20
/** Segments in flight: 128 MiB of the file. Memory of the ring: 2.3 MB. */
const SLOTS = 8
/** Pieces of a segment; what does not fit is joined (holes are then read as zeros). */
const ITEMS_MAX = 8192
const ITEM_SIZE = 36
const HOLE_BIT = 0x8000_0000

const NEXT = 0
const TAKEN = 1
const TOTAL = 2
const STATES = 8
const HEADER_SIZE = (STATES + SLOTS) * 4
const SLOT_SIZE = 16 + ITEMS_MAX * ITEM_SIZE

/** States of a slot. */
const EMPTY = 0
const FILLED = 1

/** Longest wait for another lane before looking again whether the run goes on. */
const WAIT_MS = 100

export function makeLargeFileMemory(size: number): SharedArrayBuffer {
  const memory = new SharedArrayBuffer(HEADER_SIZE + SLOTS * SLOT_SIZE)
  new Int32Array(memory, 0, STATES)[TOTAL] = Math.ceil(size / SEGMENT_SIZE)
  return memory
}

/** True while there are segments that nobody has claimed. */
export function wantsHelp(memory: SharedArrayBuffer): boolean {
  const words = new Int32Array(memory, 0, STATES)
  return Atomics.load(words, NEXT) < words[TOTAL]!
}

export class LargeFile {
  readonly #offer: LargeFileOffer
  readonly #words: Int32Array
  readonly #bytes: Buffer

  constructor(offer: LargeFileOffer) {
    this.#offer = offer
    this.#words = new Int32Array(offer.memory, 0, STATES + SLOTS)
    this.#bytes = Buffer.from(offer.memory)
  }

  /** Captures segments until all are claimed. */
  help(capture: ContentCapture, fd: number): void {
    for (;;) {
      const segment = this.#claim(true)
      if (segment < 0) return
      this.#capture(capture, fd, segment)
    }
  }

  /**
   * The owner's part: captures segments, too, and puts all of them into the target in order.
   *
   * @returns the bytes captured, or minus errno; every lane has let go of the file then
   */
  own(capture: ContentCapture, fd: number, target: ContentTarget): number {
    const total = this.#words[TOTAL]!
    let taken = 0
    let size = 0
    let failure = 0
    while (taken < total) {
      const segment = this.#claim(false)
      if (segment >= 0) this.#capture(capture, fd, segment)
      else this.#await(taken)
      while (taken < total && this.#isFilled(taken)) {
        const count = this.#takeOut(taken, target)
        if (count < 0) failure ||= count
        else size += count
        taken += 1
      }
    }
    return failure < 0 ? failure : size
  }

  /** @returns a segment, or -1: all are claimed, or (for the owner) the ring is full */
  #claim(wait: boolean): number {
    const words = this.#words
    for (;;) {
      const next = Atomics.load(words, NEXT)
      if (next >= words[TOTAL]!) return -1
      const taken = Atomics.load(words, TAKEN)
      if (next >= taken + SLOTS) {
        if (!wait) return -1
        Atomics.wait(words, TAKEN, taken, WAIT_MS)
      } else if (Atomics.compareExchange(words, NEXT, next, next + 1) === next) return next
    }
  }

  #isFilled(segment: number): boolean {
    return Atomics.load(this.#words, STATES + (segment % SLOTS)) === FILLED
  }

  /** The worker threads of a failed run are terminated, so this loop needs no way out. */
  #await(segment: number): void {
    Atomics.wait(this.#words, STATES + (segment % SLOTS), EMPTY, WAIT_MS)
  }

  #capture(capture: ContentCapture, fd: number, segment: number): void {
    const { size, fixed, sparse } = this.#offer
    const start = segment * SEGMENT_SIZE
    const slot = segment % SLOTS
    const end = Math.min(size, start + SEGMENT_SIZE)
    const request: SegmentRequest = { fd, start, end, fixed, sparse }
    const at = HEADER_SIZE + slot * SLOT_SIZE
    let writer = new SlotWriter(this.#bytes, at)
    let count = capture.addSegment(request, writer)
    if (writer.overflown) {
      // More holes than a slot describes: the segment is read again with its holes as zeros.
      writer = new SlotWriter(this.#bytes, at)
      count = capture.addSegment({ ...request, sparse: false }, writer)
    }
    assert(!writer.overflown, 'a segment without holes fits its slot')
    this.#bytes.writeDoubleLE(count, at)
    this.#bytes.writeUInt32LE(writer.count, at + 8)
    Atomics.store(this.#words, STATES + slot, FILLED)
    Atomics.notify(this.#words, STATES + slot)
  }

  #takeOut(segment: number, target: ContentTarget): number {
    const slot = segment % SLOTS
    const base = HEADER_SIZE + slot * SLOT_SIZE
    const size = this.#bytes.readDoubleLE(base)
    const count = this.#bytes.readUInt32LE(base + 8)
    for (let i = 0; size >= 0 && i < count; i += 1) {
      const at = base + 16 + i * ITEM_SIZE
      const word = this.#bytes.readUInt32LE(at)
      const length = (word & 0x7fff_ffff) >>> 0
      if (word >= HOLE_BIT) target.addHole(length)
      else target.addChunk(this.#bytes.subarray(at + 4, at + ITEM_SIZE), length)
    }
    Atomics.store(this.#words, STATES + slot, EMPTY)
    Atomics.add(this.#words, TAKEN, 1)
    Atomics.notify(this.#words, TAKEN)
    return size
  }
}

class SlotWriter implements ContentTarget {
  readonly #bytes: Buffer
  readonly #start: number
  count = 0
  overflown = false

  constructor(bytes: Buffer, start: number) {
    this.#bytes = bytes
    this.#start = start + 16
  }

  addChunk(id: Buffer, length: number): void {
    const at = this.#add(length)
    if (at >= 0) id.copy(this.#bytes, at + 4)
  }

  addHole(length: number): void {
    if (length > 0) this.#add(length + HOLE_BIT)
  }

  #add(word: number): number {
    if (this.count === ITEMS_MAX) {
      this.overflown = true
      return -1
    }
    const at = this.#start + this.count * ITEM_SIZE
    this.#bytes.writeUInt32LE(word, at)
    this.count += 1
    return at
  }
}

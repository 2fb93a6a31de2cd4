/**
 * What a traversal has reached: two bits per record of a pack (reached; entered, that is, all
 * below it too). 4 MB for each TB of 64 KiB chunks.
 */
import { assert } from '@openmaas/kernel/assert'
import type { Location } from '../pool/types.ts'

/** Bytes a record takes in a pack beside its encoded payload: headers and table entry. */
const RECORD_EXTRA = 52 + 4 + 52

interface PackMarks {
  readonly reached: Uint32Array
  readonly entered: Uint32Array
  liveBytes: number
  liveRecords: number
}

export class Marks {
  readonly #packs = new Map<number, PackMarks>()
  readonly #recordCount: (packNo: number) => number
  readonly #superseded = new Set<number>()
  #reached = 0

  /** @param recordCount of a logged pack; bounds its bitmaps */
  constructor(recordCount: (packNo: number) => number) {
    this.#recordCount = recordCount
  }

  /** Chunks reached, each location once. */
  get count(): number {
    return this.#reached
  }

  reach(location: Location): void {
    const marks = this.#of(location)
    if (!set(marks.reached, location.recordNumber)) return
    marks.liveBytes += location.encodedLength + RECORD_EXTRA
    marks.liveRecords += 1
    this.#reached += 1
  }

  /** @returns false when it was entered before */
  enter(location: Location): boolean {
    this.reach(location)
    return set(this.#of(location).entered, location.recordNumber)
  }

  /** Notes that the pack holds a reached chunk of which a newer copy is kept. */
  supersede(packNo: number): void {
    this.#superseded.add(packNo)
  }

  isSuperseded(packNo: number): boolean {
    return this.#superseded.has(packNo)
  }

  hasPack(packNo: number): boolean {
    return this.#packs.has(packNo)
  }

  hasRecord(packNo: number, recordNumber: number): boolean {
    const word = this.#packs.get(packNo)?.reached[recordNumber >>> 5] ?? 0
    return (word & (1 << (recordNumber & 31))) !== 0
  }

  /** Bytes of the pack that something refers to. */
  liveBytes(packNo: number): number {
    return this.#packs.get(packNo)?.liveBytes ?? 0
  }

  liveRecords(packNo: number): number {
    return this.#packs.get(packNo)?.liveRecords ?? 0
  }

  #of({ packNo, recordNumber }: Location): PackMarks {
    const recordCount = this.#recordCount(packNo)
    assert(recordNumber < recordCount, 'a location lies within its pack')
    let marks = this.#packs.get(packNo)
    if (marks === undefined) {
      const words = Math.ceil(recordCount / 32)
      marks = {
        reached: new Uint32Array(words),
        entered: new Uint32Array(words),
        liveBytes: 0,
        liveRecords: 0,
      }
      this.#packs.set(packNo, marks)
    }
    return marks
  }
}

/** @returns false when the bit was set already */
function set(words: Uint32Array, bit: number): boolean {
  const mask = 1 << (bit & 31)
  const word = words[bit >>> 5]!
  if ((word & mask) !== 0) return false
  words[bit >>> 5] = word | mask
  return true
}

/**
 * A hash table of index entries in shared memory: open addressing, linear probing, inserted into
 * by several threads at once without locks, never deleted from.
 *
 * One slot is 56 bytes: a control word and an entry (entry.ts). The control word is 0 for empty,
 * 1 while a thread fills the slot, else a tag of the id. A slot in the making counts as another
 * chunk's: the worst that follows is that two lanes store the same chunk once each.
 */
import { assert } from '@openmaas/kernel/assert'
import type { Location } from '../pool/types.ts'
import { ENTRY_SIZE } from './entry.ts'

const SLOT_WORDS = (ENTRY_SIZE + 4) / 4
const CLAIMED = 1

export class Memtable {
  readonly slotCount: number
  readonly #words: Int32Array
  readonly #bytes: Buffer
  readonly #mask: number

  constructor(buffer: SharedArrayBuffer, byteOffset: number, slotCount: number) {
    assert((slotCount & (slotCount - 1)) === 0, 'slot count is a power of two')
    this.slotCount = slotCount
    this.#mask = slotCount - 1
    this.#words = new Int32Array(buffer, byteOffset, slotCount * SLOT_WORDS)
    this.#bytes = Buffer.from(buffer, byteOffset, slotCount * SLOT_WORDS * 4)
  }

  static byteLength(slotCount: number): number {
    return slotCount * SLOT_WORDS * 4
  }

  /** The caller keeps the table from filling up: at least one slot stays empty. */
  insert(id: Buffer, location: Location): void {
    const tag = id.readInt32LE(4) | 2
    let slot = id.readUInt32LE(0) & this.#mask
    for (let probes = 0; probes < this.slotCount; probes += 1) {
      const word = slot * SLOT_WORDS
      if (Atomics.compareExchange(this.#words, word, 0, CLAIMED) === 0) {
        for (let i = 0; i < 8; i += 1) this.#words[word + 1 + i] = id.readInt32LE(4 * i)
        this.#words[word + 9] = location.packNo
        this.#words[word + 10] = location.recordNumber
        this.#words[word + 11] = location.offset
        this.#words[word + 12] = location.encodedLength
        this.#words[word + 13] = location.rawLength
        // The tag goes in last: a reader that sees it sees the whole entry.
        Atomics.store(this.#words, word, tag)
        return
      }
      slot = (slot + 1) & this.#mask
    }
    assert(false, 'a memtable always has an empty slot')
  }

  /**
   * Visits the locations of the id until one is accepted.
   * Rule: an id may have several locations; one whose pack may not be used hides no other.
   */
  find(id: Buffer, accept: (packNo: number) => boolean): Location | undefined {
    const tag = id.readInt32LE(4) | 2
    let slot = id.readUInt32LE(0) & this.#mask
    for (let probes = 0; probes < this.slotCount; probes += 1) {
      const word = slot * SLOT_WORDS
      const control = Atomics.load(this.#words, word)
      if (control === 0) return undefined
      if (control === tag && this.#holds(word, id) && accept(this.#words[word + 9]! >>> 0)) {
        return this.#location(word)
      }
      slot = (slot + 1) & this.#mask
    }
    return undefined
  }

  /** Calls back with the entry bytes (52, a view into the table) of every filled slot. */
  forEach(visit: (entry: Buffer, packNo: number) => void): void {
    for (let slot = 0; slot < this.slotCount; slot += 1) {
      const word = slot * SLOT_WORDS
      const control = Atomics.load(this.#words, word)
      if (control === 0 || control === CLAIMED) continue
      const start = word * 4 + 4
      visit(this.#bytes.subarray(start, start + ENTRY_SIZE), this.#words[word + 9]! >>> 0)
    }
  }

  /** Adds the number of every pack that has an entry here. */
  addPacksTo(numbers: Set<number>): void {
    const words = this.#words
    let last = -1
    for (let word = 0; word < words.length; word += SLOT_WORDS) {
      const control = Atomics.load(words, word)
      if (control === 0 || control === CLAIMED) continue
      const packNo = words[word + 9]! >>> 0
      if (packNo !== last) numbers.add((last = packNo))
    }
  }

  clear(): void {
    this.#words.fill(0)
  }

  #holds(word: number, id: Buffer): boolean {
    for (let i = 0; i < 8; i += 1) {
      if (this.#words[word + 1 + i] !== id.readInt32LE(4 * i)) return false
    }
    return true
  }

  #location(word: number): Location {
    const words = this.#words
    return {
      packNo: words[word + 9]! >>> 0,
      recordNumber: words[word + 10]! >>> 0,
      offset: words[word + 11]! >>> 0,
      encodedLength: words[word + 12]! >>> 0,
      rawLength: words[word + 13]! >>> 0,
    }
  }
}

/**
 * Sets of chunk ids and references, 16 bytes each in flat memory: what a JavaScript Set would take
 * six times the memory for. Keys are the first 128 bits of a keyed or plain BLAKE3 digest; to be
 * taken for another key, somebody has to find a second preimage of those.
 *
 * Linear probing. A slot is empty while its first word is 0; that word is never stored as 0.
 */
import { assert } from '@openmaas/kernel/assert'

/** Words of a key, in a buffer of at least 16 bytes. */
export type Key = Buffer

const WORDS = 4
const LOAD_MAX = 0.7

/** Grows as needed; of one thread. */
export class IdSet {
  #words: Int32Array
  #mask: number
  #count = 0

  constructor(slots = 1024) {
    this.#words = new Int32Array(slots * WORDS)
    this.#mask = slots - 1
    assert((slots & this.#mask) === 0, 'slots are a power of two')
  }

  get count(): number {
    return this.#count
  }

  has(key: Key): boolean {
    return this.#words[this.#find(key) * WORDS] !== 0
  }

  /** @returns false when it was there */
  add(key: Key): boolean {
    const slot = this.#find(key)
    if (this.#words[slot * WORDS] !== 0) return false
    store(this.#words, slot, key)
    this.#count += 1
    if (this.#count > (this.#mask + 1) * LOAD_MAX) this.#grow()
    return true
  }

  /** The table itself, to be read by another thread through `IdSet.of`. */
  get words(): Int32Array {
    return this.#words
  }

  static of(words: Int32Array): IdSet {
    const set = new IdSet(1)
    set.#words = words
    set.#mask = words.length / WORDS - 1
    return set
  }

  #find(key: Key): number {
    const words = this.#words
    const first = firstWord(key)
    for (let slot = key.readInt32LE(4) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const found = words[slot * WORDS]!
      if (found === 0 || (found === first && sameRest(words, slot, key))) return slot
    }
  }

  #grow(): void {
    const old = this.#words
    this.#words = new Int32Array(old.length * 2)
    this.#mask = this.#mask * 2 + 1
    const key = Buffer.alloc(16)
    for (let at = 0; at < old.length; at += WORDS) {
      if (old[at] === 0) continue
      for (let i = 0; i < WORDS; i += 1) key.writeInt32LE(old[at + i]!, i * 4)
      store(this.#words, this.#find(key), key)
    }
  }
}

/** Of fixed size, in shared memory: threads add and look at the same time. Nothing is removed. */
export class SharedIdSet {
  readonly #words: Int32Array
  readonly #mask: number

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 4)
    // The word in front counts; the rest are slots.
    this.#counter = new Int32Array(memory, 0, 1)
    this.#mask = this.#words.length / WORDS - 1
  }

  readonly #counter: Int32Array

  /** Zeroed; pages are only taken from the system as they are written. */
  static allocate(keyCountMax: number): SharedArrayBuffer {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(1024, keyCountMax / LOAD_MAX)))
    return new SharedArrayBuffer(4 + slots * WORDS * 4)
  }

  /**
   * A key whose slot another thread is writing at this moment may be missed; whoever was told
   * about a key by the adding thread sees it.
   */
  has(key: Key): boolean {
    const words = this.#words
    const first = firstWord(key)
    for (let slot = key.readInt32LE(4) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const found = Atomics.load(words, slot * WORDS)
      if (found === 0) return false
      if (found === first && sameRest(words, slot, key)) return true
    }
  }

  /** @returns false when the table is full: the key is not in it then */
  add(key: Key): boolean {
    if (this.has(key)) return true
    if (Atomics.load(this.#counter, 0) > (this.#mask + 1) * LOAD_MAX) return false
    const words = this.#words
    const first = firstWord(key)
    let slot = key.readInt32LE(4) & this.#mask
    // Two threads with the same key take two slots: that costs memory and nothing else.
    while (Atomics.compareExchange(words, slot * WORDS, 0, first) !== 0) {
      slot = (slot + 1) & this.#mask
    }
    for (let i = 1; i < WORDS; i += 1) {
      Atomics.store(words, slot * WORDS + i, key.readInt32LE(i * 4))
    }
    Atomics.add(this.#counter, 0, 1)
    return true
  }
}

function firstWord(key: Key): number {
  return key.readInt32LE(0) || 1
}

function sameRest(words: Int32Array, slot: number, key: Key): boolean {
  const at = slot * WORDS
  return (
    words[at + 1] === key.readInt32LE(4) &&
    words[at + 2] === key.readInt32LE(8) &&
    words[at + 3] === key.readInt32LE(12)
  )
}

function store(words: Int32Array, slot: number, key: Key): void {
  words[slot * WORDS] = firstWord(key)
  for (let i = 1; i < WORDS; i += 1) words[slot * WORDS + i] = key.readInt32LE(i * 4)
}

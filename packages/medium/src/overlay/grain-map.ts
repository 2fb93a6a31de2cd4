/**
 * State of every grain, shared by the threads of one engine: a directory with one word a leaf
 * (8,192 grains), and two bits a grain below it.
 *
 *   directory[leaf]   0 absent, 1 written, 2 zero: the whole leaf; 3: see the leaf's bits
 *   bits              512 words a leaf, at a fixed place
 *
 * The buffer is as large as the device needs, but the kernel gives memory only to the pages that
 * are touched: a uniform leaf costs its directory word. Readers take no lock. Writers are
 * serialised by the overlay's log lock; a reader that races with one sees the old or the new
 * state of a grain, and both are right while the operation has not returned.
 */
import { assert } from '@openmaas/kernel/assert'
import { type GrainRun, type GrainState, LEAF_BYTES, LEAF_GRAINS } from './format.ts'

const MIXED = 3
const WORDS_PER_LEAF = LEAF_BYTES / 4
const GRAINS_PER_WORD = 16
/** All sixteen grains of a word in one state, by state. */
const WORD_PATTERN = [0, 0x55555555, 0xaaaaaaaa | 0] as const

export class GrainMap {
  readonly grainCount: number
  readonly buffer: SharedArrayBuffer
  readonly #directory: Int32Array
  readonly #words: Int32Array

  /** Bytes of addresses (not of memory) that a map of so many grains takes. */
  static bufferSize(grainCount: number): number {
    const leafCount = Math.ceil(grainCount / LEAF_GRAINS)
    return leafCount * (4 + LEAF_BYTES)
  }

  constructor(grainCount: number, buffer = new SharedArrayBuffer(GrainMap.bufferSize(grainCount))) {
    const leafCount = Math.ceil(grainCount / LEAF_GRAINS)
    assert(buffer.byteLength === GrainMap.bufferSize(grainCount), 'the buffer is of this map')
    this.grainCount = grainCount
    this.buffer = buffer
    this.#directory = new Int32Array(buffer, 0, leafCount)
    this.#words = new Int32Array(buffer, leafCount * 4)
  }

  get(grain: number): GrainState {
    const leaf = Math.floor(grain / LEAF_GRAINS)
    const uniform = Atomics.load(this.#directory, leaf)
    if (uniform !== MIXED) return uniform as GrainState
    const inLeaf = grain - leaf * LEAF_GRAINS
    const word = Atomics.load(this.#words, leaf * WORDS_PER_LEAF + (inLeaf >>> 4))
    return ((word >>> ((inLeaf & 15) * 2)) & 3) as GrainState
  }

  /** First grain behind `grain` whose state is another than `state`, at most `limit`. */
  runEnd(grain: number, limit: number, state: GrainState): number {
    let at = grain
    while (at < limit) {
      const leaf = Math.floor(at / LEAF_GRAINS)
      const leafStart = leaf * LEAF_GRAINS
      const stop = Math.min(limit, leafStart + LEAF_GRAINS)
      const uniform = Atomics.load(this.#directory, leaf)
      if (uniform !== MIXED) {
        if (uniform !== state) return at
        at = stop
        continue
      }
      at = this.#runEndInLeaf(at, stop, leaf, state)
      if (at < stop) return at
    }
    return limit
  }

  #runEndInLeaf(from: number, stop: number, leaf: number, state: GrainState): number {
    const leafStart = leaf * LEAF_GRAINS
    let at = from
    while (at < stop) {
      const inLeaf = at - leafStart
      const word = Atomics.load(this.#words, leaf * WORDS_PER_LEAF + (inLeaf >>> 4))
      if ((inLeaf & 15) === 0 && word === WORD_PATTERN[state]) {
        at += GRAINS_PER_WORD
        continue
      }
      if (((word >>> ((inLeaf & 15) * 2)) & 3) !== state) return at
      at += 1
    }
    return stop
  }

  /** True when every grain of [first, end) has that state. */
  isAll(first: number, end: number, state: GrainState): boolean {
    return this.runEnd(first, end, state) === end
  }

  /** How many grains of [first, end) have that state. */
  count(first: number, end: number, state: GrainState): number {
    let sum = 0
    for (const run of this.runs(first, end)) if (run.state === state) sum += run.count
    return sum
  }

  /** Runs of equal state that cover [first, end) exactly, in order. */
  *runs(first = 0, end = this.grainCount): Generator<GrainRun> {
    let at = first
    while (at < end) {
      const state = this.get(at)
      // At least one grain: a writer may have changed it since it was read.
      const stop = Math.max(at + 1, this.runEnd(at, end, state))
      yield { first: at, count: stop - at, state }
      at = stop
    }
  }

  /** Caller holds the log lock. */
  set(run: GrainRun): void {
    const end = run.first + run.count
    assert(run.first >= 0 && end <= this.grainCount, 'the run lies in the device')
    let at = run.first
    while (at < end) {
      const leaf = Math.floor(at / LEAF_GRAINS)
      const leafStart = leaf * LEAF_GRAINS
      const leafEnd = Math.min(leafStart + LEAF_GRAINS, this.grainCount)
      const stop = Math.min(end, leafEnd)
      if (at === leafStart && stop === leafEnd) Atomics.store(this.#directory, leaf, run.state)
      else this.#setInLeaf(leaf, at - leafStart, stop - leafStart, run.state)
      at = stop
    }
  }

  #setInLeaf(leaf: number, first: number, end: number, state: GrainState): void {
    const base = leaf * WORDS_PER_LEAF
    const uniform = Atomics.load(this.#directory, leaf)
    if (uniform === state) return
    if (uniform !== MIXED) {
      // The bits come first: a reader that sees MIXED finds the states that were there.
      this.#words.fill(WORD_PATTERN[uniform as GrainState], base, base + WORDS_PER_LEAF)
      Atomics.store(this.#directory, leaf, MIXED)
    }
    let at = first
    while (at < end) {
      const inWord = at & 15
      const count = Math.min(GRAINS_PER_WORD - inWord, end - at)
      const mask = count === GRAINS_PER_WORD ? -1 : ((1 << (count * 2)) - 1) << (inWord * 2)
      const index = base + (at >>> 4)
      const word = Atomics.load(this.#words, index)
      Atomics.store(this.#words, index, (word & ~mask) | (WORD_PATTERN[state] & mask))
      at += count
    }
  }

  get leafCount(): number {
    return this.#directory.length
  }

  /** The state of a whole leaf, or the bytes of its bits (a copy). */
  leaf(leaf: number): GrainState | Buffer {
    const uniform = Atomics.load(this.#directory, leaf)
    if (uniform !== MIXED) return uniform as GrainState
    const start = leaf * WORDS_PER_LEAF
    const bytes = Buffer.alloc(LEAF_BYTES)
    for (let i = 0; i < WORDS_PER_LEAF; i += 1) {
      bytes.writeInt32LE(Atomics.load(this.#words, start + i), i * 4)
    }
    return bytes
  }

  /** Caller holds the log lock. */
  setLeaf(leaf: number, states: Buffer): void {
    assert(states.length === LEAF_BYTES, 'a leaf has its size')
    const start = leaf * WORDS_PER_LEAF
    for (let i = 0; i < WORDS_PER_LEAF; i += 1) {
      Atomics.store(this.#words, start + i, states.readInt32LE(i * 4))
    }
    Atomics.store(this.#directory, leaf, MIXED)
  }
}

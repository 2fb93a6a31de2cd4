/**
 * The packs a session relies on: one bit per pack number, in growable shared memory, set by its
 * lanes and read by the garbage collector in one turn.
 *
 * Together with the pack table this is Dekker's rule: a lane sets its bit and *then* looks whether
 * the pack is still live; the collector makes the pack condemned and *then* looks at the bits. In
 * whatever order they run, at least one of them sees the other.
 */
import { PACK_COUNT_MAX } from '../pool/state.ts'

const GROWTH_BYTES = 4096

export class PinSet {
  readonly buffer: SharedArrayBuffer
  #words: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.#words = new Int32Array(buffer, 0, buffer.byteLength / 4)
  }

  static allocate(packCountMax: number = PACK_COUNT_MAX): SharedArrayBuffer {
    const max = Math.ceil(packCountMax / 32) * 4
    return new SharedArrayBuffer(Math.min(GROWTH_BYTES, max), { maxByteLength: max })
  }

  add(packNo: number): void {
    const word = packNo >>> 5
    if (word >= this.#words.length) this.#grow(word)
    Atomics.or(this.#words, word, 1 << (packNo & 31))
  }

  has(packNo: number): boolean {
    const word = packNo >>> 5
    if (word >= this.#words.length) {
      this.#remap()
      if (word >= this.#words.length) return false
    }
    return (Atomics.load(this.#words, word) & (1 << (packNo & 31))) !== 0
  }

  /** Every pack number in the set, ascending. */
  *numbers(): Generator<number> {
    this.#remap()
    for (let word = 0; word < this.#words.length; word += 1) {
      let bits = Atomics.load(this.#words, word)
      while (bits !== 0) {
        const bit = 31 - Math.clz32(bits & -bits)
        yield word * 32 + bit
        bits &= bits - 1
      }
    }
  }

  #grow(word: number): void {
    const target = (Math.floor((word * 4) / GROWTH_BYTES) + 1) * GROWTH_BYTES
    const size = Math.min(target, this.buffer.maxByteLength)
    try {
      if (this.buffer.byteLength < size) this.buffer.grow(size)
    } catch (error) {
      if (this.buffer.byteLength < size) throw error // Another thread was not faster.
    }
    this.#remap()
  }

  #remap(): void {
    this.#words = new Int32Array(this.buffer, 0, this.buffer.byteLength / 4)
  }
}

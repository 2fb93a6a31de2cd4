/**
 * A ring of bytes in shared memory between one writer and one reader, each in its own thread: a
 * lane, which sleeps when it has to wait, and a thread with a socket, which never does.
 *
 * Int32: [0] bytes written, [1] bytes read (both modulo 2^32), [2] 1 when it is over.
 */
import { assert } from '@openmaas/kernel/assert'

const WRITTEN = 0
const READ = 1
const OVER = 2
const HEADER_SIZE = 16
/** Longest sleep before looking again whether the run goes on. */
const WAIT_MS = 200

export class SharedRing {
  readonly #words: Int32Array
  readonly #bytes: Buffer
  readonly #mask: number

  constructor(memory: SharedArrayBuffer) {
    this.#words = new Int32Array(memory, 0, HEADER_SIZE / 4)
    this.#bytes = Buffer.from(memory, HEADER_SIZE)
    this.#mask = this.#bytes.length - 1
    assert((this.#bytes.length & this.#mask) === 0, 'the size of a ring is a power of two')
  }

  static allocate(size: number): SharedArrayBuffer {
    return new SharedArrayBuffer(HEADER_SIZE + size)
  }

  get size(): number {
    return this.#bytes.length
  }

  /** Bytes that wait for the reader. */
  get filled(): number {
    return (Atomics.load(this.#words, WRITTEN) - Atomics.load(this.#words, READ)) >>> 0
  }

  get isOver(): boolean {
    return Atomics.load(this.#words, OVER) !== 0
  }

  /** Wakes both ends; nothing more comes. */
  end(): void {
    Atomics.store(this.#words, OVER, 1)
    Atomics.notify(this.#words, WRITTEN)
    Atomics.notify(this.#words, READ)
  }

  /** For the writer, when there is room for all of it. The reader sees it after `publish`. */
  write(bytes: Uint8Array, at = 0): void {
    const start = (Atomics.load(this.#words, WRITTEN) + at) & this.#mask
    const first = Math.min(bytes.length, this.size - start)
    this.#bytes.set(first === bytes.length ? bytes : bytes.subarray(0, first), start)
    if (first < bytes.length) this.#bytes.set(bytes.subarray(first), 0)
  }

  publish(count: number): void {
    Atomics.add(this.#words, WRITTEN, count)
    Atomics.notify(this.#words, WRITTEN)
  }

  /** For the reader: copies the next bytes, which are there, and keeps them. */
  peek(target: Buffer, at = 0): Buffer {
    const start = (Atomics.load(this.#words, READ) + at) & this.#mask
    const first = Math.min(target.length, this.size - start)
    this.#bytes.copy(target, 0, start, start + first)
    if (first < target.length) this.#bytes.copy(target, first, 0, target.length - first)
    return target
  }

  release(count: number): void {
    Atomics.add(this.#words, READ, count)
    Atomics.notify(this.#words, READ)
  }

  /** Sleeps until there is room. @returns false when it is over */
  waitForRoom(count: number): boolean {
    assert(count <= this.size, 'what is written fits the ring')
    return this.#wait(READ, () => this.size - this.filled >= count)
  }

  /** Sleeps until there are so many bytes. @returns false when it is over */
  waitForBytes(count: number): boolean {
    return this.#wait(WRITTEN, () => this.filled >= count)
  }

  /** The same for a thread with an event loop: resolves when something may have changed. */
  async roomChanged(count: number): Promise<void> {
    await this.#changed(READ, () => this.size - this.filled >= count)
  }

  async bytesChanged(): Promise<void> {
    await this.#changed(WRITTEN, () => this.filled > 0)
  }

  #wait(word: number, ready: () => boolean): boolean {
    for (;;) {
      const seen = Atomics.load(this.#words, word)
      if (this.isOver) return false
      if (ready()) return true
      Atomics.wait(this.#words, word, seen, WAIT_MS)
    }
  }

  async #changed(word: number, ready: () => boolean): Promise<void> {
    const seen = Atomics.load(this.#words, word)
    if (this.isOver || ready()) return
    const wait = Atomics.waitAsync(this.#words, word, seen)
    if (wait.async) await wait.value
  }
}

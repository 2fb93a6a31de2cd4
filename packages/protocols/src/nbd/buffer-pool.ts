/**
 * Buffers for payloads and replies, used again rather than allocated: a fresh buffer costs page
 * faults (5.9 GB/s against 34 GB/s for memory that is already there, PERFORMANCE.md section 2).
 *
 * Sizes are powers of two plus HEADROOM, so that a 1 MiB reply with its header does not take 2.
 * A buffer that is not given back is merely collected.
 */
import { assert } from '@openmaas/kernel/assert'
import { KiB, MiB } from '@openmaas/kernel/units'

/** Room for the headers of a reply beside a payload that is itself a power of two. */
const HEADROOM = 4 * KiB
const CLASS_SIZE_MIN = 64 * KiB
/** One request of 32 MiB, cut into a few hundred chunks. */
export const BUFFER_SIZE_MAX = 64 * MiB
/** What one pool keeps at most for later; the rest goes back to the collector. */
const RETAINED_MAX = 48 * MiB

export class BufferPool {
  readonly #free = new Map<number, Buffer[]>()
  #retained = 0

  /** Bytes held for later use. */
  get retained(): number {
    return this.#retained
  }

  /** A buffer of at least `size` bytes with undefined content. */
  acquire(size: number): Buffer {
    assert(size <= BUFFER_SIZE_MAX + HEADROOM, 'a buffer is asked for within the limit')
    const capacity = capacityFor(size)
    const buffer = this.#free.get(capacity)?.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(capacity)
    this.#retained -= capacity
    return buffer
  }

  /** Gives back a whole buffer of `acquire`, which nobody may touch any more. */
  release(buffer: Buffer): void {
    assert(capacityFor(buffer.length) === buffer.length, 'a whole buffer is given back')
    if (this.#retained + buffer.length > RETAINED_MAX) return
    const list = this.#free.get(buffer.length)
    if (list === undefined) this.#free.set(buffer.length, [buffer])
    else list.push(buffer)
    this.#retained += buffer.length
  }
}

function capacityFor(size: number): number {
  if (size <= CLASS_SIZE_MIN + HEADROOM) return CLASS_SIZE_MIN + HEADROOM
  return 2 ** Math.ceil(Math.log2(size - HEADROOM)) + HEADROOM
}

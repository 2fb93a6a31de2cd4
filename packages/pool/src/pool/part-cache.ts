/**
 * Decoded chunks of at most one grain, in memory that is used again and again: random reads of a
 * medium would otherwise make 64 KiB of garbage each, and the collector takes a quarter of a core.
 *
 * Nothing in here is ever given out: readers get copies, so a slot may be filled anew at any time.
 * Least recently used, bounded by slots; a slot is made when it is first needed.
 */
import { FIXED_CHUNK_SIZE } from '../chunk/chunk.ts'

interface Part {
  readonly slot: Buffer
  /** Valid bytes. */
  readonly length: number
}

export class PartCache {
  readonly #slotsMax: number
  /** In order of use, the oldest first. */
  readonly #parts = new Map<string, Part>()
  readonly #free: Buffer[] = []
  #made = 0

  /** @param budget bytes */
  constructor(budget: number) {
    this.#slotsMax = Math.max(1, Math.floor(budget / FIXED_CHUNK_SIZE))
  }

  /** The bytes, to be copied at once. */
  get(key: string): Buffer | undefined {
    const part = this.#parts.get(key)
    if (part === undefined) return undefined
    this.#parts.delete(key)
    this.#parts.set(key, part)
    return part.slot.subarray(0, part.length)
  }

  /** A slot to fill; it goes back by `set` or `give`. */
  take(): Buffer {
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#made < this.#slotsMax) {
      this.#made += 1
      return Buffer.allocUnsafeSlow(FIXED_CHUNK_SIZE)
    }
    const [oldest] = this.#parts
    this.#parts.delete(oldest![0])
    return oldest![1].slot
  }

  set(key: string, slot: Buffer, length: number): void {
    this.#parts.set(key, { slot, length })
  }

  give(slot: Buffer): void {
    this.#free.push(slot)
  }
}

/**
 * One file of the simulated disk: what programs see, and what the medium holds.
 *
 *   write ──▶ bytes (page cache) ──dataSync──▶ durable (medium)
 *                 └─ touched: units written since they were last made durable
 *
 * A failed dataSync is the worst that Linux allows: some units reach the medium, the others lose
 * their mark and will never be written, while reads go on showing them ("ghosts") or show the old
 * bytes again. A power loss keeps of every touched unit the old or the new one.
 */
import type { SeededRandom } from '@openmaas/kernel/random'

/** A disk writes sectors whole or not at all. */
export const SECTOR = 512
const PAGE = 4096

export class SimFile {
  readonly kind = 'file'
  /** Page cache; at least `size` bytes, zeros behind it. */
  bytes: Buffer = Buffer.alloc(0)
  size = 0
  durable: Buffer = Buffer.alloc(0)
  durableSize = 0
  mtimeMs: number
  lockedBy: object | undefined
  /** Bytes that survive or vanish together: SECTOR, or a page where the format relies on it. */
  readonly unit: number
  readonly #touched = new Set<number>()
  /** Since a sync failed, page cache and medium differ where nothing is marked. */
  #hasGhosts = false

  constructor(mtimeMs: number, pageAtomic: boolean) {
    this.mtimeMs = mtimeMs
    this.unit = pageAtomic ? PAGE : SECTOR
  }

  /** True when a power loss may show something else than what is seen now. */
  get dirty(): boolean {
    return this.#hasGhosts || this.#touched.size > 0 || this.size !== this.durableSize
  }

  read(target: Uint8Array, offset: number): number {
    const count = Math.max(0, Math.min(target.length, this.size - offset))
    if (count > 0) target.set(this.bytes.subarray(offset, offset + count))
    return count
  }

  write(bytes: Uint8Array, offset: number): void {
    if (bytes.length === 0) return
    const end = offset + bytes.length
    this.#reserve(end)
    this.bytes.set(bytes, offset)
    this.#touch(offset, end)
    if (end > this.size) this.size = end
  }

  /** New size; what is cut off is gone, what is added reads as zeros. */
  resize(size: number): void {
    this.#reserve(size)
    if (size < this.size) {
      this.bytes.fill(0, size, this.size)
      this.#touch(size, this.size)
    }
    this.size = size
  }

  punch(offset: number, length: number): void {
    const end = Math.min(this.size, offset + length)
    if (end <= offset) return
    this.bytes.fill(0, offset, end)
    this.#touch(offset, end)
  }

  sync(): void {
    this.#reserveDurable(this.size)
    for (const unit of this.#touched) this.#store(unit)
    this.#touched.clear()
    this.durableSize = this.size
  }

  /** The sync that answers with an error. */
  failSync(random: SeededRandom): void {
    this.#reserveDurable(Math.max(this.size, this.durableSize))
    const showsOld = random.below(2) === 0
    for (const unit of this.#touched) {
      if (random.below(2) === 0) this.#store(unit)
      else if (showsOld) this.#revert(unit)
    }
    this.#touched.clear()
    this.#hasGhosts = true
    if (random.below(2) === 0) this.durableSize = this.size
  }

  losePower(random: SeededRandom): void {
    this.#reserveDurable(Math.max(this.size, this.durableSize))
    for (const unit of this.#touched) if (random.below(2) === 0) this.#store(unit)
    this.#touched.clear()
    const choice = random.below(4)
    if (choice === 0) this.durableSize = this.size
    else if (choice === 1 && this.size > this.durableSize) {
      this.durableSize += random.below(this.size - this.durableSize + 1)
    }
    this.durable.fill(0, this.durableSize)
    this.size = this.durableSize
    this.#hasGhosts = false
    this.bytes = Buffer.from(this.durable)
    this.lockedBy = undefined
  }

  /** Damage at rest: what the medium gives from now on. */
  damage(offset: number, bytes: Uint8Array): void {
    this.#reserve(offset + bytes.length)
    this.#reserveDurable(offset + bytes.length)
    this.bytes.set(bytes, offset)
    this.durable.set(bytes, offset)
  }

  #store(unit: number): void {
    const start = unit * this.unit
    this.#reserveDurable(start + this.unit)
    this.#reserve(start + this.unit)
    this.bytes.copy(this.durable, start, start, start + this.unit)
  }

  #revert(unit: number): void {
    const start = unit * this.unit
    this.#reserveDurable(start + this.unit)
    this.#reserve(start + this.unit)
    this.durable.copy(this.bytes, start, start, start + this.unit)
    this.bytes.fill(0, this.size)
  }

  #touch(start: number, end: number): void {
    const last = Math.floor((end - 1) / this.unit)
    for (let unit = Math.floor(start / this.unit); unit <= last; unit += 1) this.#touched.add(unit)
  }

  #reserve(size: number): void {
    if (size > this.bytes.length) this.bytes = grown(this.bytes, size)
  }

  #reserveDurable(size: number): void {
    if (size > this.durable.length) this.durable = grown(this.durable, size)
  }
}

function grown(bytes: Buffer, size: number): Buffer {
  const larger = Buffer.alloc(Math.max(Math.ceil(size / PAGE) * PAGE, bytes.length * 2))
  bytes.copy(larger)
  return larger
}

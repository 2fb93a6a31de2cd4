/**
 * What a device promises, grain by grain: the slow and obvious model of an overlay.
 *
 * Each grain has its content now, and every content it had since the last flush that returned:
 * one of these, and nothing else, may be there after a power loss.
 */
import { GRAIN_SIZE } from '@openmaas/medium/overlay/format'

export interface Change {
  readonly kind: 'write' | 'zero' | 'trim'
  readonly offset: number
  readonly length: number
  readonly fill: number
}

export class DeviceModel {
  readonly bytes: Buffer
  /** By grain: contents since the last flush, the flushed one first. */
  readonly #versions: Buffer[][]

  constructor(content: Buffer) {
    this.bytes = Buffer.from(content)
    this.#versions = Array.from({ length: this.grainCount }, (_, grain) => [this.#copy(grain)])
  }

  get grainCount(): number {
    return Math.ceil(this.bytes.length / GRAIN_SIZE)
  }

  /** The device after a change that returned. */
  apply(change: Change): void {
    const { first, end } = this.#apply(change)
    for (let grain = first; grain < end; grain += 1) this.#versions[grain]!.push(this.#copy(grain))
  }

  /**
   * A change that was cut short or failed: each of its grains is as before or as intended.
   * @param read what the device shows now; it becomes what the grain is
   * @throws Error when a grain is neither
   */
  applyPart(change: Change, read: Buffer): void {
    const before = Buffer.from(this.bytes)
    const { first, end } = this.#apply(change)
    for (let grain = first; grain < end; grain += 1) {
      const [start, stop] = this.#range(grain)
      const isNew = read.compare(this.bytes, start, stop, start, stop) === 0
      const isOld = read.compare(before, start, stop, start, stop) === 0
      if (!isNew && !isOld) throw new Error(`grain ${grain} is neither old nor new`)
      this.#versions[grain]!.push(this.#copy(grain))
      if (!isNew) before.copy(this.bytes, start, start, stop)
    }
  }

  /** A flush returned. */
  flush(): void {
    for (const grain of this.#versions.keys()) this.#versions[grain] = [this.#copy(grain)]
  }

  /** @throws Error unless the device is exactly what the model says */
  expectSame(read: Buffer, what: string): void {
    for (let grain = 0; grain < this.grainCount; grain += 1) {
      const [start, stop] = this.#range(grain)
      if (read.compare(this.bytes, start, stop, start, stop) === 0) continue
      throw new Error(`${what}: grain ${grain} is not what was written`)
    }
  }

  /**
   * After a power loss: each grain is one of its versions, or what the cut change intended. What
   * is there now counts as durable: nobody can tell it from what was flushed.
   * @throws Error when a grain is of no version
   */
  settle(read: Buffer, cut: Change | undefined): void {
    if (cut !== undefined) this.apply(cut)
    for (let grain = 0; grain < this.grainCount; grain += 1) {
      const [start, stop] = this.#range(grain)
      const found = read.subarray(start, stop)
      if (!this.#versions[grain]!.some((version) => version.equals(found))) {
        throw new Error(`grain ${grain} is of no version since the last flush`)
      }
    }
    read.copy(this.bytes)
    this.flush()
  }

  #apply({ kind, offset, length, fill }: Change): { first: number; end: number } {
    const end = offset + length
    const { size } = { size: this.bytes.length }
    if (kind === 'trim') {
      // Whole grains only; the last one may be cut by the device.
      const first = Math.ceil(offset / GRAIN_SIZE)
      const stop = end === size ? this.grainCount : Math.floor(end / GRAIN_SIZE)
      if (first >= stop) return { first: 0, end: 0 }
      this.bytes.fill(0, first * GRAIN_SIZE, Math.min(size, stop * GRAIN_SIZE))
      return { first, end: stop }
    }
    this.bytes.fill(kind === 'zero' ? 0 : fill, offset, end)
    return { first: Math.floor(offset / GRAIN_SIZE), end: Math.ceil(end / GRAIN_SIZE) }
  }

  #range(grain: number): [number, number] {
    return [grain * GRAIN_SIZE, Math.min(this.bytes.length, (grain + 1) * GRAIN_SIZE)]
  }

  #copy(grain: number): Buffer {
    const [start, stop] = this.#range(grain)
    return Buffer.from(this.bytes.subarray(start, stop))
  }
}

/** A snapshot as a larger device: behind its end there are zeros, until somebody writes there. */
import { assert } from '@openmaas/kernel/assert'
import type { BlockExtent, SyncBlockDevice } from '@openmaas/kernel/block-device'
import { MaasError } from '@openmaas/kernel/errors'
import { pushExtent } from '../overlay/extents.ts'

export class GrownDevice implements SyncBlockDevice {
  readonly size: number
  readonly blockSize: number
  readonly readOnly = true
  readonly #base: SyncBlockDevice

  /** The base must outlive it; `close` leaves it open. */
  constructor(base: SyncBlockDevice, size: number) {
    assert(size >= base.size, 'a device does not shrink')
    this.size = size
    this.blockSize = base.blockSize
    this.#base = base
  }

  read(offset: number, target: Buffer): void {
    this.#checkRange(offset, target.length)
    const inside = this.#inside(offset, target.length)
    if (inside > 0) this.#base.read(offset, target.subarray(0, inside))
    target.fill(0, inside)
  }

  blockStatus(offset: number, length: number): BlockExtent[] {
    this.#checkRange(offset, length)
    const inside = this.#inside(offset, length)
    const extents = inside > 0 ? this.#base.blockStatus(offset, inside) : []
    pushExtent(extents, {
      offset: offset + inside,
      length: length - inside,
      hole: true,
      zero: true,
    })
    return extents
  }

  /** Bytes of the range that lie in the base. */
  #inside(offset: number, length: number): number {
    return Math.max(0, Math.min(length, this.#base.size - offset))
  }

  write(): void {
    throw readOnly()
  }
  trim(): void {
    throw readOnly()
  }
  writeZeroes(): void {
    throw readOnly()
  }
  flush(): void {}
  close(): void {}

  #checkRange(offset: number, length: number): void {
    assert(offset >= 0 && length >= 0 && offset + length <= this.size, 'the range is in the device')
  }
}

const readOnly = (): MaasError =>
  new MaasError('DEVICE_READ_ONLY', 'a snapshot is never written, nor what follows it')

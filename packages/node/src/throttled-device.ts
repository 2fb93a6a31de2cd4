/**
 * A device that passes no more bytes a second than it was given: reads and writes are delayed, in
 * the order in which they came. For media that must not take a node's line from others.
 */
import type { BlockDevice, BlockExtent } from '@openmaas/kernel/block-device'
import type { Clock } from '@openmaas/kernel/clock'

/** What may pass at once after a pause: half a second's worth. */
const BURST_S = 0.5
/** Shorter waits than timers are exact are left out; they add up in the next one. */
const WAIT_MS_MIN = 5

export class ThrottledDevice implements BlockDevice {
  readonly size: number
  readonly blockSize: number
  readonly readOnly: boolean
  readonly #device: BlockDevice
  readonly #bytesPerMs: number
  readonly #clock: Clock
  /** When everything that was let through would have passed at the given rate. */
  #paidUntilMs: number

  constructor(device: BlockDevice, options: { bytesPerSecond: number; clock: Clock }) {
    this.#device = device
    this.#bytesPerMs = options.bytesPerSecond / 1000
    this.#clock = options.clock
    this.#paidUntilMs = -Infinity
    this.size = device.size
    this.blockSize = device.blockSize
    this.readOnly = device.readOnly
  }

  async read(offset: number, target: Buffer): Promise<void> {
    await this.#pass(target.length)
    await this.#device.read(offset, target)
  }

  async write(offset: number, source: Buffer): Promise<void> {
    await this.#pass(source.length)
    await this.#device.write(offset, source)
  }

  trim(offset: number, length: number): void | Promise<void> {
    return this.#device.trim(offset, length)
  }

  writeZeroes(offset: number, length: number): void | Promise<void> {
    return this.#device.writeZeroes(offset, length)
  }

  flush(): void | Promise<void> {
    return this.#device.flush()
  }

  blockStatus(offset: number, length: number): BlockExtent[] | Promise<BlockExtent[]> {
    return this.#device.blockStatus(offset, length)
  }

  /** Belongs to whoever made it. */
  close(): void {}

  async #pass(bytes: number): Promise<void> {
    const nowMs = this.#clock.monotonicMs()
    this.#paidUntilMs = Math.max(this.#paidUntilMs, nowMs - BURST_S * 1000)
    this.#paidUntilMs += bytes / this.#bytesPerMs
    const waitMs = this.#paidUntilMs - nowMs
    if (waitMs < WAIT_MS_MIN) return
    await new Promise((resolve) => setTimeout(resolve, waitMs))
  }
}

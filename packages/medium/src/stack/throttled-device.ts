/**
 * A device that passes no more bytes a second than its medium may: reads and writes wait, in the
 * order in which they came. How exact that is, kernel/throttle.ts says.
 */
import type { BlockDevice, BlockExtent, Completion } from '@openmaas/kernel/block-device'
import type { Throttle } from '@openmaas/kernel/throttle'

/** How its thread waits: by a promise, or asleep. */
export type Pass = (bytes: number) => Promise<void> | undefined

/** For a thread that serves many requests at once. */
export function passAwaited(throttle: Throttle): Pass {
  return (bytes) => throttle.pass(bytes)
}

/** For a thread that serves one request after the other. */
export function passAsleep(throttle: Throttle, isOver: () => boolean): Pass {
  return (bytes) => {
    throttle.passSync(bytes, isOver)
    return undefined
  }
}

export class ThrottledDevice implements BlockDevice {
  readonly #device: BlockDevice
  readonly #pass: Pass

  constructor(device: BlockDevice, pass: Pass) {
    this.#device = device
    this.#pass = pass
  }

  /** Asked each time: a device may grow. */
  get size(): number {
    return this.#device.size
  }

  get blockSize(): number {
    return this.#device.blockSize
  }

  get readOnly(): boolean {
    return this.#device.readOnly
  }

  read(offset: number, target: Buffer): Completion {
    const turn = this.#pass(target.length)
    if (turn === undefined) return this.#device.read(offset, target)
    return turn.then(() => this.#device.read(offset, target))
  }

  write(offset: number, source: Buffer): Completion {
    const turn = this.#pass(source.length)
    if (turn === undefined) return this.#device.write(offset, source)
    return turn.then(() => this.#device.write(offset, source))
  }

  trim(offset: number, length: number): Completion {
    return this.#device.trim(offset, length)
  }

  writeZeroes(offset: number, length: number): Completion {
    return this.#device.writeZeroes(offset, length)
  }

  flush(): Completion {
    return this.#device.flush()
  }

  blockStatus(offset: number, length: number): BlockExtent[] | Promise<BlockExtent[]> {
    return this.#device.blockStatus(offset, length)
  }

  /** Belongs to whoever made it. */
  close(): void {}
}

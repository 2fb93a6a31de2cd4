/** A sink that takes no more bytes a second than a capture may read. */
import type { Throttle } from '@openmaas/kernel/throttle'
import type { ChunkType } from '@openmaas/pool/chunk/chunk'
import type { CaptureSink } from './messages.ts'

export class ThrottledSink implements CaptureSink {
  readonly #sink: CaptureSink
  readonly #throttle: Throttle
  readonly #isOver: () => boolean

  /** @param isOver ends a wait early: the run has been cancelled or has failed */
  constructor(sink: CaptureSink, throttle: Throttle, isOver: () => boolean) {
    this.#sink = sink
    this.#throttle = throttle
    this.#isOver = isOver
  }

  put(type: ChunkType, raw: Buffer): Buffer {
    this.#throttle.passSync(raw.length, this.#isOver)
    return this.#sink.put(type, raw)
  }
}

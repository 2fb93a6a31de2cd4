/**
 * Packs many small messages into few writes. All replies to one batch of input leave in one
 * buffer: a system call per request would cost more than the request (PERFORMANCE.md section 4).
 *
 * The owner writes straight into `buffer` between `reserve` and `flush`.
 */
import { KiB } from '@openmaas/kernel/units'
import type { BufferPool } from './buffer-pool.ts'

/** Where messages go. */
export interface MessageSink {
  /**
   * Sends bytes in order. `sent` is called once, when the bytes may be overwritten; possibly
   * before `send` returns.
   */
  send(bytes: Buffer, sent: () => void): void
}

/** Enough for 60 replies of 4 KiB. A larger pack keeps the first reply waiting for the last. */
const PACK_SIZE = 256 * KiB
/** A message up to this size is copied into the pack rather than sent by itself. */
const COPY_SIZE_MAX = 64 * KiB

export class MessagePacker {
  readonly #pool: BufferPool
  readonly #sink: MessageSink
  #buffer: Buffer | undefined
  #position = 0
  #backlog = 0

  constructor(pool: BufferPool, sink: MessageSink) {
    this.#pool = pool
    this.#sink = sink
  }

  /** Bytes packed or handed over, and not yet taken by the peer's side. */
  get backlog(): number {
    return this.#backlog + this.#position
  }

  /** The buffer that the last `reserve` spoke of. */
  get buffer(): Buffer {
    return this.#buffer!
  }

  /** Makes room for `size` contiguous bytes. @returns where they begin in `buffer` */
  reserve(size: number): number {
    if (this.#position > 0 && this.#position + size > PACK_SIZE) this.flush()
    if (this.#buffer !== undefined && this.#position + size > this.#buffer.length) {
      this.#pool.release(this.#buffer) // Empty, or the flush above had taken it.
      this.#buffer = undefined
    }
    this.#buffer ??= this.#pool.acquire(Math.max(PACK_SIZE, size))
    const start = this.#position
    this.#position = start + size
    return start
  }

  /** Takes back a reservation, the last one made. */
  rollback(start: number): void {
    this.#position = start
  }

  /**
   * Sends what was packed before `start`, and gives the rest of the buffer away: somebody will
   * still write into it. It does not come back to the pool.
   */
  detach(start: number): Buffer {
    const buffer = this.buffer
    const end = this.#position
    this.#buffer = undefined
    this.#position = 0
    if (start > 0) this.#hand(buffer.subarray(0, start), undefined)
    return buffer.subarray(start, end)
  }

  /** Sends a message that stands in a pooled buffer of its own, and gives the buffer back. */
  append(buffer: Buffer, size: number): void {
    if (size <= COPY_SIZE_MAX) {
      const start = this.reserve(size)
      buffer.copy(this.buffer, start, 0, size)
      this.#pool.release(buffer)
      return
    }
    this.flush()
    this.#hand(buffer.subarray(0, size), buffer)
  }

  /** Sends a message whose memory is not pooled. */
  appendForeign(bytes: Buffer): void {
    this.flush()
    this.#hand(bytes, undefined)
  }

  flush(): void {
    if (this.#position === 0) return
    const buffer = this.buffer
    const size = this.#position
    this.#buffer = undefined
    this.#position = 0
    this.#hand(buffer.subarray(0, size), buffer)
  }

  #hand(bytes: Buffer, pooled: Buffer | undefined): void {
    this.#backlog += bytes.length
    this.#sink.send(bytes, () => {
      this.#backlog -= bytes.length
      if (pooled === undefined) return
      // The usual case: taken at once, so the same warm buffer packs the next batch.
      const pack = pooled.length < 2 * PACK_SIZE
      if (pack && this.#buffer === undefined && pooled.length >= PACK_SIZE) this.#buffer = pooled
      else this.#pool.release(pooled)
    })
  }
}

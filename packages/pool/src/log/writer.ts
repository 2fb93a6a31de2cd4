/**
 * Appends to the log: the only way the pool's state changes.
 *
 *   append ─▶ queue ─▶ encode (checks run) ─▶ write all mirrors ─▶ fdatasync each ─▶ apply ─▶ done
 *                                      any error: read-only for good, the owner ends ┘
 *
 * Whatever is queued when a batch begins shares one fdatasync per mirror. An entry with a check
 * begins a batch of its own: its check then sees the state with every earlier entry applied, and
 * no `await` stands between the check and the sequence number.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { BATCH_COUNT_MAX } from './record.ts'
import type { LogRecord, RecordCodec } from './record.ts'
import type { LogMirrors } from './mirrors.ts'
import type { LogEntry } from './types.ts'

/** Entries waiting for the disk. Far above what one owner queues; more means a runaway. */
export const QUEUE_COUNT_MAX = 65_536

export interface LogPosition {
  readonly sequence: number
  readonly offset: number
  readonly mac: Buffer
}

export interface LogWriterOptions {
  readonly codec: RecordCodec
  readonly mirrors: LogMirrors
  readonly position: LogPosition
  readonly ownerEpoch: number
  /** Applies a durable record to the state; must not throw. */
  readonly apply: (record: LogRecord) => void
  readonly yieldTurn: () => Promise<void>
}

interface Waiting {
  readonly entry: LogEntry
  readonly check: (() => void) | undefined
  readonly resolve: (record: LogRecord) => void
  readonly reject: (error: unknown) => void
}

export class LogWriter {
  readonly #options: LogWriterOptions
  #queue: Waiting[] = []
  #position: LogPosition
  #pumping: Promise<void> | undefined
  #failure: MaasError | undefined

  constructor(options: LogWriterOptions) {
    this.#options = options
    this.#position = options.position
  }

  get failure(): MaasError | undefined {
    return this.#failure
  }

  /**
   * @param check throws when the entry must not be written after all; runs in the same turn in
   *   which the entry gets its sequence number
   * @returns the record once it is durable on every mirror and applied
   * @throws MaasError POOL_READ_ONLY when the log could not be written, now or before
   */
  append(entry: LogEntry, check?: () => void): Promise<LogRecord> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure)
    assert(this.#queue.length < QUEUE_COUNT_MAX, 'the log queue is bounded')
    return new Promise((resolve, reject) => {
      this.#queue.push({ entry, check, resolve, reject })
      this.#pumping ??= this.#pump()
    })
  }

  /** Resolves when nothing is queued; appends made meanwhile are waited for too. */
  async drain(): Promise<void> {
    while (this.#pumping !== undefined) await this.#pumping
  }

  /** Ends the writer: what is queued or comes later is refused. */
  close(reason: string): void {
    this.#fail(new MaasError('POOL_READ_ONLY', reason))
  }

  async #pump(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        await this.#options.yieldTurn()
        await this.#writeBatch(this.#takeBatch())
      }
    } finally {
      this.#pumping = undefined
    }
  }

  /** Synchronous from the first check to the last sequence number. */
  #takeBatch(): Waiting[] {
    const batch: Waiting[] = []
    while (this.#queue.length > 0 && batch.length < BATCH_COUNT_MAX) {
      const next = this.#queue[0]!
      if (next.check !== undefined && batch.length > 0) break
      this.#queue.shift()
      try {
        next.check?.()
        batch.push(next)
      } catch (error) {
        next.reject(error)
      }
    }
    return batch
  }

  async #writeBatch(batch: Waiting[]): Promise<void> {
    if (batch.length === 0) return
    const { records, bytes } = this.#encode(batch)
    const { mirrors, yieldTurn } = this.#options
    try {
      for (let index = 0; index < mirrors.count; index += 1) {
        mirrors.write(index, bytes, this.#position.offset)
        await yieldTurn()
      }
      for (let index = 0; index < mirrors.count; index += 1) {
        mirrors.sync(index) // Rule: never retried; the first error is final.
        await yieldTurn()
      }
    } catch (cause) {
      const failure = new MaasError(
        'POOL_READ_ONLY',
        'the pool log could not be written',
        { sequence: this.#position.sequence + 1 },
        { cause },
      )
      for (const waiting of batch) waiting.reject(failure)
      this.#fail(failure)
      return
    }
    this.#position = {
      sequence: this.#position.sequence + batch.length,
      offset: this.#position.offset + bytes.length,
      mac: records.at(-1)!.mac,
    }
    // Applied and acknowledged in one turn: nobody sees one without the other.
    for (const [index, waiting] of batch.entries()) {
      this.#options.apply(records[index]!)
      waiting.resolve(records[index]!)
    }
  }

  #encode(batch: readonly Waiting[]): { records: LogRecord[]; bytes: Buffer } {
    const { codec, ownerEpoch } = this.#options
    const records: LogRecord[] = []
    const pieces: Buffer[] = []
    let previousMac = this.#position.mac
    for (const [batchIndex, { entry }] of batch.entries()) {
      const sequence = this.#position.sequence + 1 + batchIndex
      const piece = codec.encode({ sequence, ownerEpoch, batchIndex, previousMac }, entry)
      const mac = Buffer.from(piece.subarray(piece.length - previousMac.length))
      records.push({ sequence, ownerEpoch, batchIndex, entry, mac, length: piece.length })
      pieces.push(piece)
      previousMac = mac
    }
    return { records, bytes: Buffer.concat(pieces) }
  }

  #fail(failure: MaasError): void {
    this.#failure ??= failure
    for (const waiting of this.#queue.splice(0)) waiting.reject(this.#failure)
  }
}

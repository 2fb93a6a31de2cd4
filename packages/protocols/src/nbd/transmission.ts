/**
 * The server side of the transmission phase: requests in, device calls, replies out; no I/O of
 * its own. The socket loop feeds `receive` and gives a sink for what is to be sent.
 *
 *   header ──no payload──▶ execute ──▶ header
 *      │ └──WRITE──▶ payload ──complete──▶ execute ──▶ header
 *      │ └──WRITE refused──▶ skip ──complete──▶ error reply ──▶ header
 *      └──DISC──▶ ending: what is in flight is answered, then the sink ends
 *
 * A device that answers at once is served without a promise: its reads fill the pack of replies,
 * its writes take their bytes from the input, and one batch of input makes one write. A device
 * that answers later gets memory of its own for each request; the first promise seen switches.
 *
 * Limits: input stops while IN_FLIGHT_MAX requests or IN_FLIGHT_BYTES_MAX bytes wait for the
 * device, or BACKLOG_MAX bytes of replies wait for the peer.
 */
import type { BlockDevice, Completion } from '@openmaas/kernel/block-device'
import { assert } from '@openmaas/kernel/assert'
import { KiB, MiB } from '@openmaas/kernel/units'
import type { BufferPool } from './buffer-pool.ts'
import { readUInt64, violation } from './codec.ts'
import * as nbd from './constants.ts'
import type { NbdAgreement } from './export.ts'
import { MessagePacker } from './message-packer.ts'
import type { MessageSink } from './message-packer.ts'
import { ReplyWriter } from './reply-writer.ts'
import type { WireRequest } from './reply-writer.ts'
import { errorText, errorValue, isBug, refuseRequest } from './request-check.ts'
import { performRequest } from './requests.ts'

/** Enough to keep a slow device busy; more would only be memory. */
export const IN_FLIGHT_MAX = 256
/** Payloads waiting for the device; one more request of 32 MiB may be let in below this. */
export const IN_FLIGHT_BYTES_MAX = 64 * MiB
/** Replies waiting for the peer; one more reply of 32 MiB may be made below this. */
export const BACKLOG_MAX = 16 * MiB
/** From here on it pays to let the socket read straight into the payload's buffer. */
const DIRECT_READ_MIN = 64 * KiB

export interface TransmissionSink extends MessageSink {
  /** Everything is answered and handed to `send`: close the connection. */
  end(): void
  /** Input is wanted again, after `wantsInput` was false. */
  resume(): void
  /** A device call failed by a bug; the peer got EIO. */
  report(error: unknown): void
  /** The peer broke the protocol in input that had to wait: drop the connection. */
  fail(error: unknown): void
}

export class NbdTransmission {
  readonly #device: BlockDevice
  readonly #agreement: NbdAgreement
  readonly #facts: { size: number; readOnly: boolean; structured: boolean; blockStatus: boolean }
  readonly #pool: BufferPool
  readonly #sink: TransmissionSink
  readonly #packer: MessagePacker
  readonly #writer: ReplyWriter

  // The request being parsed. A header that is cut by the input's end waits in #carry.
  readonly #carry = Buffer.alloc(nbd.REQUEST_HEADER_SIZE)
  #carried = 0
  readonly #request: WireRequest = { type: 0, flags: 0, high: 0, low: 0, offset: 0, length: 0 }
  #payload: Buffer | undefined
  #filled = 0
  #skip = 0
  #refusal = 0

  /** Input that came in while requests may not be taken. */
  #stash: Buffer | undefined
  #inFlight = 0
  #inFlightBytes = 0
  #ending = false
  #goodbye = false
  #ended = false
  #flushPlanned = false
  /** Until the device has shown which it is, payloads are copied and replies stand alone. */
  #writesAtOnce: boolean | undefined
  #readsLater = false
  #inputRetained = false

  constructor(agreement: NbdAgreement, pool: BufferPool, sink: TransmissionSink) {
    this.#device = agreement.device
    this.#agreement = agreement
    this.#facts = {
      size: agreement.device.size,
      readOnly: agreement.device.readOnly,
      structured: agreement.structured,
      blockStatus: agreement.blockStatus,
    }
    this.#pool = pool
    this.#sink = sink
    this.#packer = new MessagePacker(pool, {
      send: (bytes, sent) =>
        sink.send(bytes, () => {
          sent()
          if (this.#stash !== undefined) this.#planFlush()
        }),
    })
    this.#writer = new ReplyWriter(this.#packer, agreement.structured)
  }

  /** False while the peer sends faster than it is served: the socket shall pause. */
  get wantsInput(): boolean {
    return this.#stash === undefined
  }

  /** The peer has said that it wants nothing more. */
  get goodbye(): boolean {
    return this.#goodbye
  }

  /** Requests that wait for the device. */
  get inFlight(): number {
    return this.#inFlight
  }

  /**
   * Where the socket may read the next bytes to spare a copy: the rest of a large payload.
   * What is read there is passed to `receive` like all else.
   */
  get inputTarget(): Buffer | undefined {
    if (this.#payload === undefined) return undefined
    const length = this.#request.length
    if (length - this.#filled < DIRECT_READ_MIN) return undefined
    return this.#payload.subarray(this.#filled, length)
  }

  /** True once when the input of the last `receive` is still in use and must not be overwritten. */
  takeInputRetained(): boolean {
    const retained = this.#inputRetained
    this.#inputRetained = false
    return retained
  }

  /**
   * Consumes bytes as they arrive.
   * @throws MaasError NBD_PROTOCOL_VIOLATION; the caller drops the connection
   */
  receive(bytes: Buffer): void {
    if (this.#stash !== undefined) {
      this.#stash = Buffer.concat([this.#stash, bytes]) // The socket's last piece before pausing.
      return
    }
    this.#consume(bytes, false)
    this.#packer.flush()
    this.#endWhenIdle()
  }

  /** Takes no more requests; ends when those in flight are answered. */
  close(): void {
    this.#ending = true
    this.#endWhenIdle()
  }

  #consume(bytes: Buffer, owned: boolean): void {
    let at = 0
    while (at < bytes.length && !this.#ending) {
      if (this.#payload !== undefined) at = this.#fillPayload(bytes, at)
      else if (this.#skip > 0) at = this.#skipPayload(bytes, at)
      else if (this.#blocked()) {
        this.#stash = owned ? bytes.subarray(at) : Buffer.from(bytes.subarray(at))
        return
      } else at = this.#takeHeader(bytes, at)
    }
  }

  #blocked(): boolean {
    return (
      this.#packer.backlog > BACKLOG_MAX ||
      this.#inFlight >= IN_FLIGHT_MAX ||
      this.#inFlightBytes > IN_FLIGHT_BYTES_MAX
    )
  }

  #takeHeader(bytes: Buffer, from: number): number {
    let at = from
    let header = bytes
    let start = at
    if (this.#carried > 0 || bytes.length - at < nbd.REQUEST_HEADER_SIZE) {
      const wanted = nbd.REQUEST_HEADER_SIZE - this.#carried
      const taken = bytes.copy(this.#carry, this.#carried, at, Math.min(at + wanted, bytes.length))
      this.#carried += taken
      at += taken
      if (this.#carried < nbd.REQUEST_HEADER_SIZE) return at
      this.#carried = 0
      header = this.#carry
      start = 0
    } else at += nbd.REQUEST_HEADER_SIZE

    const magic = header.readUInt32BE(start)
    if (magic !== nbd.NBD_REQUEST_MAGIC) throw violation('bad request magic', magic)
    const request = this.#request
    request.flags = header.readUInt16BE(start + 4)
    request.type = header.readUInt16BE(start + 6)
    request.high = header.readUInt32BE(start + 8)
    request.low = header.readUInt32BE(start + 12)
    // Beyond 2^53 is beyond every device: Infinity is refused as out of range.
    request.offset = readUInt64(header, start + 16) ?? Infinity
    request.length = header.readUInt32BE(start + 24)
    return this.#begin(bytes, at)
  }

  /** A header is complete; `at` is where its payload would begin. @returns where parsing goes on */
  #begin(bytes: Buffer, at: number): number {
    const request = this.#request
    if (request.type === nbd.NBD_CMD_DISC) {
      this.#ending = true
      this.#goodbye = true
      return bytes.length
    }
    const refusal = refuseRequest(request, this.#facts)
    if (request.type !== nbd.NBD_CMD_WRITE) {
      if (refusal !== 0) this.#writer.error(request, refusal, 'request refused')
      else if (request.type === nbd.NBD_CMD_READ) this.#read(request)
      else this.#perform(request)
      return at
    }
    if (refusal !== 0) {
      this.#refusal = refusal
      this.#skip = request.length
      return this.#skip === 0 ? this.#skipPayload(bytes, at) : at
    }
    const { length } = request
    if (length === 0) {
      this.#writer.ack(request.high, request.low)
      return at
    }
    if (bytes.length - at >= length && this.#writesAtOnce === true) {
      this.#write(request, bytes.subarray(at, at + length), undefined)
      return at + length
    }
    this.#payload = this.#pool.acquire(length)
    this.#filled = 0
    return this.#fillPayload(bytes, at)
  }

  #fillPayload(bytes: Buffer, at: number): number {
    const payload = this.#payload!
    const { length } = this.#request
    const taken = Math.min(length - this.#filled, bytes.length - at)
    const there = payload.byteOffset + this.#filled === bytes.byteOffset + at
    // Bytes that the socket has read into inputTarget are in place already.
    if (!there || payload.buffer !== bytes.buffer) {
      bytes.copy(payload, this.#filled, at, at + taken)
    }
    this.#filled += taken
    if (this.#filled === length) {
      this.#payload = undefined
      this.#write(this.#request, payload.subarray(0, length), payload)
    }
    return at + taken
  }

  #skipPayload(bytes: Buffer, at: number): number {
    const taken = Math.min(this.#skip, bytes.length - at)
    this.#skip -= taken
    if (this.#skip === 0) this.#writer.error(this.#request, this.#refusal, 'write refused')
    return at + taken
  }

  /** @param pooled the buffer to give back after; undefined when `source` is the input itself */
  #write(request: WireRequest, source: Buffer, pooled: Buffer | undefined): void {
    let done: Completion
    try {
      done = this.#device.write(request.offset, source)
      if (done === undefined) {
        this.#writesAtOnce ??= true
        if ((request.flags & nbd.NBD_CMD_FLAG_FUA) !== 0) done = this.#device.flush()
      } else {
        if (pooled === undefined) this.#inputRetained = true
        this.#writesAtOnce = false
        if ((request.flags & nbd.NBD_CMD_FLAG_FUA) !== 0) {
          done = done.then(() => this.#device.flush())
        }
      }
    } catch (error) {
      this.#fail(request, error)
      if (pooled !== undefined) this.#pool.release(pooled)
      return
    }
    if (done === undefined) {
      this.#writer.ack(request.high, request.low)
      if (pooled !== undefined) this.#pool.release(pooled)
    } else {
      this.#later(request, source.length, done, (later) => {
        this.#writer.ack(later.high, later.low)
        if (pooled !== undefined) this.#pool.release(pooled)
      })
    }
  }

  #read(request: WireRequest): void {
    const { offset, length } = request
    if (this.#readsLater || length === 0 || this.#writer.maySkipHoles(request)) {
      this.#perform(request)
      return
    }
    const headerSize = this.#writer.readHeaderSize
    const start = this.#packer.reserve(headerSize + length)
    const end = start + headerSize + length
    let done: Completion
    try {
      done = this.#device.read(offset, this.#packer.buffer.subarray(start + headerSize, end))
    } catch (error) {
      this.#packer.rollback(start)
      this.#fail(request, error)
      return
    }
    if (done === undefined) {
      this.#writer.readHeader(this.#packer.buffer, start, request)
      return
    }
    this.#readsLater = true
    const reply = this.#packer.detach(start)
    this.#later(request, length, done, (later) => {
      this.#writer.readHeader(reply, 0, later)
      this.#packer.appendForeign(reply)
    })
  }

  /** Everything that is not a plain read or write at once. */
  #perform(request: WireRequest): void {
    let reply
    try {
      reply = performRequest(request, this.#agreement, this.#pool, this.#writer)
    } catch (error) {
      this.#fail(request, error)
      return
    }
    if (reply instanceof Promise) {
      const bytes = request.type === nbd.NBD_CMD_READ ? request.length : 0
      this.#later(request, bytes, reply, (_, send) => send())
    } else reply()
  }

  /** Answers when the device has: `complete` on success, an error otherwise. */
  #later<Result>(
    current: WireRequest,
    bytes: number,
    done: Promise<Result>,
    complete: (request: WireRequest, result: Result) => void,
  ): void {
    const request = { ...current } // The parser goes on to the next one.
    this.#inFlight += 1
    this.#inFlightBytes += bytes
    const settle = (answer: () => void): void => {
      this.#inFlight -= 1
      this.#inFlightBytes -= bytes
      answer()
      this.#planFlush()
    }
    done.then(
      (result) => settle(() => complete(request, result)),
      (error: unknown) => settle(() => this.#fail(request, error)),
    )
  }

  #fail(request: WireRequest, error: unknown): void {
    if (isBug(error)) this.#sink.report(error)
    this.#writer.error(request, errorValue(error), errorText(error))
  }

  /** After this turn's completions, so that they leave together; then goes on with the input. */
  #planFlush(): void {
    if (this.#flushPlanned || this.#ended) return
    this.#flushPlanned = true
    process.nextTick(() => {
      this.#flushPlanned = false
      this.#packer.flush()
      const stash = this.#stash
      if (stash !== undefined && !this.#blocked()) {
        this.#stash = undefined
        this.#resumeWith(stash)
      }
      this.#endWhenIdle()
    })
  }

  #resumeWith(stash: Buffer): void {
    try {
      this.#consume(stash, true)
    } catch (error) {
      this.#ended = true
      this.#sink.fail(error) // No call of the socket loop is there to throw to.
      return
    }
    this.#packer.flush()
    if (this.#stash === undefined) this.#sink.resume()
  }

  #endWhenIdle(): void {
    if (!this.#ending || this.#ended || this.#inFlight > 0) return
    this.#packer.flush()
    this.#ended = true
    this.#sink.end()
  }
}

assert(nbd.REQUEST_SIZE_MAX <= IN_FLIGHT_BYTES_MAX, 'the greatest request fits what is let in')

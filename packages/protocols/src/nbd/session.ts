/**
 * The client side of the transmission phase on one connection: requests out, replies in; no I/O
 * of its own. What has no reply yet can be taken out, to be sent again on another connection.
 *
 *   header ──simple, read──▶ data ──▶ header
 *      │ └──chunk with data──▶ data ──▶ header
 *      │ └──other chunk──▶ body ──▶ header
 *
 * The server is not believed: cookies must be known, chunks must lie in their request, and a read
 * is complete only when its chunks cover it once and exactly.
 */
import type { BlockExtent } from '@openmaas/kernel/block-device'
import { MaasError } from '@openmaas/kernel/errors'
import { KiB, MiB } from '@openmaas/kernel/units'
import type { BufferPool } from './buffer-pool.ts'
import type { ClientAgreement } from './client-handshake.ts'
import { readUInt64, violation, writeUInt64 } from './codec.ts'
import * as nbd from './constants.ts'
import { MessagePacker } from './message-packer.ts'
import type { MessageSink } from './message-packer.ts'

/** A request of the client until it is settled, over however many connections that takes. */
export interface ClientRequest {
  readonly type: number
  readonly flags: number
  readonly offset: number
  readonly length: number
  /** The bytes of a write: must not change until the request is settled. */
  readonly source?: Buffer
  /** Where a read puts its bytes. */
  readonly target?: Buffer
  /** What block status found; may cover less than was asked. */
  extents?: BlockExtent[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** A reply of this many chunks is no reply but an attack on memory. */
const CHUNK_COUNT_MAX = 65_536
/** The payload of block status and error chunks: a million extents. */
const BODY_SIZE_MAX = 8 * MiB
/** A write up to this size is copied into the pack rather than sent by itself. */
const COPY_SIZE_MAX = 16 * KiB
/** From here on it pays to let the socket read straight into the target. */
const DIRECT_READ_MIN = 64 * KiB
const LARGEST_HEADER = nbd.STRUCTURED_REPLY_HEADER_SIZE + 8

export interface SessionSink extends MessageSink {
  /** What is sent between the two calls belongs together and may leave in one piece. */
  cork(): void
  uncork(): void
  /** A request was settled: there is room for another. */
  settled(): void
}

/** A request with what is known of its reply on this connection. */
interface Pending {
  readonly cookie: number
  readonly request: ClientRequest
  failure: MaasError | undefined
  extents: BlockExtent[]
  /** Covered ranges of a read, as they came. */
  readonly ranges: { start: number; end: number }[]
}

export class NbdSession {
  readonly #agreement: ClientAgreement
  readonly #packer: MessagePacker
  readonly #sink: SessionSink
  /** By cookie, in the order they were sent. */
  readonly #pending = new Map<number, Pending>()
  #nextCookie = 0
  #flushPlanned = false

  readonly #carry = Buffer.alloc(LARGEST_HEADER)
  #carried = 0
  /** The request whose chunk is being received, and whether the chunk is its last. */
  #current: Pending | undefined
  #last = false
  #target: Buffer | undefined
  #filled = 0
  #body: Buffer | undefined
  #bodyType = 0

  constructor(agreement: ClientAgreement, pool: BufferPool, sink: SessionSink) {
    this.#agreement = agreement
    this.#sink = sink
    this.#packer = new MessagePacker(pool, sink)
  }

  get inFlight(): number {
    return this.#pending.size
  }

  /** Where the socket may read the next bytes to spare a copy. */
  get inputTarget(): Buffer | undefined {
    if (this.#target === undefined || this.#target.length - this.#filled < DIRECT_READ_MIN) {
      return undefined
    }
    return this.#target.subarray(this.#filled)
  }

  /** Takes out all requests without a reply, in the order they were sent. The session is over. */
  takePending(): ClientRequest[] {
    const requests = [...this.#pending.values()].map((pending) => pending.request)
    this.#pending.clear()
    return requests
  }

  submit(request: ClientRequest): void {
    const alone = this.#pending.size === 0
    let cookie = this.#nextCookie
    while (this.#pending.has(cookie)) cookie = (cookie + 1) >>> 0
    this.#nextCookie = (cookie + 1) >>> 0
    this.#pending.set(cookie, {
      cookie,
      request,
      failure: undefined,
      extents: [],
      ranges: [],
    })

    const { source } = request
    const large = source !== undefined && source.length > COPY_SIZE_MAX
    const copied = source === undefined || large ? 0 : source.length
    if (large) this.#sink.cork()
    const start = this.#packer.reserve(nbd.REQUEST_HEADER_SIZE + copied)
    const { buffer } = this.#packer
    buffer.writeUInt32BE(nbd.NBD_REQUEST_MAGIC, start)
    buffer.writeUInt16BE(request.flags, start + 4)
    buffer.writeUInt16BE(request.type, start + 6)
    buffer.writeUInt32BE(0, start + 8)
    buffer.writeUInt32BE(cookie, start + 12)
    writeUInt64(buffer, request.offset, start + 16)
    buffer.writeUInt32BE(request.length, start + 24)
    if (copied > 0) source!.copy(buffer, start + nbd.REQUEST_HEADER_SIZE)
    if (large) {
      this.#packer.appendForeign(source)
      this.#sink.uncork()
    }
    if (alone) this.#packer.flush() // Nothing to wait for: the server may begin.
    else this.#planFlush()
  }

  /** Says good-bye; no reply will come. */
  disconnect(): void {
    const start = this.#packer.reserve(nbd.REQUEST_HEADER_SIZE)
    const header = this.#packer.buffer.subarray(start, start + nbd.REQUEST_HEADER_SIZE)
    header.fill(0)
    header.writeUInt32BE(nbd.NBD_REQUEST_MAGIC, 0)
    header.writeUInt16BE(nbd.NBD_CMD_DISC, 6)
    this.#packer.flush()
  }

  /** Requests made in one turn of the event loop leave together. */
  #planFlush(): void {
    if (this.#flushPlanned) return
    this.#flushPlanned = true
    process.nextTick(() => {
      this.#flushPlanned = false
      this.#packer.flush()
    })
  }

  /**
   * @throws MaasError NBD_PROTOCOL_VIOLATION when the server cannot be understood;
   *   NBD_UNREACHABLE when it is shutting down: what is pending is to be sent to its successor
   */
  receive(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      if (this.#target !== undefined) at = this.#fillTarget(bytes, at)
      else if (this.#body !== undefined) at = this.#fillBody(bytes, at)
      else at = this.#takeHeader(bytes, at)
    }
  }

  #takeHeader(bytes: Buffer, at: number): number {
    if (this.#carried === 0 && bytes.length - at >= LARGEST_HEADER) {
      const size = headerSize(bytes, at, LARGEST_HEADER)
      this.#acceptHeader(bytes, at)
      return at + size
    }
    // Byte by byte in the worst case: how long the header is shows only as it comes in.
    const wanted = headerSize(this.#carry, 0, this.#carried)
    const end = Math.min(at + wanted - this.#carried, bytes.length)
    bytes.copy(this.#carry, this.#carried, at, end)
    this.#carried += end - at
    if (headerSize(this.#carry, 0, this.#carried) === this.#carried) {
      this.#carried = 0
      this.#acceptHeader(this.#carry, 0)
    }
    return end
  }

  #acceptHeader(header: Buffer, at: number): void {
    const simple = header.readUInt32BE(at) === nbd.NBD_SIMPLE_REPLY_MAGIC
    const cookie = header.readUInt32BE(at + 12)
    const pending = this.#pending.get(cookie)
    if (pending === undefined || header.readUInt32BE(at + 8) !== 0) {
      throw violation('reply to an unknown request', cookie)
    }
    this.#current = pending
    if (simple) this.#acceptSimple(pending, header.readUInt32BE(at + 4))
    else this.#acceptChunk(pending, header, at)
  }

  #acceptSimple(pending: Pending, error: number): void {
    const { request } = pending
    const structured = this.#agreement.structured && request.type === nbd.NBD_CMD_READ
    if (structured || request.type === nbd.NBD_CMD_BLOCK_STATUS) {
      throw violation('simple reply where a structured one was agreed', request.type)
    }
    this.#last = true
    if (error !== 0) pending.failure = remoteError(error, '', request)
    if (error === 0 && request.type === nbd.NBD_CMD_READ) {
      this.#expectData(pending, request.offset, request.length)
    } else this.#endChunk()
  }

  #acceptChunk(pending: Pending, header: Buffer, at: number): void {
    if (!this.#agreement.structured) throw violation('structured reply was not agreed')
    const type = header.readUInt16BE(at + 6)
    const length = header.readUInt32BE(at + 16)
    this.#last = (header.readUInt16BE(at + 4) & nbd.NBD_REPLY_FLAG_DONE) !== 0
    if (type === nbd.NBD_REPLY_TYPE_NONE) {
      if (length !== 0 || !this.#last) throw violation('bad NBD_REPLY_TYPE_NONE', length)
      this.#endChunk()
    } else if (type === nbd.NBD_REPLY_TYPE_OFFSET_DATA) {
      if (length < 9) throw violation('data chunk too short', length)
      const offset = readUInt64(header, at + nbd.STRUCTURED_REPLY_HEADER_SIZE)
      this.#expectData(pending, offset, length - 8)
    } else {
      if (length === 0 || length > BODY_SIZE_MAX) throw violation('bad chunk length', length)
      this.#body = Buffer.alloc(length)
      this.#bodyType = type
      this.#filled = 0
    }
  }

  /** Notes that a chunk speaks for a range of a read, if it may. */
  #cover(pending: Pending, offset: number | undefined, length: number): number {
    const { request } = pending
    const start = (offset ?? -1) - request.offset
    const inside = start >= 0 && start + length <= request.length
    if (request.type !== nbd.NBD_CMD_READ || !inside || length === 0) {
      throw violation('chunk outside its request', offset)
    }
    pending.ranges.push({ start, end: start + length })
    if (pending.ranges.length > CHUNK_COUNT_MAX) throw violation('too many chunks')
    return start
  }

  #expectData(pending: Pending, offset: number | undefined, length: number): void {
    const start = this.#cover(pending, offset, length)
    this.#target = pending.request.target!.subarray(start, start + length)
    this.#filled = 0
  }

  #fillTarget(bytes: Buffer, at: number): number {
    const target = this.#target!
    const taken = Math.min(target.length - this.#filled, bytes.length - at)
    const there = target.byteOffset + this.#filled === bytes.byteOffset + at
    // Bytes that the socket has read into inputTarget are in place already.
    if (!there || target.buffer !== bytes.buffer) {
      bytes.copy(target, this.#filled, at, at + taken)
    }
    this.#filled += taken
    if (this.#filled === target.length) {
      this.#target = undefined
      this.#endChunk()
    }
    return at + taken
  }

  #fillBody(bytes: Buffer, at: number): number {
    const body = this.#body!
    const taken = bytes.copy(body, this.#filled, at)
    this.#filled += taken
    if (this.#filled === body.length) {
      this.#body = undefined
      this.#acceptBody(this.#current!, this.#bodyType, body)
      this.#endChunk()
    }
    return at + taken
  }

  #acceptBody(pending: Pending, type: number, body: Buffer): void {
    if ((type & nbd.NBD_REPLY_TYPE_ERROR_BIT) !== 0) {
      pending.failure ??= decodeErrorChunk(body, pending.request)
    } else if (type === nbd.NBD_REPLY_TYPE_OFFSET_HOLE) {
      if (body.length !== 12) throw violation('bad hole chunk', body.length)
      const length = body.readUInt32BE(8)
      const start = this.#cover(pending, readUInt64(body, 0), length)
      pending.request.target!.fill(0, start, start + length)
    } else if (type === nbd.NBD_REPLY_TYPE_BLOCK_STATUS) {
      const { contextId } = this.#agreement
      if (pending.request.type !== nbd.NBD_CMD_BLOCK_STATUS || pending.extents.length > 0) {
        throw violation('unexpected block status')
      }
      pending.extents = decodeBlockStatus(body, contextId, pending.request)
    } else throw violation('unknown chunk type', type)
  }

  /** A chunk is complete; with the last one the request is settled. */
  #endChunk(): void {
    if (!this.#last) return
    const pending = this.#current!
    this.#current = undefined
    const { request, failure } = pending
    if (failure === undefined) checkComplete(pending)
    this.#pending.delete(pending.cookie)
    if (request.type === nbd.NBD_CMD_BLOCK_STATUS) request.extents = pending.extents
    if (failure === undefined) request.resolve()
    else request.reject(failure)
    this.#sink.settled()
  }
}

/** How long the header at `at` is, as far as `known` bytes of it show. */
function headerSize(bytes: Buffer, at: number, known: number): number {
  if (known < 4) return 4
  const magic = bytes.readUInt32BE(at)
  if (magic === nbd.NBD_SIMPLE_REPLY_MAGIC) return nbd.SIMPLE_REPLY_SIZE
  if (magic !== nbd.NBD_STRUCTURED_REPLY_MAGIC) throw violation('bad reply magic', magic)
  if (known < nbd.STRUCTURED_REPLY_HEADER_SIZE) return nbd.STRUCTURED_REPLY_HEADER_SIZE
  const data = bytes.readUInt16BE(at + 6) === nbd.NBD_REPLY_TYPE_OFFSET_DATA
  return data ? LARGEST_HEADER : nbd.STRUCTURED_REPLY_HEADER_SIZE
}

/** @throws MaasError NBD_PROTOCOL_VIOLATION when success was claimed for less than was asked */
function checkComplete(pending: Pending): void {
  const { request, ranges, extents } = pending
  if (request.type === nbd.NBD_CMD_BLOCK_STATUS && extents.length === 0) {
    throw violation('block status without an extent')
  }
  if (request.type !== nbd.NBD_CMD_READ) return
  if (ranges.length > 1) ranges.sort((a, b) => a.start - b.start)
  let at = 0
  for (const range of ranges) {
    if (range.start !== at) throw violation('chunks of a read overlap or leave a gap', range.start)
    at = range.end
  }
  if (at !== request.length) throw violation('read ended before its last byte', at)
}

function decodeErrorChunk(body: Buffer, request: ClientRequest): MaasError {
  if (body.length < 6) throw violation('error chunk too short', body.length)
  const error = body.readUInt32BE(0)
  const length = body.readUInt16BE(4)
  if (error === 0 || length > body.length - 6) throw violation('bad error chunk', length)
  return remoteError(error, body.subarray(6, 6 + length).toString(), request)
}

/** @throws MaasError NBD_UNREACHABLE for ESHUTDOWN, which is about the server, not the request */
function remoteError(value: number, text: string, request: ClientRequest): MaasError {
  if (value === nbd.NBD_ESHUTDOWN) {
    throw new MaasError('NBD_UNREACHABLE', 'the server is shutting down')
  }
  const { type, offset, length } = request
  const details = { errno: value, reason: text, command: type, offset, length }
  if (value === nbd.NBD_ENOSPC) {
    return new MaasError('FS_NO_SPACE', 'the server has no space left', details)
  }
  if (value === nbd.NBD_EPERM) {
    return new MaasError('DEVICE_READ_ONLY', 'the server does not permit the request', details)
  }
  return new MaasError('NBD_REMOTE_ERROR', 'the server answered with an error', details)
}

/** Extents from the start of the request; the last one is cut at its end. */
function decodeBlockStatus(
  body: Buffer,
  contextId: number | undefined,
  request: ClientRequest,
): BlockExtent[] {
  if (body.length < 12 || (body.length - 4) % 8 !== 0 || body.readUInt32BE(0) !== contextId) {
    throw violation('bad block status', body.length)
  }
  const extents: BlockExtent[] = []
  const end = request.offset + request.length
  let offset = request.offset
  for (let at = 4; at < body.length && offset < end; at += 8) {
    const length = Math.min(body.readUInt32BE(at), end - offset)
    const flags = body.readUInt32BE(at + 4)
    if (length === 0) throw violation('empty extent')
    const hole = (flags & nbd.NBD_STATE_HOLE) !== 0
    extents.push({ offset, length, hole, zero: (flags & nbd.NBD_STATE_ZERO) !== 0 })
    offset += length
  }
  return extents
}

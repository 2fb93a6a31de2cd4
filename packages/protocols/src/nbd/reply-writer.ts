/**
 * The replies of the transmission phase, written into the pack in place.
 *
 * With structured replies negotiated, reads, block status and errors are structured; the plain
 * acknowledgement of everything else is a simple reply, which the protocol allows and which is
 * four bytes shorter. A read is sent only when it has succeeded, so its last chunk carries DONE.
 */
import type { BlockExtent } from '@openmaas/kernel/block-device'
import { KiB } from '@openmaas/kernel/units'
import { writeUInt64 } from './codec.ts'
import * as nbd from './constants.ts'
import type { MessagePacker } from './message-packer.ts'

/** A request as it came; `high` and `low` are the halves of the cookie. */
export interface WireRequest {
  type: number
  flags: number
  high: number
  low: number
  offset: number
  length: number
}

/** Below this a hole chunk saves too little to ask the device for its block status first. */
export const HOLE_READ_MIN = 64 * KiB
/** Header of a chunk and the offset that a data chunk begins with. */
export const DATA_CHUNK_HEADER_SIZE = nbd.STRUCTURED_REPLY_HEADER_SIZE + 8
export const HOLE_CHUNK_SIZE = nbd.STRUCTURED_REPLY_HEADER_SIZE + 12
/** Text in an error chunk, in bytes: a line for people, never a report. */
const ERROR_TEXT_MAX = 512

export class ReplyWriter {
  readonly packer: MessagePacker
  readonly structured: boolean
  readonly readHeaderSize: number

  constructor(packer: MessagePacker, structured: boolean) {
    this.packer = packer
    this.structured = structured
    this.readHeaderSize = structured ? DATA_CHUNK_HEADER_SIZE : nbd.SIMPLE_REPLY_SIZE
  }

  /** Whether a read may be answered in several chunks, some of them holes. */
  maySkipHoles(request: WireRequest): boolean {
    const whole = (request.flags & nbd.NBD_CMD_FLAG_DF) !== 0
    return this.structured && !whole && request.length >= HOLE_READ_MIN
  }

  /** The simple reply of success. */
  ack(high: number, low: number): void {
    const start = this.packer.reserve(nbd.SIMPLE_REPLY_SIZE)
    writeSimpleReply(this.packer.buffer, start, 0, { high, low })
  }

  error(request: WireRequest, value: number, text: string): void {
    if (this.structured) {
      const chunk = encodeErrorChunk(request, value, text)
      const start = this.packer.reserve(chunk.length)
      chunk.copy(this.packer.buffer, start)
    } else {
      const start = this.packer.reserve(nbd.SIMPLE_REPLY_SIZE)
      writeSimpleReply(this.packer.buffer, start, value, request)
    }
  }

  /** What stands before the bytes of a read that goes out in one piece. */
  readHeader(buffer: Buffer, start: number, request: WireRequest): void {
    if (!this.structured) writeSimpleReply(buffer, start, 0, request)
    else writeDataChunk(buffer, start, request, { ...request, last: true })
  }

  /** The reply to a request for no bytes; for a read, since a data chunk may not be empty. */
  nothing(request: WireRequest): void {
    if (!this.structured || request.type !== nbd.NBD_CMD_READ) {
      this.ack(request.high, request.low)
      return
    }
    const start = this.packer.reserve(nbd.STRUCTURED_REPLY_HEADER_SIZE)
    writeChunkHeader(this.packer.buffer, start, request, {
      type: nbd.NBD_REPLY_TYPE_NONE,
      length: 0,
      last: true,
    })
  }

  /** One chunk of base:allocation; extents in order, beginning at the request's offset. */
  blockStatus(request: WireRequest, contextId: number, extents: readonly BlockExtent[]): void {
    const length = 4 + 8 * extents.length
    const start = this.packer.reserve(nbd.STRUCTURED_REPLY_HEADER_SIZE + length)
    const { buffer } = this.packer
    const type = nbd.NBD_REPLY_TYPE_BLOCK_STATUS
    writeChunkHeader(buffer, start, request, { type, length, last: true })
    let at = start + nbd.STRUCTURED_REPLY_HEADER_SIZE
    buffer.writeUInt32BE(contextId, at)
    at += 4
    for (const extent of extents) {
      const hole = extent.hole ? nbd.NBD_STATE_HOLE : 0
      const zero = extent.zero ? nbd.NBD_STATE_ZERO : 0
      buffer.writeUInt32BE(extent.length, at)
      buffer.writeUInt32BE(hole | zero, at + 4)
      at += 8
    }
  }
}

type Cookie = Pick<WireRequest, 'high' | 'low'>

function writeSimpleReply(buffer: Buffer, start: number, error: number, cookie: Cookie): void {
  buffer.writeUInt32BE(nbd.NBD_SIMPLE_REPLY_MAGIC, start)
  buffer.writeUInt32BE(error, start + 4)
  buffer.writeUInt32BE(cookie.high, start + 8)
  buffer.writeUInt32BE(cookie.low, start + 12)
}

interface ChunkHeader {
  readonly type: number
  readonly length: number
  readonly last: boolean
}

function writeChunkHeader(buffer: Buffer, start: number, cookie: Cookie, chunk: ChunkHeader): void {
  buffer.writeUInt32BE(nbd.NBD_STRUCTURED_REPLY_MAGIC, start)
  buffer.writeUInt16BE(chunk.last ? nbd.NBD_REPLY_FLAG_DONE : 0, start + 4)
  buffer.writeUInt16BE(chunk.type, start + 6)
  buffer.writeUInt32BE(cookie.high, start + 8)
  buffer.writeUInt32BE(cookie.low, start + 12)
  buffer.writeUInt32BE(chunk.length, start + 16)
}

interface ChunkRange {
  readonly offset: number
  readonly length: number
  readonly last: boolean
}

/** Writes DATA_CHUNK_HEADER_SIZE bytes; the data follows. */
export function writeDataChunk(
  buffer: Buffer,
  start: number,
  cookie: Cookie,
  range: ChunkRange,
): void {
  const type = nbd.NBD_REPLY_TYPE_OFFSET_DATA
  writeChunkHeader(buffer, start, cookie, { type, length: 8 + range.length, last: range.last })
  writeUInt64(buffer, range.offset, start + nbd.STRUCTURED_REPLY_HEADER_SIZE)
}

/** Writes HOLE_CHUNK_SIZE bytes. */
export function writeHoleChunk(
  buffer: Buffer,
  start: number,
  cookie: Cookie,
  range: ChunkRange,
): void {
  const type = nbd.NBD_REPLY_TYPE_OFFSET_HOLE
  writeChunkHeader(buffer, start, cookie, { type, length: 12, last: range.last })
  writeUInt64(buffer, range.offset, start + nbd.STRUCTURED_REPLY_HEADER_SIZE)
  buffer.writeUInt32BE(range.length, start + nbd.STRUCTURED_REPLY_HEADER_SIZE + 8)
}

/** A whole NBD_REPLY_TYPE_ERROR chunk, the last of its reply. */
export function encodeErrorChunk(cookie: Cookie, value: number, text: string): Buffer {
  const message = Buffer.from(text).subarray(0, ERROR_TEXT_MAX)
  const length = 6 + message.length
  const bytes = Buffer.alloc(nbd.STRUCTURED_REPLY_HEADER_SIZE + length)
  writeChunkHeader(bytes, 0, cookie, { type: nbd.NBD_REPLY_TYPE_ERROR, length, last: true })
  bytes.writeUInt32BE(value, nbd.STRUCTURED_REPLY_HEADER_SIZE)
  bytes.writeUInt16BE(message.length, nbd.STRUCTURED_REPLY_HEADER_SIZE + 4)
  message.copy(bytes, nbd.STRUCTURED_REPLY_HEADER_SIZE + 6)
  return bytes
}

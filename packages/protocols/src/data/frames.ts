/**
 * Frames of the data wire: docs/protocols/data.md. State machine without I/O.
 *
 *   0 u32 payload length   4 u8 type   5 u8 chunk type of CHUNK   6 u16 zero   8 payload
 */
import { MaasError } from '@openmaas/kernel/errors'
import { KiB, MiB } from '@openmaas/kernel/units'

export const FRAME_HEADER_SIZE = 8
/** A chunk is at most 1 MiB; JSON is held to as much. */
export const FRAME_PAYLOAD_MAX = MiB + 64 * KiB
/** A ticket has at most 64 KiB. */
export const HELLO_SIZE_MAX = 128 * KiB
/** Ids of one READ: its answers are at most 32 MiB. */
export const READ_IDS_MAX = 32
export const DATA_VERSION = 1

export const FrameType = {
  hello: 1,
  welcome: 2,
  chunk: 3,
  read: 4,
  data: 5,
  flush: 6,
  flushed: 7,
  commit: 8,
  committed: 9,
  error: 10,
} as const
export type FrameType = (typeof FrameType)[keyof typeof FrameType]
const FRAME_TYPE_MAX = 10

export interface Frame {
  readonly type: FrameType
  readonly chunkType: number
  /** A view that the caller of `receive` owns. */
  readonly payload: Buffer
}

export function dataViolation(reason: string): MaasError {
  return new MaasError('DATA_PROTOCOL_VIOLATION', `the data wire: ${reason}`, { reason })
}

/** Writes the header at the front of `target`. */
export function writeFrameHeader(
  target: Buffer,
  type: FrameType,
  { length, chunkType = 0 }: { readonly length: number; readonly chunkType?: number },
): void {
  target.writeUInt32LE(length, 0)
  target[4] = type
  target[5] = chunkType
  target.writeUInt16LE(0, 6)
}

export function encodeFrame(type: FrameType, payload: Uint8Array, chunkType = 0): Buffer {
  const frame = Buffer.allocUnsafe(FRAME_HEADER_SIZE + payload.length)
  writeFrameHeader(frame, type, { length: payload.length, chunkType })
  frame.set(payload, FRAME_HEADER_SIZE)
  return frame
}

export function encodeJson(type: FrameType, value: unknown): Buffer {
  return encodeFrame(type, Buffer.from(JSON.stringify(value)))
}

/** @throws MaasError DATA_PROTOCOL_VIOLATION */
export function parseJson(payload: Buffer): unknown {
  try {
    return JSON.parse(payload.toString('utf8'))
  } catch (cause) {
    throw new MaasError('DATA_PROTOCOL_VIOLATION', 'the data wire: no JSON', {}, { cause })
  }
}

/** Puts frames together from bytes that arrive in any pieces. Holds at most one frame. */
export class FrameDecoder {
  readonly #payloadMax: number
  #pieces: Buffer[] = []
  #size = 0

  constructor(payloadMax = FRAME_PAYLOAD_MAX) {
    this.#payloadMax = payloadMax
  }

  /** Bytes that belong to no whole frame yet. */
  get rest(): Buffer {
    return Buffer.concat(this.#pieces)
  }

  /**
   * @param bytes not changed afterwards by the caller: frames may be views of them
   * @throws MaasError DATA_PROTOCOL_VIOLATION; nothing is to be read afterwards
   */
  *receive(bytes: Buffer): Generator<Frame> {
    if (bytes.length > 0) {
      this.#pieces.push(bytes)
      this.#size += bytes.length
    }
    for (;;) {
      if (this.#size < FRAME_HEADER_SIZE) return
      const header = this.#gather(FRAME_HEADER_SIZE)
      const length = header.readUInt32LE(0)
      const type = header[4]!
      if (type === 0 || type > FRAME_TYPE_MAX) throw dataViolation(`unknown frame type ${type}`)
      if (length > this.#payloadMax) throw dataViolation(`a frame of ${length} bytes`)
      const chunkType = header[5]!
      if (header.readUInt16LE(6) !== 0 || (chunkType !== 0 && type !== FrameType.chunk)) {
        throw dataViolation('reserved bytes are set')
      }
      if (this.#size < FRAME_HEADER_SIZE + length) return
      const whole = this.#take(FRAME_HEADER_SIZE + length)
      const payload = whole.subarray(FRAME_HEADER_SIZE)
      yield { type: type as FrameType, chunkType, payload }
    }
  }

  /** The first bytes in one piece. */
  #gather(size: number): Buffer {
    if (this.#pieces[0]!.length < size) this.#pieces = [Buffer.concat(this.#pieces)]
    return this.#pieces[0]!
  }

  #take(size: number): Buffer {
    const first = this.#gather(size)
    const taken = first.subarray(0, size)
    if (first.length === size) this.#pieces.shift()
    else this.#pieces[0] = first.subarray(size)
    this.#size -= size
    return taken
  }
}

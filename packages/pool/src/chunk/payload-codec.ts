/**
 * Raw bytes of a chunk ↔ encrypted payload of a record (docs/formats/pack.md, "Payload").
 * Compress if it pays, encrypt, and read back what was encoded before it counts.
 * One codec belongs to one thread; its scratch memory is 3 × CHUNK_SIZE_MAX (3 MiB).
 */
import { assert } from '@openmaas/kernel/assert'
import { CHUNK_SIZE_MAX } from './chunk.ts'
import { looksRandom } from './compressibility.ts'
import { NodePrimitives } from './node-primitives.ts'
import { TAG_SIZE } from './primitives.ts'
import type { CipherOperation, Primitives } from './primitives.ts'

export const CODEC_RAW = 0
export const CODEC_ZSTD = 1
export type Codec = typeof CODEC_RAW | typeof CODEC_ZSTD

/** A frame has to save at least 3 %, or reading it later costs more than it saved. */
const FRAME_SHARE_MAX = 0.97

export class PayloadCodec {
  readonly #primitives: Primitives
  readonly #frame = Buffer.allocUnsafeSlow(CHUNK_SIZE_MAX)
  readonly #frameBack = Buffer.allocUnsafeSlow(CHUNK_SIZE_MAX)
  readonly #raw = Buffer.allocUnsafeSlow(CHUNK_SIZE_MAX)
  #plain: Buffer = this.#frame

  constructor(primitives: Primitives = new NodePrimitives()) {
    this.#primitives = primitives
  }

  get implementation(): 'native' | 'node' {
    return this.#primitives.name
  }

  /**
   * First step of encoding: compresses when that pays. The result is used by the `seal` that
   * follows at once; the raw bytes must stay unchanged until then.
   */
  pack(raw: Buffer): { codec: Codec; length: number } {
    assert(raw.length > 0 && raw.length <= CHUNK_SIZE_MAX, 'a chunk has 1 … CHUNK_SIZE_MAX bytes')
    const limit = Math.floor(raw.length * FRAME_SHARE_MAX)
    const length = looksRandom(raw)
      ? 0
      : this.#primitives.compress(raw, this.#frame.subarray(0, limit))
    this.#plain = length > 0 ? this.#frame.subarray(0, length) : raw
    return { codec: length > 0 ? CODEC_ZSTD : CODEC_RAW, length: this.#plain.length }
  }

  /** Second step: encrypts what `pack` made; target has its length + TAG_SIZE bytes. */
  seal(operation: CipherOperation, target: Buffer): void {
    assert(target.length === this.#plain.length + TAG_SIZE, 'the target fits the payload')
    this.#primitives.encrypt(operation, this.#plain, target)
  }

  /**
   * Decrypts and decompresses into the target, whose length is the raw length.
   * @returns false when the tag is wrong or the frame is not exactly that long
   */
  open(operation: CipherOperation, codec: Codec, encoded: Buffer, target: Buffer): boolean {
    const length = encoded.length - TAG_SIZE
    if (length < 1 || length > CHUNK_SIZE_MAX) return false
    if (codec === CODEC_RAW) {
      return length === target.length && this.#primitives.decrypt(operation, encoded, target)
    }
    const frame = this.#frameBack.subarray(0, length)
    if (!this.#primitives.decrypt(operation, encoded, frame)) return false
    return this.#primitives.decompress(frame, target) === target.length
  }

  /** As `open`, into scratch memory that the next call overwrites. */
  openToScratch(
    operation: CipherOperation,
    codec: Codec,
    encoded: Buffer,
    rawLength: number,
  ): Buffer | undefined {
    assert(rawLength > 0 && rawLength <= CHUNK_SIZE_MAX, 'the raw length was checked before')
    const target = this.#raw.subarray(0, rawLength)
    return this.open(operation, codec, encoded, target) ? target : undefined
  }

  /** Encrypts a payload once more under another key: same bytes inside, same length. */
  reseal(from: CipherOperation, to: CipherOperation, encoded: Buffer): boolean {
    const plain = this.#frameBack.subarray(0, encoded.length - TAG_SIZE)
    if (!this.#primitives.decrypt(from, encoded, plain)) return false
    this.#primitives.encrypt(to, plain, encoded)
    return true
  }
}

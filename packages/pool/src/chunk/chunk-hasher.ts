/** Chunk ids: BLAKE3 keyed with the pool's chunk-id key over the raw bytes, nothing before them. */
import { Blake3Hasher } from '@napi-rs/blake-hash'

/** Ids are cut from slabs of so many: a buffer of its own costs more than the hash of 1 KiB. */
const SLAB_IDS = 256
const ID_SIZE = 32

/** One per thread: the native hasher is reused, because making one costs as much as 4 KiB. */
export class ChunkHasher {
  readonly #hasher: Blake3Hasher
  #slab = Buffer.alloc(0)
  #next = 0

  constructor(chunkIdKey: Buffer) {
    this.#hasher = Blake3Hasher.newKeyed(chunkIdKey)
  }

  /** @returns the id, 32 bytes that nobody else writes to */
  hash(raw: Buffer): Buffer {
    if (this.#next === this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_IDS * ID_SIZE)
      this.#next = 0
    }
    const id = this.#slab.subarray(this.#next, this.#next + ID_SIZE)
    this.#next += ID_SIZE
    id.write(this.#digest(raw), 'hex')
    return id
  }

  /** True when the bytes are those of the id. */
  matches(raw: Buffer, id: Buffer): boolean {
    return this.#digest(raw) === id.toString('hex')
  }

  /**
   * As hex: digestBuffer() gives memory outside the heap with a finalizer, which costs a
   * microsecond and drives the garbage collector; a short string does neither.
   */
  #digest(raw: Buffer): string {
    this.#hasher.reset()
    return this.#hasher.update(raw).digest('hex')
  }
}

/** Unkeyed BLAKE3 over bytes that come in pieces: the pack hash, verifiable without a key. */
export class PackHasher {
  readonly #hasher = new Blake3Hasher()

  reset(): void {
    this.#hasher.reset()
  }

  update(bytes: Buffer): void {
    // The native call of an empty buffer is legal, but a caller that has nothing means no call.
    if (bytes.length > 0) this.#hasher.update(bytes)
  }

  digest(): Buffer {
    return this.#hasher.digestBuffer()
  }
}

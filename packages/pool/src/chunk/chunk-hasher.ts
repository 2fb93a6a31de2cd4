/** Chunk ids: BLAKE3 keyed with the pool's chunk-id key over the raw bytes, nothing before them. */
import { Blake3Hasher } from '@napi-rs/blake-hash'

/** One per thread: the native hasher is reused, because making one costs as much as 4 KiB. */
export class ChunkHasher {
  readonly #hasher: Blake3Hasher

  constructor(chunkIdKey: Buffer) {
    this.#hasher = Blake3Hasher.newKeyed(chunkIdKey)
  }

  /** @returns the id, 32 bytes in a buffer of its own */
  hash(raw: Buffer): Buffer {
    this.#hasher.reset()
    return this.#hasher.update(raw).digestBuffer()
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

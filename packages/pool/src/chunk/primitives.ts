/**
 * Compression and encryption behind one interface with two implementations that read each
 * other's bytes: `native-primitives.ts` (symbols of the Node binary, contexts reused, results
 * straight into our buffers) and `node-primitives.ts` (public Node API, allocates per call).
 * One instance belongs to one thread.
 */

/** AES-256-GCM tag, appended to the ciphertext. */
export const TAG_SIZE = 16
export const KEY_SIZE = 32
export const NONCE_SIZE = 12

/** zstd level of every pool: levels from 3 up buy at most 5 % for up to 3 times the time. */
export const ZSTD_LEVEL = 1

export interface Primitives {
  readonly name: 'native' | 'node'
  /** @returns bytes written to the target, or 0 when the frame does not fit into it */
  compress(source: Buffer, target: Buffer): number
  /** @returns bytes written, or -1 when the frame is invalid or larger than the target */
  decompress(source: Buffer, target: Buffer): number
  /** Writes ciphertext and tag: target has source.length + TAG_SIZE bytes. */
  encrypt(operation: CipherOperation, source: Buffer, target: Buffer): void
  /**
   * Takes ciphertext and tag: target has source.length - TAG_SIZE bytes.
   * @returns false when the tag is wrong; the target then holds nothing to believe
   */
  decrypt(operation: CipherOperation, source: Buffer, target: Buffer): boolean
}

export interface CipherOperation {
  /** 32 bytes. Kept by reference: the same object means the same key, set up once. */
  readonly key: Buffer
  /** 12 bytes, never twice under one key. */
  readonly nonce: Buffer
  readonly associatedData: Buffer
}

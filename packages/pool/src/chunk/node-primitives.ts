/** The portable implementation of `Primitives`: node:zlib and node:crypto. */
import { createCipheriv, createDecipheriv } from 'node:crypto'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { CHUNK_SIZE_MAX } from './chunk.ts'
import { TAG_SIZE, ZSTD_LEVEL } from './primitives.ts'
import type { CipherOperation, Primitives } from './primitives.ts'

/** A frame of at most CHUNK_SIZE_MAX needs no larger window than this power of two. */
const WINDOW_LOG_MAX = Math.log2(CHUNK_SIZE_MAX)

export class NodePrimitives implements Primitives {
  readonly name = 'node'

  compress(source: Buffer, target: Buffer): number {
    const frame = zstdCompressSync(source, {
      // One output piece: the default of 16 KiB pieces costs up to twice the time.
      chunkSize: source.length + (source.length >> 8) + 512,
      params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL },
    })
    if (frame.length > target.length) return 0
    frame.copy(target)
    return frame.length
  }

  decompress(source: Buffer, target: Buffer): number {
    try {
      const raw = zstdDecompressSync(source, {
        chunkSize: Math.max(64, target.length),
        maxOutputLength: Math.max(1, target.length),
        params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
      })
      raw.copy(target)
      return raw.length
    } catch (error) {
      // Invalid frame (ZSTD_error_*) or more bytes than the record says: both are damage.
      if (error instanceof Error && 'code' in error) return -1
      throw error
    }
  }

  encrypt(operation: CipherOperation, source: Buffer, target: Buffer): void {
    const cipher = createCipheriv('aes-256-gcm', operation.key, operation.nonce)
    cipher.setAAD(operation.associatedData)
    cipher.update(source).copy(target)
    cipher.final()
    cipher.getAuthTag().copy(target, source.length)
  }

  decrypt(operation: CipherOperation, source: Buffer, target: Buffer): boolean {
    const length = source.length - TAG_SIZE
    const cipher = createDecipheriv('aes-256-gcm', operation.key, operation.nonce, {
      authTagLength: TAG_SIZE,
    })
    cipher.setAAD(operation.associatedData)
    cipher.setAuthTag(source.subarray(length))
    cipher.update(source.subarray(0, length)).copy(target)
    try {
      cipher.final()
      return true
    } catch {
      // The only thing final() does here is to compare the tag.
      return false
    }
  }
}

/** Chunks in a map: for the tests of what reads and writes trees, here and in other packages. */
import { createHash } from 'node:crypto'
import { MaasError } from '@openmaas/kernel/errors'
import type { ChunkSink, ChunkSource, ChunkType } from '../chunk/chunk.ts'

export class MemoryChunks implements ChunkSource, ChunkSink {
  readonly chunks = new Map<string, { type: ChunkType; raw: Buffer }>()
  reads = 0

  put(type: ChunkType, raw: Buffer): Buffer {
    const id = createHash('sha256').update(raw).digest()
    const key = id.toString('hex')
    if (!this.chunks.has(key)) this.chunks.set(key, { type, raw: Buffer.from(raw) })
    return id
  }

  read(id: Buffer): Buffer {
    this.reads += 1
    const chunk = this.chunks.get(id.toString('hex'))
    if (chunk === undefined) {
      throw new MaasError('CHUNK_MISSING', 'a chunk is missing', { chunk: id.toString('hex') })
    }
    return chunk.raw
  }
}

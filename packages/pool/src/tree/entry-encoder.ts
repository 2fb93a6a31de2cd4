/** Encodes one entry by itself, for what has to be kept until its place in a node is known. */
import { assert } from '@openmaas/kernel/assert'
import { type ChunkSink, ChunkType } from '../chunk/chunk.ts'
import { DirectoryBuilder } from './directory-builder.ts'
import { NODE_HEADER_SIZE } from './node-view.ts'

const NO_ID = Buffer.alloc(32)

/**
 * @param sink takes external xattr blocks
 * @param add adds exactly one entry
 * @returns the entry's bytes, for `DirectoryBuilder.addEncoded`
 */
export function encodeEntry(sink: ChunkSink, add: (builder: DirectoryBuilder) => void): Buffer {
  let entry: Buffer | undefined
  const builder = new DirectoryBuilder({
    put(type, raw) {
      if (type !== ChunkType.treeNode) return sink.put(type, raw)
      entry = Buffer.from(raw.subarray(NODE_HEADER_SIZE))
      return NO_ID
    },
  })
  add(builder)
  builder.finish()
  assert(entry !== undefined && entry.readUInt32LE(0) === entry.length, 'one entry was added')
  return entry
}

import { SeededRandom } from '@openmaas/kernel/random'
import { ChunkType } from '@openmaas/pool/chunk/chunk'
import { readContent } from '@openmaas/pool/tree/content'
import { ContentListBuilder } from '@openmaas/pool/tree/content-list'
import { MemoryChunks } from '@openmaas/pool/tree/memory-chunks.test-support'
import { expect, test } from 'vitest'
import { FileReader, ListCache } from './file-reader.ts'
import { RandomTree } from './random-tree.test-support.ts'

test('reads any range as one read of the whole file does, and zeros behind its end', () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const random = new SeededRandom(seed)
    const chunks = new MemoryChunks()
    const size = 1 + random.below(3_000_000)
    const content = new RandomTree(chunks, random).content(size)
    const whole = Buffer.alloc(size + 100_000)
    readContent(chunks, { size, content }, 0, whole)
    const reader = new FileReader(chunks, new ListCache(chunks, 1), { size, content })
    for (let i = 0; i < 100; i += 1) {
      const offset = random.below(size + 1000)
      const target = Buffer.alloc(1 + random.below(90_000), 0xee)
      reader.read(offset, target)
      const expected = whole.subarray(offset, offset + target.length)
      expect(target.equals(expected), `seed ${seed}, read ${i}`).toBe(true)
    }
  }
})

test('costs one chunk for a small read near the last one, and two lists at most elsewhere', () => {
  const chunks = new MemoryChunks()
  const list = new ContentListBuilder(chunks)
  for (let i = 0; i < 20_000; i += 1) {
    const piece = Buffer.alloc(4096)
    piece.writeUInt32LE(i)
    list.addChunk(chunks.put(ChunkType.data, piece), piece.length)
  }
  const content = list.finish()
  const reader = new FileReader(chunks, new ListCache(chunks, 2 ** 24), {
    size: 20_000 * 4096,
    content,
  })
  const read = (block: number): number => {
    const target = Buffer.alloc(4096)
    chunks.reads = 0
    reader.read(block * 4096, target)
    expect(target.readUInt32LE(0)).toBe(block)
    return chunks.reads
  }
  expect(read(0)).toBe(3)
  expect(read(1)).toBe(1)
  expect(read(19_999)).toBe(2)
  expect(read(2)).toBe(1)
})

test('refuses a chunk that is not as long as its list says', () => {
  const chunks = new MemoryChunks()
  const list = new ContentListBuilder(chunks)
  list.addChunk(chunks.put(ChunkType.data, Buffer.alloc(10)), 11)
  const reader = new FileReader(chunks, new ListCache(chunks, 1), {
    size: 11,
    content: list.finish(),
  })
  expect(() => reader.read(0, Buffer.alloc(11))).toThrowError(
    expect.objectContaining({ code: 'TREE_INVALID' }),
  )
})

import { SeededRandom } from '@openmaas/kernel/random'
import { ChunkType } from '@openmaas/pool/chunk/chunk'
import { ContentListBuilder } from '@openmaas/pool/tree/content-list'
import { DirectoryBuilder, directoryRef } from '@openmaas/pool/tree/directory-builder'
import { MemoryChunks } from '@openmaas/pool/tree/memory-chunks.test-support'
import { writeTreeRoot } from '@openmaas/pool/tree/root'
import { describe, expect, test } from 'vitest'
import { Ext4View } from './ext4-view.ts'
import { plainStat, RandomTree } from './random-tree.test-support.ts'

function randomView(seed: number, options = {}): Ext4View {
  const chunks = new MemoryChunks()
  const id = new RandomTree(chunks, new SeededRandom(seed)).write()
  return new Ext4View(chunks, id, { freeBytes: 0, ...options })
}

function readAll(view: Ext4View, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  view.read(offset, bytes)
  return bytes
}

describe('the ext4 view', () => {
  test('reads one chunk to open, whatever the size of the tree', () => {
    const chunks = new MemoryChunks()
    const id = new RandomTree(chunks, new SeededRandom(1)).write()
    chunks.reads = 0
    const view = new Ext4View(chunks, id)
    expect(chunks.reads).toBe(1)
    expect(view.size % 4096).toBe(0)
  })

  test('gives the same bytes whatever the order and length of reads, with next to no cache', () => {
    for (const seed of [1, 2, 3]) {
      const whole = randomView(seed)
      const tight = randomView(seed, {
        nodeCacheBytes: 1,
        directoryCacheBytes: 1,
        blockCacheBytes: 1,
        listCacheBytes: 1,
      })
      const { layout } = whole
      // The ends of the device, and all that holds the tree.
      const random = new SeededRandom(seed)
      for (const [first, end] of [
        [0, layout.inodeTables + 200],
        [layout.journal, layout.dataEnd],
      ]) {
        const start = first! * 4096
        const expected = readAll(whole, start, (end! - first!) * 4096)
        for (let i = 0; i < 300; i += 1) {
          const offset = random.below(expected.length)
          const length = Math.min(expected.length - offset, 1 + random.below(20_000))
          const got = readAll(tight, start + offset, length)
          const same = got.equals(expected.subarray(offset, offset + length))
          expect(same, `seed ${seed}, ${length} bytes at ${start + offset}`).toBe(true)
        }
      }
    }
  })

  test('covers any range by status, and what it calls zero reads as zeros', () => {
    const view = randomView(4)
    const random = new SeededRandom(4)
    for (let i = 0; i < 200; i += 1) {
      const offset = random.below(view.size)
      const length = random.below(Math.min(view.size - offset, 2 ** 28))
      let at = offset
      for (const extent of view.blockStatus(offset, length)) {
        expect(extent.offset).toBe(at)
        at += extent.length
        if (!extent.zero) continue
        const sample = readAll(view, extent.offset, Math.min(extent.length, 50_000))
        expect(sample.every((byte) => byte === 0)).toBe(true)
      }
      expect(at).toBe(offset + length)
    }
  })

  test('has its own uuid per snapshot and seed, and takes the label', () => {
    const superblocks = [
      randomView(5),
      randomView(5),
      randomView(6),
      randomView(5, { uuidSeed: 'x' }),
      randomView(5, { label: 'a label that is too long' }),
    ].map((view) => readAll(view, 1024, 1024))
    const uuids = superblocks.map((bytes) => bytes.toString('hex', 0x68, 0x78))
    expect(superblocks[0]!.equals(superblocks[1]!)).toBe(true)
    expect(new Set(uuids).size).toBe(3)
    expect(superblocks[4]!.toString('latin1', 0x78, 0x88)).toBe('a label that is ')
  })

  test('takes no writes', () => {
    const view = randomView(1)
    const refused = expect.objectContaining({ code: 'DEVICE_READ_ONLY' })
    expect(() => view.write(0, Buffer.alloc(1))).toThrowError(refused)
    expect(() => view.trim(0, 1)).toThrowError(refused)
    expect(() => view.writeZeroes(0, 1)).toThrowError(refused)
  })

  test('refuses an entry whose kind and mode differ', () => {
    const chunks = new MemoryChunks()
    const builder = new DirectoryBuilder(chunks)
    builder.addFile(Buffer.from('f'), plainStat(0o040644), undefined)
    const directory = directoryRef(builder.finish(), [])
    const stat = plainStat(0o040755)
    const id = writeTreeRoot(chunks, { stat, directory, xattrs: [], links: undefined })
    const view = new Ext4View(chunks, id)
    expect(() => readAll(view, view.layout.inodeTables * 4096, 4096)).toThrowError(
      expect.objectContaining({ code: 'TREE_INVALID' }),
    )
  })

  test('reads 4 KiB anywhere in a large file at the price of one chunk', () => {
    const chunks = new MemoryChunks()
    const list = new ContentListBuilder(chunks)
    const count = 5_000
    for (let i = 0; i < count; i += 1) {
      const piece = Buffer.alloc(65_536)
      piece.writeUInt32LE(i)
      list.addChunk(chunks.put(ChunkType.data, piece), piece.length)
    }
    const builder = new DirectoryBuilder(chunks)
    const size = count * 65_536
    builder.addFile(Buffer.from('f'), plainStat(0o100644, { size }), list.finish())
    const directory = directoryRef(builder.finish(), [])
    const stat = plainStat(0o040755)
    const view = new Ext4View(
      chunks,
      writeTreeRoot(chunks, { stat, directory, xattrs: [], links: undefined }),
    )
    const start = view.layout.dataEnd * 4096 - size
    for (const chunk of [0, count - 1, 2_500]) readAll(view, start + chunk * 65_536, 4096)
    chunks.reads = 0
    for (const chunk of [1, 2, 2_501, count - 2, 0]) {
      expect(readAll(view, start + chunk * 65_536, 4096).readUInt32LE(0)).toBe(chunk)
    }
    expect(chunks.reads).toBe(5)
  })
})

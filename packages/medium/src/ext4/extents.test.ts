import { extentTreeBlocks } from '@openmaas/pool/tree/footprint'
import { expect, test } from 'vitest'
import { encodeExtentBlock, encodeExtentRoot, type MappedContent } from './extents.ts'

interface Run {
  readonly logical: number
  readonly physical: number
  readonly length: number
}

/** Reads the whole tree as the kernel would. */
function readRuns(content: MappedContent): Run[] {
  const root = Buffer.alloc(60)
  encodeExtentRoot(root, 0, content)
  const visited = new Set<number>()
  const runs: Run[] = []
  const visit = (node: Buffer, depth: number): void => {
    expect(node.readUInt16LE(0)).toBe(0xf30a)
    expect(node.readUInt16LE(6)).toBe(depth)
    const count = node.readUInt16LE(2)
    expect(count).toBeLessThanOrEqual(node.readUInt16LE(4))
    for (let at = 12; at < 12 + 12 * count; at += 12) {
      const logical = node.readUInt32LE(at)
      if (depth === 0) {
        const physical = node.readUInt16LE(at + 6) * 2 ** 32 + node.readUInt32LE(at + 8)
        runs.push({ logical, physical, length: node.readUInt16LE(at + 4) })
        continue
      }
      const child = node.readUInt16LE(at + 8) * 2 ** 32 + node.readUInt32LE(at + 4)
      const index = child - content.treeStart
      expect(visited.has(index)).toBe(false)
      visited.add(index)
      const block = Buffer.alloc(4096)
      encodeExtentBlock(block, index, content)
      expect(logical).toBe(block.readUInt32LE(12))
      visit(block, depth - 1)
    }
  }
  visit(root, root.readUInt16LE(6))
  expect(visited.size).toBe(extentTreeBlocks(content.blocks))
  return runs
}

// One extent; the most that fit the inode; one tree block; two; two levels of them.
test.each([1, 4 * 32_768, 4 * 32_768 + 1, 341 * 32_768, 1361 * 32_768])(
  'maps %d blocks in order and without gaps',
  (blocks) => {
    const content = { treeStart: 2 ** 32 + 77, blocks }
    const runs = readRuns(content)
    let logical = 0
    for (const run of runs) {
      expect(run.logical).toBe(logical)
      expect(run.physical).toBe(content.treeStart + extentTreeBlocks(blocks) + logical)
      logical += run.length
    }
    expect(logical).toBe(blocks)
  },
)

test('writes the header of an empty file', () => {
  const root = Buffer.alloc(60)
  encodeExtentRoot(root, 0, { treeStart: 100, blocks: 0 })
  expect(root.toString('hex', 0, 12)).toBe('0af300000400000000000000')
})

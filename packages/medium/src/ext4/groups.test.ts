import { expect, test } from 'vitest'
import { crc16, encodeBlockBitmap, encodeInodeBitmap } from './groups.ts'
import { computeLayout, journalBlocks } from './layout.ts'

const TIB_BLOCKS = 2 ** 28

test('computes CRC-16/ARC', () => {
  expect(crc16(0, Buffer.from('123456789'))).toBe(0xbb3d)
})

test('fills every group of any size of tree exactly', () => {
  for (const inodes of [1, 17, 1_000_000, 300_000_000]) {
    for (const blocks of [1, 33_000, TIB_BLOCKS, 100 * TIB_BLOCKS]) {
      const layout = computeLayout({ inodes, blocks })
      const what = `${inodes} inodes, ${blocks} blocks`
      expect(layout.blocks, what).toBe(layout.groups * 32_768)
      expect(layout.dataEnd + 2 ** 18, what).toBeLessThanOrEqual(layout.blocks)
      expect(layout.groups * layout.inodesPerGroup, what).toBeGreaterThan(inodes + 65_000)
      expect(layout.groups * layout.inodesPerGroup, what).toBeLessThan(2 ** 32)
      expect(layout.data - layout.journal, what).toBe(layout.journalBlocks)
      expect(layout.blockBitmaps, what).toBeLessThan(32_768)
    }
  }
})

test('refuses what ext4 cannot hold', () => {
  expect(() => computeLayout({ inodes: 2 ** 32, blocks: 1 })).toThrowError(
    expect.objectContaining({ code: 'VIEW_TOO_LARGE' }),
  )
  expect(() => computeLayout({ inodes: 1, blocks: 300 * TIB_BLOCKS })).toThrowError(
    expect.objectContaining({ code: 'VIEW_TOO_LARGE' }),
  )
})

test('takes the free space that is asked for', () => {
  const small = computeLayout({ inodes: 1, blocks: 1, freeBytes: 0 })
  const large = computeLayout({ inodes: 1, blocks: 1, freeBytes: 2 ** 40 })
  expect(small.blocks * 4096).toBeLessThan(2 ** 30)
  expect((large.blocks - large.dataEnd) * 4096).toBeGreaterThanOrEqual(2 ** 40)
})

test('has a journal of 16 to 128 MiB', () => {
  expect(journalBlocks(1)).toBe(4096)
  expect(journalBlocks(TIB_BLOCKS)).toBe(32_768)
})

test('marks in the bitmaps what is in use, and the bits that stand for nothing', () => {
  const layout = { ...computeLayout({ inodes: 30, blocks: 1 }), inodesPerGroup: 16 }
  const bitmap = Buffer.alloc(4096)
  encodeInodeBitmap(bitmap, 2, layout) // Inodes 33 to 48; the last in use is 39.
  expect(bitmap.toString('hex', 0, 4)).toBe('7f00ffff')
  const blocks = Buffer.alloc(4096)
  encodeBlockBitmap(blocks, 0, { ...layout, dataEnd: 11 })
  expect(blocks.toString('hex', 0, 4)).toBe('ff070000')
})

import { createHash } from 'node:crypto'
import { lstatSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { zstdCompressSync } from 'node:zlib'
import { posixAvailable } from '@openmaas/kernel/posix/library'
import { expect, test } from 'vitest'
import { makeAwkwardTree } from './awkward-tree.ts'
import { changeImage, changeTree, type DataKind, makeData, makeImage, makeTree } from './data.ts'
import { requires } from './requires.ts'
import { TemporaryDirectory } from './temporary-directory.ts'

test.each<[DataKind, number, number]>([
  ['text', 2.2, 5],
  ['databasePages', 1.8, 5],
  ['random', 0.99, 1.01],
  ['zeros', 1000, Infinity],
])('%s compresses between %d and %d times, and is the same every time', (kind, least, most) => {
  const bytes = makeData(kind, 1 << 20, 5)
  expect(bytes.length).toBe(1 << 20)
  expect(makeData(kind, 1 << 20, 5).equals(bytes)).toBe(true)
  const ratio = bytes.length / zstdCompressSync(bytes).length
  expect(ratio).toBeGreaterThan(least)
  expect(ratio).toBeLessThan(most)
})

test('makes any size, and other bytes from another seed', () => {
  for (const kind of ['text', 'random'] as const) {
    for (const size of [0, 1, 4097]) expect(makeData(kind, size).length).toBe(size)
    expect(makeData(kind, 1000, 1).equals(makeData(kind, 1000, 2))).toBe(false)
  }
})

// Goal: data sets never change silently, or measurements of two days cannot be compared.
test('makes the bytes it has always made', () => {
  const digest = (kind: DataKind) =>
    createHash('sha256')
      .update(makeData(kind, 100_000, 1))
      .digest('hex')
      .slice(0, 16)
  expect(['text', 'databasePages', 'random'].map((kind) => digest(kind as DataKind))).toEqual([
    '445021f8f1c24280',
    '4f6997b0d8298fd1',
    '410e3235bf3d5897',
  ])
})

test('makes a tree of the size asked for, and changes the part asked for', () => {
  using site = new TemporaryDirectory({ inMemory: true })
  const counts = makeTree(site.join('tree'), { files: 250, sizeMin: 0, sizeMax: 2000, seed: 3 })
  expect(counts).toMatchObject({ files: 250, directories: 4 })
  const files = readdirSync(site.join('tree'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`)
  expect(files).toHaveLength(250)
  expect(files.reduce((sum, path) => sum + statSync(path).size, 0)).toBe(counts.bytes)
  const changed = changeTree(site.join('tree'), { percent: 2 })
  expect(changed).toHaveLength(5)
})

test('makes a sparse image and changes whole blocks of it', () => {
  using site = new TemporaryDirectory()
  const path = site.join('image')
  makeImage(path, 16 << 20)
  const before = readFileSync(path)
  expect(before.length).toBe(16 << 20)
  expect(statSync(path).blocks * 512).toBeLessThan(16 << 20)
  expect(changeImage(path, { percent: 1 })).toBe(2 * 65_536)
  const after = readFileSync(path)
  let blocks = 0
  for (let i = 0; i < after.length; i += 65_536) {
    if (before.compare(after, i, i + 65_536, i, i + 65_536) !== 0) blocks += 1
  }
  expect(blocks).toBe(2)
})

requires({ linux: true }, () => {
  test.skipIf(!posixAvailable())('makes one of every awkward thing', () => {
    using site = new TemporaryDirectory()
    const { left } = makeAwkwardTree(site.path)
    if (process.geteuid?.() === 0) expect(left).toEqual([])
    expect(lstatSync(site.join('hard-link')).nlink).toBe(4)
    // The mask of the ACL shows as the bits of the group.
    expect(statSync(site.join('acl')).mode & 0o777).toBe(0o774)
    expect(statSync(site.join('large')).mtimeMs).toBe(10_000_000_000_000)
  })
})

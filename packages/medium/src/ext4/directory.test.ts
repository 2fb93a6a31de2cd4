import { direntSize, directoryBlocks } from '@openmaas/pool/tree/footprint'
import { SeededRandom } from '@openmaas/kernel/random'
import { expect, test } from 'vitest'
import { DirectoryRenderer, sortByHash } from './directory.ts'
import { hashName } from './name-hash.ts'

const SEED = Int32Array.from([1, 2, 3, 4])

function render(names: readonly Buffer[]): Buffer {
  const direntBytes = names.reduce((sum, name) => sum + direntSize(name.length), 0)
  const renderer = new DirectoryRenderer({ entryCount: names.length, direntBytes })
  for (const [i, name] of names.entries()) renderer.add(name, 100 + i, 1)
  const blocks = renderer.render({ self: 12, parent: 2 }, SEED)
  expect(blocks.length).toBe(directoryBlocks(direntBytes).total * 4096)
  return blocks
}

/** Inode → name, of one block; checks that the records fill it. */
function readBlock(block: Buffer): Map<number, string> {
  const entries = new Map<number, string>()
  let at = 0
  while (at < 4096) {
    const length = block.readUInt16LE(at + 4)
    expect(length % 4 === 0 && length >= direntSize(block[at + 6]!)).toBe(true)
    entries.set(block.readUInt32LE(at), block.toString('latin1', at + 8, at + 8 + block[at + 6]!))
    at += length
  }
  expect(at).toBe(4096)
  return entries
}

/** Leaf block numbers in order with the hash each begins at, by the index. */
function readLeaves(blocks: Buffer): { hash: number; block: number }[] {
  const visit = (entries: Buffer, depth: number): { hash: number; block: number }[] => {
    const found = []
    for (let i = 0; i < entries.readUInt16LE(2); i += 1) {
      const hash = i === 0 ? 0 : entries.readUInt32LE(8 * i)
      const block = entries.readUInt32LE(8 * i + 4)
      if (depth === 0) found.push({ hash, block })
      else {
        const below = visit(blocks.subarray(block * 4096 + 8, (block + 1) * 4096), depth - 1)
        below[0]!.hash = hash
        found.push(...below)
      }
    }
    return found
  }
  return visit(blocks.subarray(32, 4096), blocks[30]!)
}

test('writes a small directory as one block, dots first', () => {
  const block = render([Buffer.from('a'), Buffer.from('bcdef')])
  expect(block.toString('hex', 0, 24)).toBe('0c0000000c0001022e00000002000000' + '0c0002022e2e0000')
  expect([...readBlock(block)]).toEqual([
    [12, '.'],
    [2, '..'],
    [100, 'a'],
    [101, 'bcdef'],
  ])
  expect([...readBlock(render([])).values()]).toEqual(['.', '..'])
})

test('puts every name into the leaf that its hash asks for', () => {
  for (const [seed, count] of [
    [1, 60],
    [2, 700],
    [3, 40_000],
    [4, 60_000],
  ] as const) {
    const random = new SeededRandom(seed)
    const names = Array.from({ length: count }, (_, i) =>
      Buffer.concat([Buffer.from(`${i}.`), Buffer.alloc(random.below(240), 200)]),
    )
    const blocks = render(names)
    const leaves = readLeaves(blocks)
    let seen = 0
    for (const [i, leaf] of leaves.entries()) {
      const entries = readBlock(blocks.subarray(leaf.block * 4096, (leaf.block + 1) * 4096))
      const next = leaves[i + 1]?.hash ?? 2 ** 32
      expect(leaf.hash, `seed ${seed}`).toBeLessThanOrEqual(next)
      for (const [inode, name] of entries) {
        const bytes = names[inode - 100]!
        expect(name).toBe(bytes.toString('latin1'))
        const hash = hashName(bytes, { offset: 0, length: bytes.length }, SEED)
        if (hash < (leaf.hash & ~1) >>> 0 || hash > next) expect.fail(`seed ${seed}: ${name}`)
        seen += 1
      }
    }
    expect(seen, `seed ${seed}`).toBe(count)
  }
})

test('sorts by hash and keeps the order of equal ones', () => {
  const random = new SeededRandom(5)
  const hashes = Uint32Array.from({ length: 3_000 }, () => (random.uint32() % 1_000) * 4_000_000)
  const model = [...hashes.keys()].sort((a, b) => hashes[a]! - hashes[b]! || a - b)
  expect([...sortByHash(hashes)]).toEqual(model)
})

test('refuses a directory that holds other names than its entry says', () => {
  const invalid = expect.objectContaining({ code: 'TREE_INVALID' })
  const size = { entryCount: 2, direntBytes: 24 }
  const short = new DirectoryRenderer(size)
  short.add(Buffer.from('a'), 1, 1)
  expect(() => short.render({ self: 2, parent: 2 }, SEED)).toThrowError(invalid)
  expect(() => short.add(Buffer.from('too long'), 1, 1)).toThrowError(invalid)
  short.add(Buffer.from('b'), 1, 1)
  expect(() => short.add(Buffer.from('c'), 1, 1)).toThrowError(invalid)
  expect(() => new DirectoryRenderer({ entryCount: 2 ** 31, direntBytes: 24 })).toThrowError(
    invalid,
  )
})

// Goal: a hash that goes on in the next leaf is found there. Method: a directory of nothing but
// pairs of equal hashes, long enough that some leaf ends between the two of a pair.
test('marks a leaf that begins with the hash the leaf before ended with', () => {
  const first = new Map<number, Buffer>()
  const names: Buffer[] = []
  const name = Buffer.alloc(236, 0x78)
  for (let i = 0; i < 700_000; i += 1) {
    name.write(String(i).padStart(8, '0'), 228)
    const hash = hashName(name, { offset: 0, length: name.length }, SEED)
    const other = first.get(hash)
    if (other === undefined) first.set(hash, Buffer.from(name.subarray(228)))
    else names.push(Buffer.concat([name.subarray(0, 228), other]), Buffer.from(name))
  }
  const blocks = render(names)
  const leaves = readLeaves(blocks)
  const hashesOf = (block: number) =>
    [...readBlock(blocks.subarray(block * 4096, (block + 1) * 4096)).keys()].map((inode) => {
      const bytes = names[inode - 100]!
      return hashName(bytes, { offset: 0, length: bytes.length }, SEED)
    })
  let continued = 0
  for (let i = 1; i < leaves.length; i += 1) {
    const last = hashesOf(leaves[i - 1]!.block).at(-1)!
    const next = hashesOf(leaves[i]!.block)[0]!
    expect(leaves[i]!.hash).toBe(last === next ? next + 1 : next)
    if (last === next) continued += 1
  }
  expect(continued).toBeGreaterThan(0)
})

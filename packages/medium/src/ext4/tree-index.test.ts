import { SeededRandom } from '@openmaas/kernel/random'
import { ownBlocks } from '@openmaas/pool/tree/entry'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import { MemoryChunks } from '@openmaas/pool/tree/memory-chunks.test-support'
import { readTreeRoot } from '@openmaas/pool/tree/root'
import { TreeReader } from '@openmaas/pool/tree/tree-reader'
import { expect, test } from 'vitest'
import { RandomTree } from './random-tree.test-support.ts'
import { TreeIndex } from './tree-index.ts'

const SEEDS = 10

interface Expected {
  readonly name: string
  readonly block: number
  readonly blocks: number
  readonly isDirectory: boolean
}

/** Every inode in rank order, found by walking everything: the slow model. */
function walkInodes(reader: TreeReader): Expected[] {
  const inodes: Expected[] = []
  let block = 0
  const add = (entry: TreeReader['rootEntry']): void => {
    const blocks = ownBlocks(entry)
    const isDirectory = entry.kind === ENTRY_KIND.directory
    inodes.push({ name: entry.name.toString('hex'), block, blocks, isDirectory })
    block += blocks
  }
  for (const { entry } of reader.walk()) if (entry.kind !== ENTRY_KIND.hardLink) add(entry)
  const { links } = reader.root
  if (links !== undefined) {
    for (const leaf of reader.leaves(links.node)) {
      for (let i = 0; i < leaf.count; i += 1) add(leaf.entryAt(i))
    }
  }
  expect(inodes.length).toBe(reader.weights.inodes)
  expect(block).toBe(reader.weights.blocks)
  return inodes
}

test('finds every inode and block, in any order, as a walk of the whole tree does', () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const random = new SeededRandom(seed)
    const chunks = new MemoryChunks()
    const id = new RandomTree(chunks, random).write()
    const inodes = walkInodes(new TreeReader(chunks, id))
    // A budget of a node or two: what is forgotten must be found again.
    const index = new TreeIndex(chunks, readTreeRoot(chunks, id), seed % 2 === 0 ? 10_000 : 2 ** 25)
    const message = `seed ${seed}`
    for (let i = 0; i < 600; i += 1) {
      const rank = i < 200 ? i % inodes.length : random.below(inodes.length)
      const wanted = inodes[rank]!
      const place = index.placeOfInode(rank)
      expect(place.entry.name.toString('hex'), message).toBe(wanted.name)
      expect([place.rank, place.block], message).toEqual([rank, wanted.block])
      if (wanted.blocks === 0) continue
      const found = index.placeOfBlock(wanted.block + random.below(wanted.blocks))
      expect(found.rank, message).toBe(rank)
    }
  }
})

test('counts the directories in front of any inode', () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const chunks = new MemoryChunks()
    const id = new RandomTree(chunks, new SeededRandom(seed)).write()
    const index = new TreeIndex(chunks, readTreeRoot(chunks, id), 2 ** 25)
    let count = 0
    for (const [rank, { isDirectory }] of walkInodes(new TreeReader(chunks, id)).entries()) {
      expect(index.directoriesBefore(rank), `seed ${seed}, rank ${rank}`).toBe(count)
      if (isDirectory) count += 1
    }
    expect(index.directoriesBefore(2 ** 31), `seed ${seed}`).toBe(count)
  }
})

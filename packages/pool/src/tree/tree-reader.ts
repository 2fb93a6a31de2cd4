/**
 * Reads a tree snapshot: by path, in order, and by the rank of an inode or block.
 *
 * Ranks count from 0 in descent order: a directory, then its entries in name order, each with all
 * below it; then the link table in key order. Rank of a block: an entry's own blocks (footprint.ts)
 * in the same order. So any rank is found by one descent, whatever the size of the tree.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import type { ChunkSource } from '../chunk/chunk.ts'
import { ownBlocks, readEntryXattrs, type TreeEntry } from './entry.ts'
import { ENTRY_KIND } from './entry-layout.ts'
import type { XattrPair } from './footprint.ts'
import { NodeCache, rankIndex } from './node-cache.ts'
import type { TreeNodeView } from './node-view.ts'
import { readTreeRoot, snapshotWeights, type TreeRoot } from './root.ts'
import type { Weights } from './weights.ts'

export interface WalkedEntry {
  /** Names joined by "/", without a leading one; empty for the root. */
  readonly path: Buffer
  readonly entry: TreeEntry
}

export interface PlacedEntry {
  readonly entry: TreeEntry
  /** Rank of its inode; for a hard link that of the file in the link table. */
  readonly inode: number
  /** Rank of its first own block; of the first block behind it when it has none. */
  readonly block: number
  /** Rank of the directory that holds it; the root is its own parent. Links: 0. */
  readonly parent: number
}

const SLASH = Buffer.from('/', 'latin1')

function isDirectory(entry: TreeEntry): boolean {
  return entry.kind === ENTRY_KIND.directory
}

export class TreeReader {
  readonly source: ChunkSource
  readonly root: TreeRoot
  /** Of everything: the tree, the link table and the root record. */
  readonly weights: Weights
  readonly #nodes: NodeCache
  readonly #placedRoot: PlacedEntry

  /** @throws MaasError TREE_INVALID, CHUNK_MISSING… */
  constructor(source: ChunkSource, rootId: Buffer, options: { nodeCacheMax?: number } = {}) {
    this.source = source
    this.root = readTreeRoot(source, rootId)
    this.weights = snapshotWeights(this.root)
    this.#nodes = new NodeCache(source, options.nodeCacheMax)
    this.#placedRoot = { entry: this.root.entry, inode: 0, block: 0, parent: 0 }
  }

  get rootEntry(): TreeEntry {
    return this.root.entry
  }

  /** @throws MaasError TREE_INVALID, CHUNK_MISSING… */
  node(id: Buffer): TreeNodeView {
    return this.#nodes.read(id).view
  }

  /** Leaves of a B-tree in name order; from the one that may hold `from`, when it is given. */
  *leaves(node: Buffer, from?: Buffer): Generator<TreeNodeView> {
    const view = this.node(node)
    if (view.isLeaf) {
      yield view
      return
    }
    let first = 0
    if (from !== undefined) {
      first = view.lowerBound(from)
      if (first === view.count || view.compareName(first, from) !== 0) first -= 1
    }
    for (let i = Math.max(0, first); i < view.count; i += 1) {
      yield* this.leaves(view.childAt(i), i === first ? from : undefined)
    }
  }

  /** The entries of a directory in name order; behind `after`, when it is given. */
  *list(directory: TreeEntry, after?: Buffer): Generator<TreeEntry> {
    for (const leaf of this.leaves(directory.directory!.node, after)) {
      let i = after === undefined ? 0 : leaf.lowerBound(after)
      if (after !== undefined && i < leaf.count && leaf.compareName(i, after) === 0) i += 1
      for (; i < leaf.count; i += 1) yield leaf.entryAt(i)
    }
  }

  /** The entry of that name in a directory. */
  lookupIn(directory: TreeEntry, name: Buffer): TreeEntry | undefined {
    if (!isDirectory(directory)) return undefined
    return this.#find(directory.directory!.node, name)
  }

  #find(node: Buffer, name: Buffer): TreeEntry | undefined {
    let view = this.node(node)
    while (!view.isLeaf) {
      let index = view.lowerBound(name)
      if (index === view.count || view.compareName(index, name) !== 0) index -= 1
      if (index < 0) return undefined
      view = this.node(view.childAt(index))
    }
    const index = view.indexOf(name)
    return index < 0 ? undefined : view.entryAt(index)
  }

  /**
   * The entry at a path: names joined by "/"; empty names and "." are skipped. Symlinks are not
   * followed; ".." leads nowhere.
   */
  lookup(path: Buffer): TreeEntry | undefined {
    let entry: TreeEntry | undefined = this.root.entry
    for (const name of splitPath(path)) {
      if (entry === undefined) return undefined
      entry = this.lookupIn(entry, name)
    }
    return entry
  }

  /** Everything below a directory in path order of its names, itself first. */
  *walk(directory = this.root.entry, path: Buffer = Buffer.alloc(0)): Generator<WalkedEntry> {
    yield { path, entry: directory }
    const stack: { path: Buffer; entries: Generator<TreeEntry> }[] = []
    stack.push({ path, entries: this.list(directory) })
    while (stack.length > 0) {
      const top = stack.at(-1)!
      const next = top.entries.next()
      if (next.done === true) {
        stack.pop()
        continue
      }
      const entry = next.value
      const below = joinPath(top.path, entry.name)
      yield { path: below, entry }
      if (isDirectory(entry)) stack.push({ path: below, entries: this.list(entry) })
    }
  }

  xattrs(entry: TreeEntry): XattrPair[] {
    return readEntryXattrs(this.source, entry)
  }

  /**
   * The inode of a hard link, from the link table; its `name` is the key, its `nlink` the count
   * of its names in this snapshot. Any other entry is returned as it is.
   */
  resolve(entry: TreeEntry): TreeEntry {
    if (entry.kind !== ENTRY_KIND.hardLink) return entry
    const { links } = this.root
    const found = links === undefined ? undefined : this.#find(links.node, entry.linkKey!)
    if (found === undefined) {
      throw new MaasError('TREE_INVALID', 'a hard link is missing from the link table', {
        name: entry.name.toString(),
      })
    }
    return found
  }

  /** The entries of a placed directory with their places, in name order. */
  *children(directory: PlacedEntry): Generator<PlacedEntry> {
    let inode = directory.inode + 1
    let block = directory.block + ownBlocks(directory.entry)
    for (const entry of this.list(directory.entry)) {
      if (entry.kind === ENTRY_KIND.hardLink) {
        yield { entry, inode: this.linkInode(entry.linkKey!), block, parent: directory.inode }
        continue
      }
      yield { entry, inode, block, parent: directory.inode }
      if (isDirectory(entry)) {
        inode += entry.directory!.weights.inodes
        block += entry.directory!.weights.blocks
      } else {
        inode += 1
        block += ownBlocks(entry)
      }
    }
  }

  /** Rank of the inode of a link table key. @throws MaasError TREE_INVALID when it is not there */
  linkInode(key: Buffer): number {
    const { entry, links } = this.root
    let rank = entry.directory!.weights.inodes
    let id = links?.node
    while (id !== undefined) {
      const node = this.#nodes.read(id)
      let index = node.view.lowerBound(key)
      const exact = index < node.view.count && node.view.compareName(index, key) === 0
      if (node.view.isLeaf && exact) return rank + (index === 0 ? 0 : node.inodeEnds[index - 1]!)
      if (node.view.isLeaf || (!exact && index === 0)) break
      if (!exact) index -= 1
      if (index > 0) rank += node.inodeEnds[index - 1]!
      id = node.view.childAt(index)
    }
    throw new MaasError('TREE_INVALID', 'a hard link is missing from the link table', {
      key: key.toString('hex'),
    })
  }

  /** The entry whose inode has that rank, by descent. */
  byInode(rank: number): PlacedEntry {
    assert(rank >= 0 && rank < this.weights.inodes, 'the inode rank is in the snapshot')
    return this.#descend(rank, 'inode')
  }

  /** The entry that the block of that rank belongs to; its number there is `rank - block`. */
  byBlock(rank: number): PlacedEntry {
    assert(rank >= 0 && rank < this.weights.blocks, 'the block rank is in the snapshot')
    return this.#descend(rank, 'block')
  }

  #descend(rank: number, unit: 'inode' | 'block'): PlacedEntry {
    const tree = this.root.entry.directory!.weights
    if (rank >= (unit === 'inode' ? tree.inodes : tree.blocks)) {
      const start = { inode: tree.inodes, block: tree.blocks, parent: 0 }
      return this.#descendNodes(this.root.links!.node, start, rank, unit)
    }
    let placed = this.#placedRoot
    for (;;) {
      const own = ownBlocks(placed.entry)
      const end = unit === 'inode' ? placed.inode + 1 : placed.block + own
      if (rank < end) return placed
      const start = { inode: placed.inode + 1, block: placed.block + own, parent: placed.inode }
      if (!isDirectory(placed.entry)) throw new MaasError('TREE_INVALID', 'weights do not add up')
      placed = this.#descendNodes(placed.entry.directory!.node, start, rank, unit)
    }
  }

  /** Through the nodes of one B-tree to the entry that the rank falls into or below. */
  #descendNodes(
    root: Buffer,
    start: Omit<PlacedEntry, 'entry'>,
    rank: number,
    unit: 'inode' | 'block',
  ): PlacedEntry {
    let { inode, block } = start
    let id = root
    for (;;) {
      const node = this.#nodes.read(id)
      const index =
        unit === 'inode'
          ? rankIndex(node.inodeEnds, rank - inode)
          : rankIndex(node.blockEnds, rank - block)
      if (index > 0) {
        inode += node.inodeEnds[index - 1]!
        block += node.blockEnds[index - 1]!
      }
      if (node.view.isLeaf)
        return { entry: node.view.entryAt(index), inode, block, parent: start.parent }
      id = node.view.childAt(index)
    }
  }
}

/** Names of a path; empty ones and "." are left out. */
export function splitPath(path: Buffer): Buffer[] {
  const names: Buffer[] = []
  let start = 0
  while (start <= path.length) {
    let end = path.indexOf(0x2f, start)
    if (end < 0) end = path.length
    const dot = end - start === 1 && path[start] === 0x2e
    if (end > start && !dot) names.push(path.subarray(start, end))
    start = end + 1
  }
  return names
}

export function joinPath(path: Buffer, name: Buffer): Buffer {
  return path.length === 0 ? name : Buffer.concat([path, SLASH, name])
}

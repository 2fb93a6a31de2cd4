/**
 * Finds the n-th inode or block of a snapshot by descending its nodes along their Weights.
 *
 * Ranks count from 0 in descent order: a directory, then its entries in name order, each with all
 * that lies below it; after the whole tree, the entries of the link table. Blocks count likewise:
 * an entry's own blocks come before those below it (pool/tree/footprint.ts).
 *
 * A descent costs a binary search per node on the way. Nodes with their running sums are kept in
 * an LRU, and the leaves found last are tried first, so neighbours are found without a descent.
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { ChunkSource } from '@openmaas/pool/chunk/chunk'
import { ownBlocks, type TreeEntry } from '@openmaas/pool/tree/entry'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import { NODE_LEVEL_MAX, TreeNodeView } from '@openmaas/pool/tree/node-view'
import type { TreeRoot } from '@openmaas/pool/tree/root'
import { zeroWeights } from '@openmaas/pool/tree/weights'
import { ByteLru } from './byte-lru.ts'

/** An entry, and where it stands in the view. */
export interface Place {
  readonly entry: TreeEntry
  readonly rank: number
  /** Its first own block, counted from the first block of the data. */
  readonly block: number
  /** Rank of the directory it is in; the root's own for the root. */
  readonly parentRank: number
  /** It stands in the link table: it has as many names as its entry says. */
  readonly linked: boolean
}

/** A node and what lies before each of its items; index `count` holds the totals. */
interface IndexedNode {
  readonly view: TreeNodeView
  readonly inodes: Float64Array
  readonly blocks: Float64Array
  readonly directories: Float64Array
}

/** A leaf that was found lately, and the ranks and blocks it spans. */
interface Window {
  readonly node: IndexedNode
  readonly inodes: number
  readonly blocks: number
  readonly parentRank: number
}

type Axis = 'inodes' | 'blocks'

/** Leaves tried before a descent: the directories a few parallel readers are in. */
const WINDOWS_MAX = 8

function damaged(what: string): MaasError {
  return new MaasError('TREE_INVALID', `the tree does not weigh what it says: ${what}`)
}

/** The last index whose sum is not above the target. Items of weight 0 are passed over. */
function find(sums: Float64Array, target: number): number {
  let low = 0
  let high = sums.length - 1
  if (target < 0 || target >= sums[high]!) throw damaged('a node is lighter than its parent')
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (sums[middle]! <= target) low = middle
    else high = middle
  }
  return low
}

export class TreeIndex {
  readonly #source: ChunkSource
  readonly #root: TreeRoot
  readonly #nodes: ByteLru<string, IndexedNode>
  /** Most recently used first. */
  #windows: Window[] = []
  /** Of the tree, without the link table. */
  readonly #treeInodes: number
  readonly #treeBlocks: number

  constructor(source: ChunkSource, root: TreeRoot, cacheBytes: number) {
    this.#source = source
    this.#root = root
    this.#nodes = new ByteLru(cacheBytes)
    this.#treeInodes = root.entry.directory!.weights.inodes
    this.#treeBlocks = root.entry.directory!.weights.blocks
  }

  placeOfInode(rank: number): Place {
    return this.#locate('inodes', rank)
  }

  /** The entry among whose own blocks the block is. */
  placeOfBlock(block: number): Place {
    return this.#locate('blocks', block)
  }

  /** How many of the first `rank` inodes are directories. */
  directoriesBefore(rank: number): number {
    if (rank >= this.#treeInodes) return this.#root.entry.directory!.weights.directories
    let count = 0
    let directory = this.#root.entry
    let before = 0 // Rank of `directory`.
    while (rank > before) {
      count += 1
      before += 1
      let node = this.#node(directory.directory!.node)
      for (;;) {
        const i = find(node.inodes, rank - before)
        before += node.inodes[i]!
        count += node.directories[i]!
        if (!node.view.isLeaf) {
          node = this.#child(node, i)
          continue
        }
        if (node.view.kindAt(i) !== ENTRY_KIND.directory) return count
        directory = node.view.entryAt(i)
        break
      }
    }
    return count
  }

  /** Calls back for each entry of a directory in name order, with the rank of its inode. */
  forEachEntry(
    directory: Place,
    callback: (view: TreeNodeView, index: number, rank: number) => void,
  ): void {
    const visit = (node: IndexedNode, rank: number): void => {
      for (let i = 0; i < node.view.count; i += 1) {
        const at = rank + node.inodes[i]!
        if (!node.view.isLeaf) visit(this.#child(node, i), at)
        else if (node.view.kindAt(i) !== ENTRY_KIND.hardLink) callback(node.view, i, at)
        else callback(node.view, i, this.#rankOfLink(node.view.entryAt(i).linkKey!))
      }
    }
    visit(this.#node(directory.entry.directory!.node), directory.rank + 1)
  }

  clear(): void {
    this.#nodes.clear()
    this.#windows = []
  }

  #locate(axis: Axis, target: number): Place {
    const window = this.#window(axis, target)
    if (window !== undefined) return this.#descendFrom(window, axis, target)
    const links = this.#root.links
    const treeEnd = axis === 'inodes' ? this.#treeInodes : this.#treeBlocks
    if (target >= treeEnd) {
      if (links === undefined) throw damaged('it has no link table')
      const at = { inodes: this.#treeInodes, blocks: this.#treeBlocks, parentRank: 0 }
      return this.#descendFrom({ node: this.#node(links.node), ...at }, axis, target)
    }
    const root = { entry: this.#root.entry, rank: 0, block: 0, parentRank: 0, linked: false }
    return this.#descendInto(root, axis, target)
  }

  #window(axis: Axis, target: number): Window | undefined {
    for (const [i, window] of this.#windows.entries()) {
      const sums = window.node[axis]
      const offset = target - window[axis]
      if (offset < 0 || offset >= sums[sums.length - 1]!) continue
      if (i > 0) {
        this.#windows.splice(i, 1)
        this.#windows.unshift(window)
      }
      return window
    }
    return undefined
  }

  /** The target lies in the directory itself, or below it. */
  #descendInto(directory: Place, axis: Axis, target: number): Place {
    const own = ownBlocks(directory.entry)
    const isSelf = axis === 'inodes' ? target === directory.rank : target < directory.block + own
    if (isSelf) return directory
    return this.#descendFrom(
      {
        node: this.#node(directory.entry.directory!.node),
        inodes: directory.rank + 1,
        blocks: directory.block + own,
        parentRank: directory.rank,
      },
      axis,
      target,
    )
  }

  /** The target lies in the span of the node, or of what is below. */
  #descendFrom(from: Window, axis: Axis, target: number): Place {
    let { node, inodes, blocks } = from
    for (;;) {
      const i = find(node[axis], target - (axis === 'inodes' ? inodes : blocks))
      if (!node.view.isLeaf) {
        inodes += node.inodes[i]!
        blocks += node.blocks[i]!
        node = this.#child(node, i)
        continue
      }
      const { parentRank } = from
      this.#remember({ node, inodes, blocks, parentRank })
      const rank = inodes + node.inodes[i]!
      const place = {
        entry: node.view.entryAt(i),
        rank,
        block: blocks + node.blocks[i]!,
        parentRank,
        linked: rank >= this.#treeInodes,
      }
      if (place.entry.kind !== ENTRY_KIND.directory) return place
      return this.#descendInto(place, axis, target)
    }
  }

  #remember(window: Window): void {
    if (this.#windows[0]?.node === window.node && this.#windows[0].inodes === window.inodes) return
    this.#windows.unshift(window)
    if (this.#windows.length > WINDOWS_MAX) this.#windows.pop()
  }

  /** Rank of the inode of a hard-linked file. */
  #rankOfLink(key: Buffer): number {
    const links = this.#root.links
    if (links === undefined) throw damaged('it has no link table')
    let node = this.#node(links.node)
    let rank = this.#treeInodes
    for (;;) {
      const { view } = node
      const lower = view.lowerBound(key)
      const exact = lower < view.count && view.compareName(lower, key) === 0
      const i = exact ? lower : lower - 1
      if (i < 0 || (view.isLeaf && !exact)) throw damaged('a hard link leads nowhere')
      rank += node.inodes[i]!
      if (view.isLeaf) return rank
      node = this.#child(node, i)
    }
  }

  #child(node: IndexedNode, index: number): IndexedNode {
    const child = this.#node(node.view.childAt(index))
    if (child.view.level !== node.view.level - 1) throw damaged('a node stands at a wrong level')
    return child
  }

  #node(id: Buffer): IndexedNode {
    const key = id.toString('latin1')
    const known = this.#nodes.get(key)
    if (known !== undefined) return known
    // A copy: the source may reuse its buffer for the next chunk.
    const view = new TreeNodeView(Buffer.from(this.#source.read(id)))
    if (view.level > NODE_LEVEL_MAX) throw damaged('a node stands impossibly high')
    const node = indexNode(view)
    this.#nodes.set(key, node, view.bytes.length + 28 * view.count + 512)
    return node
  }
}

function indexNode(view: TreeNodeView): IndexedNode {
  const inodes = new Float64Array(view.count + 1)
  const blocks = new Float64Array(view.count + 1)
  const directories = new Float64Array(view.count + 1)
  const sum = zeroWeights()
  for (let i = 0; i < view.count; i += 1) {
    view.addWeightsAt(i, sum)
    inodes[i + 1] = sum.inodes
    blocks[i + 1] = sum.blocks
    directories[i + 1] = sum.directories
  }
  return { view, inodes, blocks, directories }
}

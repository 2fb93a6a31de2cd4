/** Nodes by id, most recently used kept, with the running sums that rank descent searches in. */
import type { ChunkSource } from '../chunk/chunk.ts'
import { invalidNode, TreeNodeView } from './node-view.ts'
import { zeroWeights } from './weights.ts'

/** Nodes kept: of about 32 KiB each, so 8 MiB, at most 16 MiB. */
export const NODE_CACHE_MAX = 256

export class RankedNode {
  readonly view: TreeNodeView
  #inodeEnds: Float64Array | undefined
  #blockEnds: Float64Array | undefined

  constructor(view: TreeNodeView) {
    this.view = view
  }

  /** Sum of inodes up to and with the i-th entry or item. */
  get inodeEnds(): Float64Array {
    if (this.#inodeEnds === undefined) this.#sum()
    return this.#inodeEnds!
  }

  get blockEnds(): Float64Array {
    if (this.#blockEnds === undefined) this.#sum()
    return this.#blockEnds!
  }

  #sum(): void {
    const { view } = this
    const inodes = new Float64Array(view.count)
    const blocks = new Float64Array(view.count)
    const weights = zeroWeights()
    for (let i = 0; i < view.count; i += 1) {
      view.addWeightsAt(i, weights)
      inodes[i] = weights.inodes
      blocks[i] = weights.blocks
    }
    this.#inodeEnds = inodes
    this.#blockEnds = blocks
  }
}

/** First index whose end lies beyond the rank. @throws MaasError TREE_INVALID when none does */
export function rankIndex(ends: Float64Array, rank: number): number {
  let low = 0
  let high = ends.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ends[middle]! <= rank) low = middle + 1
    else high = middle
  }
  if (low === ends.length) throw invalidNode('holds less than its parent says')
  return low
}

export class NodeCache {
  readonly #source: ChunkSource
  readonly #max: number
  readonly #nodes = new Map<string, RankedNode>()

  constructor(source: ChunkSource, max = NODE_CACHE_MAX) {
    this.#source = source
    this.#max = max
  }

  /** @throws MaasError TREE_INVALID, CHUNK_MISSING… */
  read(id: Buffer): RankedNode {
    const key = id.toString('latin1')
    let node = this.#nodes.get(key)
    if (node === undefined) {
      node = new RankedNode(new TreeNodeView(this.#source.read(id)))
      if (this.#nodes.size >= this.#max) this.#nodes.delete(this.#nodes.keys().next().value!)
    } else this.#nodes.delete(key)
    this.#nodes.set(key, node)
    return node
  }
}

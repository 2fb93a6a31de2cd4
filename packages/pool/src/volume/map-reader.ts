/** Finds entries of a volume's map by descent, keeping the nodes that were read last. */
import { AssertionFailure } from '@openmaas/kernel/assert'
import type { ChunkSource } from '../chunk/chunk.ts'
import { EntryState, type MapEntry, MapNode, NODE_ENTRIES } from './node.ts'
import type { VolumeRoot } from './root.ts'

/** Nodes kept, at most 41 KiB each. 256 leaves cover 16 GiB of hot range. */
const NODES_MAX = 256

/** Grains in one state; a run of chunks has one grain. */
export interface MapRun {
  readonly first: number
  readonly count: number
  readonly state: EntryState
  readonly id?: Buffer
}

export class MapReader {
  readonly root: VolumeRoot
  readonly #source: ChunkSource
  /** By level and index; a Map keeps the order of insertion, so the first is the oldest. */
  readonly #nodes = new Map<number, MapNode>()

  constructor(source: ChunkSource, root: VolumeRoot) {
    this.#source = source
    this.root = root
  }

  /** The node of that place, or the state that all its grains have. */
  #node(level: number, index: number): MapNode | EntryState {
    const key = index * 4 + level
    const known = this.#nodes.get(key)
    if (known !== undefined) return known
    let entry: MapEntry = this.root.top
    if (level < this.root.level) {
      const parent = this.#node(level + 1, Math.floor(index / NODE_ENTRIES))
      if (typeof parent === 'number') return parent
      entry = parent.entry(index % NODE_ENTRIES)
    }
    if (entry.state !== EntryState.chunk) return entry.state
    const node = MapNode.decode(this.#source.read(entry.id!), level)
    if (this.#nodes.size >= NODES_MAX) this.#nodes.delete(this.#nodes.keys().next().value!)
    this.#nodes.set(key, node)
    return node
  }

  /**
   * The run that begins at `grain`, at most up to `end`.
   *
   * @throws MaasError VOLUME_INVALID, CHUNK_MISSING…
   */
  run(grain: number, end: number): MapRun {
    const first = this.#part(grain, end)
    if (first.state === EntryState.chunk) return first
    let stop = grain + first.count
    while (stop < end) {
      const next = this.#part(stop, end)
      if (next.state !== first.state) break
      stop += next.count
    }
    return { first: grain, count: stop - grain, state: first.state }
  }

  /** The run inside one node. */
  #part(grain: number, end: number): MapRun {
    // From the top, so that a subtree in one state is one step.
    for (let level = this.root.level; level >= 0; level -= 1) {
      const span = NODE_ENTRIES ** (level + 1)
      const index = Math.floor(grain / span)
      const node = this.#node(level, index)
      if (typeof node === 'number') {
        return { first: grain, count: Math.min(end, (index + 1) * span) - grain, state: node }
      }
      if (level === 0) return this.#partOfLeaf(node, grain, end)
    }
    throw new AssertionFailure('a descent ends at a leaf')
  }

  #partOfLeaf(node: MapNode, grain: number, end: number): MapRun {
    const entry = grain % NODE_ENTRIES
    const state = node.state(entry)
    if (state === EntryState.chunk) return { first: grain, count: 1, state, id: node.id(entry) }
    const limit = Math.min(NODE_ENTRIES, entry + end - grain)
    let stop = entry + 1
    while (stop < limit && node.state(stop) === state) stop += 1
    return { first: grain, count: stop - entry, state }
  }
}

/**
 * Builds the map of a volume snapshot, grain by grain in ascending order, from nothing or over
 * the map of an earlier snapshot (copy on write). Memory: one node per level, 120 KiB.
 */
import { assert } from '@openmaas/kernel/assert'
import { type ChunkSink, type ChunkSource, ChunkType, FIXED_CHUNK_SIZE } from '../chunk/chunk.ts'
import { ABSENT, EntryState, type MapEntry, MapNode, NODE_ENTRIES, ZERO } from './node.ts'
import {
  entryCountOf,
  grainCountOf,
  putVolumeRoot,
  readVolumeRoot,
  topLevelOf,
  type VolumeBase,
  type VolumeGeometry,
  type VolumeRoot,
} from './root.ts'

export interface VolumeBuilderOptions {
  /** At least that of the parent. */
  readonly size: number
  /** Default 64 KiB. */
  readonly grainSize?: number
  readonly base?: VolumeBase | undefined
  /** An earlier map with the same grain and base: what is not put stays as it was there. */
  readonly parent?: { readonly source: ChunkSource; readonly root: Buffer } | undefined
}

/** A node that is being changed, and where it belongs. */
interface OpenNode {
  readonly index: number
  readonly node: MapNode
}

export class VolumeBuilder {
  readonly geometry: VolumeGeometry
  readonly #sink: ChunkSink
  readonly #source: ChunkSource | undefined
  readonly #level: number
  readonly #path: (OpenNode | undefined)[]
  #top: MapEntry = ABSENT
  /** First grain that may still be put. */
  #next = 0

  /** @throws MaasError VOLUME_INVALID, CHUNK_MISSING… of the parent's root */
  constructor(sink: ChunkSink, options: VolumeBuilderOptions) {
    const { size, grainSize = FIXED_CHUNK_SIZE, base, parent } = options
    this.geometry = { size, grainSize, base }
    this.#sink = sink
    this.#source = parent?.source
    this.#level = topLevelOf(this.geometry)
    this.#path = Array.from({ length: this.#level + 1 }, () => undefined)
    if (parent !== undefined) this.#grow(readVolumeRoot(parent.source, parent.root))
  }

  /** Begins with the parent's map, below as many new levels as the growth asks for. */
  #grow(parent: VolumeRoot): void {
    const { base } = this.geometry
    const grown = parent.size < this.geometry.size
    assert(parent.grainSize === this.geometry.grainSize, 'the parent has the same grain')
    assert(parent.size <= this.geometry.size, 'a volume does not shrink over its parent')
    assert(!grown || base === undefined, 'a volume over a base has the size of the base')
    assert((parent.base === undefined) === (base === undefined), 'the parent has the same base')
    assert(parent.base?.root.equals(base!.root) ?? true, 'the parent has the same base')
    // Without a base absent reads as zeros too, so a uniform map says nothing that would be lost.
    this.#top = grown && parent.top.state !== EntryState.chunk ? ABSENT : parent.top
    if (this.#top.state !== EntryState.chunk) return
    // New levels stay open: what the sink was given cannot be read before the commit.
    for (let level = this.#level; level > parent.level; level -= 1) {
      const node = new MapNode(level)
      if (level === parent.level + 1) node.set(0, parent.top)
      this.#path[level] = { index: 0, node }
    }
  }

  #store(node: MapNode): MapEntry {
    const { chunks, nodes } = node.totals()
    const id = this.#sink.put(ChunkType.volumeMap, node.encode())
    return { state: EntryState.chunk, id, counts: { chunks, nodes: nodes + 1 } }
  }

  /** The bytes of a grain (the last one may be cut); zeros become a hole. */
  put(grain: number, bytes: Buffer): void {
    const { size, grainSize } = this.geometry
    const length = Math.min(grainSize, size - grain * grainSize)
    assert(bytes.length === length, 'a grain is put whole')
    if (isZero(bytes)) return this.putZero(grain, 1)
    this.putChunk(grain, this.#sink.put(ChunkType.data, bytes))
  }

  /** A grain whose chunk the sink has already. */
  putChunk(grain: number, id: Buffer): void {
    this.#advance(grain, 1)
    this.#setRun(grain, 1, { state: EntryState.chunk, id })
  }

  /** Cost is in nodes at the edges, not in grains. */
  putZero(first: number, count: number): void {
    this.#advance(first, count)
    this.#setRun(first, count, ZERO)
  }

  /** The base shows through again. */
  putAbsent(first: number, count: number): void {
    this.#advance(first, count)
    this.#setRun(first, count, ABSENT)
  }

  /** A whole node of level 0 that a capture segment has made (segment.ts). */
  putLeaf(index: number, entry: MapEntry): void {
    const first = index * NODE_ENTRIES
    const count = entryCountOf(this.geometry, 0, index)
    this.#advance(first, count)
    if (entry.state !== EntryState.chunk) return this.#setRun(first, count, entry)
    if (this.#level === 0) this.#top = entry
    else this.#open(1, Math.floor(index / NODE_ENTRIES)).set(index % NODE_ENTRIES, entry)
  }

  #advance(first: number, count: number): void {
    assert(first >= this.#next, 'grains are put in ascending order')
    assert(first + count <= grainCountOf(this.geometry), 'grains lie in the device')
    this.#next = first + count
  }

  /** Sets whole subtrees where the run covers them. */
  #setRun(first: number, count: number, entry: MapEntry): void {
    const grains = grainCountOf(this.geometry)
    const end = first + count
    let at = first
    while (at < end) {
      let level = 0
      let span = 1
      while (entry.state !== EntryState.chunk && level < this.#level) {
        const wider = span * NODE_ENTRIES
        if (at % wider !== 0 || Math.min(at + wider, grains) > end) break
        level += 1
        span = wider
      }
      const slot = at / span
      this.#open(level, Math.floor(slot / NODE_ENTRIES)).set(slot % NODE_ENTRIES, entry)
      at = Math.min(at + span, grains)
    }
  }

  /** The node of that place, ready to be changed; whatever was open beside its path is stored. */
  #open(level: number, index: number): MapNode {
    const open = this.#path[level]
    if (open?.index === index) {
      if (level > 0) this.#close(level - 1)
      return open.node
    }
    this.#close(level)
    const entry =
      level === this.#level
        ? this.#top
        : this.#open(level + 1, Math.floor(index / NODE_ENTRIES)).entry(index % NODE_ENTRIES)
    const node = this.#load(level, index, entry)
    this.#path[level] = { index, node }
    return node
  }

  #load(level: number, index: number, entry: MapEntry): MapNode {
    if (entry.state === EntryState.chunk) {
      // Without a parent every node comes from this builder, and each is opened once.
      assert(this.#source !== undefined, 'a stored node is opened again only with a parent')
      return MapNode.decode(this.#source.read(entry.id!), level)
    }
    const node = new MapNode(level)
    node.fill(entry.state, entryCountOf(this.geometry, level, index))
    return node
  }

  /** Stores the open nodes of this level and below, lowest first. */
  #close(level: number): void {
    if (level > 0) this.#close(level - 1)
    const open = this.#path[level]
    if (open === undefined) return
    this.#path[level] = undefined
    const uniform = open.node.uniform(entryCountOf(this.geometry, level, open.index))
    const entry = uniform === undefined ? this.#store(open.node) : { state: uniform }
    if (level === this.#level) this.#top = entry
    else {
      const parent = this.#path[level + 1]
      assert(parent?.index === Math.floor(open.index / NODE_ENTRIES), 'the parent node is open')
      parent.node.set(open.index % NODE_ENTRIES, entry)
    }
  }

  /** Stores what is left and the root record. */
  finish(): { readonly id: Buffer; readonly root: VolumeRoot } {
    this.#close(this.#level)
    this.#next = Infinity
    const root = { ...this.geometry, level: this.#level, top: this.#top }
    return { id: putVolumeRoot(this.#sink, root), root }
  }
}

const ZEROS = Buffer.alloc(64 * 1024)

/** Compares by memcmp: several GB/s. */
export function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const end = Math.min(at + ZEROS.length, bytes.length)
    if (ZEROS.compare(bytes, at, end, 0, end - at) !== 0) return false
  }
  return true
}

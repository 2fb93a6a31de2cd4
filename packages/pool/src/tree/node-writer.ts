/**
 * Cuts a sorted run of entries into nodes and builds the B-tree above them, in one pass and in
 * bounded memory: one open node per level.
 *
 * Where a node ends depends on names only: a name whose hash has SPLIT_MASK's bits clear begins a
 * new node once the open one holds NODE_PAYLOAD_MIN. So one new file changes the one leaf it falls
 * into and the nodes above it, and all others stay the same chunk.
 */
import { assert } from '@openmaas/kernel/assert'
import { type ChunkSink, ChunkType } from '../chunk/chunk.ts'
import { padded } from './entry-layout.ts'
import {
  ITEM_NAME_OFFSET,
  NODE_FLAG_LINK_TABLE,
  NODE_HEADER_SIZE,
  NODE_LEVEL_MAX,
  NODE_MAGIC,
  NODE_VERSION,
} from './node-view.ts'
import { addWeights, type Weights, writeWeights, zeroWeights } from './weights.ts'

/** A node with less is never split: 16 KiB are about 130 entries. */
export const NODE_PAYLOAD_MIN = 16 * 1024
/** A node is closed before it would hold more, whatever the hashes say. */
export const NODE_PAYLOAD_MAX = 64 * 1024
/** One name in 128 ends a node: about 130 + 128 entries, 32 KiB. */
const SPLIT_MASK = 0x7f

/** FNV-1a over the bytes, then mixed, so that short names spread too. Part of the format. */
export function splitHash(bytes: Buffer, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < end; i += 1) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

interface OpenNode {
  readonly buffer: Buffer
  length: number
  count: number
  weights: Weights
}

function openNode(): OpenNode {
  const buffer = Buffer.alloc(NODE_HEADER_SIZE + NODE_PAYLOAD_MAX)
  return { buffer, length: NODE_HEADER_SIZE, count: 0, weights: zeroWeights() }
}

export interface NodeWriterResult {
  readonly id: Buffer
  /** Sum over all entries, plus the nodes of this B-tree. */
  readonly weights: Weights
  readonly entryCount: number
}

export class NodeWriter {
  readonly #sink: ChunkSink
  readonly #linkTable: boolean
  /** The open node of each level, leaves first. Reused from one B-tree to the next. */
  readonly #levels: OpenNode[] = [openNode()]
  #height = 1
  #entryCount = 0

  constructor(sink: ChunkSink, options: { linkTable?: boolean } = {}) {
    this.#sink = sink
    this.#linkTable = options.linkTable === true
  }

  /**
   * Makes room for an entry of that many bytes at the end of the open leaf. The caller fills the
   * bytes at the returned offset of `leafBuffer`, then calls `commitEntry`.
   */
  reserveEntry(size: number, name: Buffer): number {
    assert(size % 8 === 0 && size <= NODE_PAYLOAD_MAX, 'an entry fits a node')
    this.#splitBefore(0, size, name, 0, name.length)
    return this.#levels[0]!.length
  }

  get leafBuffer(): Buffer {
    return this.#levels[0]!.buffer
  }

  /** Where the caller adds the weights of the entry it has just written. */
  get leafWeights(): Weights {
    return this.#levels[0]!.weights
  }

  commitEntry(size: number): void {
    const leaf = this.#levels[0]!
    leaf.length += size
    leaf.count += 1
    this.#entryCount += 1
  }

  /** Closes the B-tree and makes the writer ready for the next one. */
  close(): NodeWriterResult {
    // An empty leaf can only be the whole tree: nodes are split before an entry, never after it.
    for (let level = 0; level < this.#height - 1; level += 1) this.#closeNode(level)
    const root = this.#levels[this.#height - 1]!
    const weights = root.weights
    const id = this.#writeNode(this.#height - 1)
    weights.nodes += 1
    const result = { id, weights, entryCount: this.#entryCount }
    root.weights = zeroWeights()
    this.#height = 1
    this.#entryCount = 0
    return result
  }

  #splitBefore(level: number, size: number, name: Buffer, start: number, end: number): void {
    const node = this.#levels[level]!
    const payload = node.length - NODE_HEADER_SIZE
    if (payload > 0) {
      const full = payload + size > NODE_PAYLOAD_MAX
      const ends = payload >= NODE_PAYLOAD_MIN && (splitHash(name, start, end) & SPLIT_MASK) === 0
      if (full || ends) this.#closeNode(level)
    }
  }

  #writeNode(level: number): Buffer {
    const node = this.#levels[level]!
    const { buffer, length } = node
    NODE_MAGIC.copy(buffer, 0)
    buffer[4] = NODE_VERSION
    buffer[5] = level
    buffer.writeUInt16LE(this.#linkTable ? NODE_FLAG_LINK_TABLE : 0, 6)
    buffer.writeUInt32LE(node.count, 8)
    buffer.writeUInt32LE(length - NODE_HEADER_SIZE, 12)
    buffer.fill(0, 16, NODE_HEADER_SIZE)
    const type = this.#linkTable ? ChunkType.linkTable : ChunkType.treeNode
    const id = this.#sink.put(type, buffer.subarray(0, length))
    node.length = NODE_HEADER_SIZE
    node.count = 0
    return id
  }

  /** Writes the open node of a level and puts an item for it into the level above. */
  #closeNode(level: number): void {
    const node = this.#levels[level]!
    assert(level < NODE_LEVEL_MAX, 'a B-tree stays below the highest level')
    // The first name is read before the bytes go: it stands in the node's first entry or item.
    const nameStart = NODE_HEADER_SIZE + (level === 0 ? 64 : ITEM_NAME_OFFSET)
    const nameLength = node.buffer.readUInt16LE(NODE_HEADER_SIZE + 4)
    const id = this.#writeNode(level)
    if (level + 1 === this.#height) {
      this.#height += 1
      if (this.#levels.length < this.#height) this.#levels.push(openNode())
    }
    const size = ITEM_NAME_OFFSET + padded(nameLength)
    this.#splitBefore(level + 1, size, node.buffer, nameStart, nameStart + nameLength)
    const above = this.#levels[level + 1]!
    const at = above.length
    above.buffer.fill(0, at, at + size)
    above.buffer.writeUInt32LE(size, at)
    above.buffer.writeUInt16LE(nameLength, at + 4)
    id.copy(above.buffer, at + 8)
    writeWeights(node.weights, above.buffer, at + 40)
    node.buffer.copy(above.buffer, at + ITEM_NAME_OFFSET, nameStart, nameStart + nameLength)
    addWeights(above.weights, node.weights)
    above.weights.nodes += 1
    above.length += size
    above.count += 1
    node.weights = zeroWeights()
  }
}

/**
 * Content lists: the chunks and holes of a file that is more than one chunk. Layout of a node
 * (docs/formats/tree.md), little endian:
 *
 *   offset size field
 *        0   4 magic "MCL1"
 *        4  u8 version 1
 *        5  u8 level; 0 is a leaf
 *        6 u16 0
 *        8 u32 count
 *       12 u32 0
 *       16     level 0: count × { u64 end, id 32 }
 *              above:   count × { u64 end, u64 chunks, id 32 }
 *
 * `end` is the offset behind the item, counted from the node's first byte of content. Bit 63 of a
 * level 0 end marks a hole; then the id is zero. `chunks` counts every reference below the item,
 * the child itself among them.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { CHUNK_ID_SIZE, CHUNK_SIZE_MAX, type ChunkSink, ChunkType } from '../chunk/chunk.ts'
import type { ContentRef } from './entry.ts'
import { readCount } from './weights.ts'

const MAGIC = Buffer.from('MCL1', 'latin1')
const VERSION = 1
const HEADER_SIZE = 16
const LEAF_ITEM_SIZE = 40
const UPPER_ITEM_SIZE = 48
const HOLE_BIT = 0x8000_0000

/** Items a node has at most (48 KiB), and at least before an id may end it. */
export const LIST_ITEMS_MAX = 1000
const LIST_ITEMS_MIN = 250
/** One id in 256 ends a node: about 500 items, so an insertion changes few nodes. */
const SPLIT_MASK = 0xff
/** 1000^8 chunks are beyond any file; a damaged list ends here. */
export const LIST_LEVEL_MAX = 8

function invalid(what: string): MaasError {
  return new MaasError('TREE_INVALID', `a content list ${what}`)
}

interface OpenList {
  readonly buffer: Buffer
  count: number
  /** Bytes of content below the open node. */
  end: number
  chunks: number
}

const itemSize = (level: number): number => (level === 0 ? LEAF_ITEM_SIZE : UPPER_ITEM_SIZE)

function openList(level: number): OpenList {
  const buffer = Buffer.alloc(HEADER_SIZE + LIST_ITEMS_MAX * itemSize(level))
  return { buffer, count: 0, end: 0, chunks: 0 }
}

/** Builds the list of one file, in order; reusable after `finish`. */
export class ContentListBuilder {
  readonly #sink: ChunkSink
  readonly #levels: OpenList[] = [openList(0)]
  #height = 1
  #size = 0
  /** A hole that may still grow; written when data follows or the list ends. */
  #hole = 0
  #items = 0
  readonly #first = Buffer.alloc(CHUNK_ID_SIZE)

  constructor(sink: ChunkSink) {
    this.#sink = sink
  }

  get size(): number {
    return this.#size
  }

  addChunk(id: Buffer, length: number, idOffset = 0): void {
    assert(length > 0 && length <= CHUNK_SIZE_MAX, 'a chunk has 1 byte to 1 MiB')
    this.#flushHole()
    if (this.#items === 0) id.copy(this.#first, 0, idOffset, idOffset + CHUNK_ID_SIZE)
    this.#addItem({ length, hole: false, id, idOffset })
    this.#size += length
  }

  addHole(length: number): void {
    assert(length >= 0 && Number.isSafeInteger(this.#size + length), 'a hole ends below 2^53')
    this.#hole += length
    this.#size += length
  }

  /** @returns undefined when nothing was added */
  finish(): ContentRef | undefined {
    const size = this.#size
    this.#flushHole()
    const single = this.#items === 1 && this.#levels[0]!.chunks === 1
    const content = size === 0 ? undefined : single ? this.#takeSingle() : this.#closeList()
    this.#height = 1
    this.#size = 0
    this.#items = 0
    return content
  }

  #takeSingle(): ContentRef {
    const leaf = this.#levels[0]!
    leaf.count = 0
    leaf.end = 0
    leaf.chunks = 0
    return { kind: 'single', id: Buffer.from(this.#first) }
  }

  #closeList(): ContentRef {
    for (let level = 0; level < this.#height - 1; level += 1) this.#closeNode(level)
    const level = this.#height - 1
    const root = this.#levels[level]!
    const chunks = root.chunks + 1
    const id = this.#writeNode(level)
    return { kind: 'list', id, level, chunks }
  }

  #flushHole(): void {
    if (this.#hole === 0) return
    const length = this.#hole
    this.#hole = 0
    this.#addItem({ length, hole: true, id: undefined, idOffset: 0 })
  }

  #addItem(item: {
    length: number
    hole: boolean
    id: Buffer | undefined
    idOffset: number
  }): void {
    const leaf = this.#levels[0]!
    const at = HEADER_SIZE + leaf.count * LEAF_ITEM_SIZE
    leaf.end += item.length
    writeEnd(leaf.buffer, at, leaf.end, item.hole)
    if (item.id === undefined) leaf.buffer.fill(0, at + 8, at + LEAF_ITEM_SIZE)
    else item.id.copy(leaf.buffer, at + 8, item.idOffset, item.idOffset + CHUNK_ID_SIZE)
    leaf.count += 1
    leaf.chunks += item.hole ? 0 : 1
    this.#items += 1
    if (this.#isFull(leaf, at + 8)) this.#closeNode(0)
  }

  #isFull(node: OpenList, idOffset: number): boolean {
    if (node.count >= LIST_ITEMS_MAX) return true
    return node.count >= LIST_ITEMS_MIN && (node.buffer[idOffset]! & SPLIT_MASK) === SPLIT_MASK
  }

  #writeNode(level: number): Buffer {
    const node = this.#levels[level]!
    const { buffer, count } = node
    MAGIC.copy(buffer)
    buffer[4] = VERSION
    buffer[5] = level
    buffer.writeUInt16LE(0, 6)
    buffer.writeUInt32LE(count, 8)
    buffer.writeUInt32LE(0, 12)
    const id = this.#sink.put(
      ChunkType.contentList,
      buffer.subarray(0, HEADER_SIZE + count * itemSize(level)),
    )
    node.count = 0
    node.end = 0
    node.chunks = 0
    return id
  }

  #closeNode(level: number): void {
    const node = this.#levels[level]!
    if (node.count === 0) return
    const { end, chunks } = node
    const id = this.#writeNode(level)
    if (level + 1 === this.#height) {
      this.#height += 1
      assert(this.#height <= LIST_LEVEL_MAX, 'a content list stays below the highest level')
      if (this.#levels.length < this.#height) this.#levels.push(openList(this.#height - 1))
    }
    const above = this.#levels[level + 1]!
    const at = HEADER_SIZE + above.count * UPPER_ITEM_SIZE
    above.end += end
    writeEnd(above.buffer, at, above.end, false)
    writeEnd(above.buffer, at + 8, chunks + 1, false)
    id.copy(above.buffer, at + 16)
    above.count += 1
    above.chunks += chunks + 1
    if (this.#isFull(above, at + 16)) this.#closeNode(level + 1)
  }
}

function writeEnd(buffer: Buffer, offset: number, end: number, hole: boolean): void {
  buffer.writeUInt32LE(end % 0x1_0000_0000, offset)
  buffer.writeUInt32LE((Math.floor(end / 0x1_0000_0000) | (hole ? HOLE_BIT : 0)) >>> 0, offset + 4)
}

/** A content list node over its own bytes. */
export class ContentListView {
  readonly bytes: Buffer
  readonly level: number
  readonly count: number
  readonly #itemSize: number

  /** @throws MaasError TREE_INVALID */
  constructor(bytes: Buffer) {
    if (bytes.length < HEADER_SIZE + LEAF_ITEM_SIZE) throw invalid('is cut off')
    if (bytes.compare(MAGIC, 0, 4, 0, 4) !== 0) throw invalid('has a wrong magic')
    if (bytes[4] !== VERSION) throw invalid('has an unknown version')
    this.bytes = bytes
    this.level = bytes[5]!
    this.count = bytes.readUInt32LE(8)
    if (this.level >= LIST_LEVEL_MAX) throw invalid('stands impossibly high')
    this.#itemSize = itemSize(this.level)
    if (bytes.length !== HEADER_SIZE + this.count * this.#itemSize) {
      throw invalid('has a wrong length')
    }
    if (bytes.readUInt16LE(6) !== 0 || bytes.readUInt32LE(12) !== 0) {
      throw invalid('has unknown fields')
    }
    for (let i = 0; i < this.count; i += 1) {
      const length = this.endAt(i) - this.startAt(i)
      const chunk = this.level === 0 && !this.isHoleAt(i)
      if (length <= 0 || (chunk && length > CHUNK_SIZE_MAX)) throw invalid('holds a wrong length')
    }
  }

  get size(): number {
    return this.endAt(this.count - 1)
  }

  endAt(index: number): number {
    const at = HEADER_SIZE + index * this.#itemSize
    const high = this.bytes.readUInt32LE(at + 4) & 0x7fff_ffff
    if (high >= 0x20_0000) throw invalid('holds an offset beyond 2^53')
    return high * 0x1_0000_0000 + this.bytes.readUInt32LE(at)
  }

  startAt(index: number): number {
    return index === 0 ? 0 : this.endAt(index - 1)
  }

  isHoleAt(index: number): boolean {
    if (this.level !== 0) return false
    return (this.bytes[HEADER_SIZE + index * LEAF_ITEM_SIZE + 7]! & 0x80) !== 0
  }

  /** A view on the node's bytes. */
  idAt(index: number): Buffer {
    const at = HEADER_SIZE + index * this.#itemSize + (this.level === 0 ? 8 : 16)
    return this.bytes.subarray(at, at + CHUNK_ID_SIZE)
  }

  /** References below an item, its child among them. */
  chunksAt(index: number): number {
    if (this.level === 0) return this.isHoleAt(index) ? 0 : 1
    return readCount(this.bytes, HEADER_SIZE + index * UPPER_ITEM_SIZE + 8)
  }

  /** The item that holds the offset, which lies below the size. */
  indexOf(offset: number): number {
    let low = 0
    let high = this.count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.endAt(middle) <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

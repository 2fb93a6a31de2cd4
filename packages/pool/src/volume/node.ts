/**
 * A node of the map of a volume: 1,024 entries that are absent, zero or a chunk.
 *
 *   0 4 "MVN1"   4 1 version   5 1 level   6 2 item count   8 24 zero
 *  32 256 states, two bits an entry        288 … items, one per entry in state chunk
 *
 * Item: id 32; above level 0 then chunk count u32, node count u32 of the subtree.
 * Specification: docs/formats/volume.md.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { CHUNK_ID_SIZE } from '../chunk/chunk.ts'

export const NODE_ENTRIES = 1024
/** Three levels of 1,024 cover 64 TiB at 64 KiB. */
export const NODE_LEVEL_MAX = 2

export const EntryState = { absent: 0, zero: 1, chunk: 2 } as const
export type EntryState = (typeof EntryState)[keyof typeof EntryState]

/** References in a subtree. Of a data chunk: one chunk and no node. */
export interface SubtreeCounts {
  readonly chunks: number
  readonly nodes: number
}
export const NO_COUNTS: SubtreeCounts = { chunks: 0, nodes: 0 }

/** One entry. `id` and `counts` mean something in state chunk only. */
export interface MapEntry {
  readonly state: EntryState
  readonly id?: Buffer
  readonly counts?: SubtreeCounts
}

export const ABSENT: MapEntry = { state: EntryState.absent }
export const ZERO: MapEntry = { state: EntryState.zero }

const MAGIC = Buffer.from('MVN1', 'latin1')
const VERSION = 1
const HEADER_SIZE = 32
const STATES_SIZE = NODE_ENTRIES / 4
const ITEMS_START = HEADER_SIZE + STATES_SIZE

const itemSize = (level: number): number => (level === 0 ? CHUNK_ID_SIZE : CHUNK_ID_SIZE + 8)

export function invalidVolume(reason: string): MaasError {
  return new MaasError('VOLUME_INVALID', `the map of a volume is damaged: ${reason}`, { reason })
}

export class MapNode {
  readonly level: number
  readonly #states = new Uint8Array(NODE_ENTRIES)
  readonly #ids = Buffer.alloc(NODE_ENTRIES * CHUNK_ID_SIZE)
  readonly #chunks = new Uint32Array(NODE_ENTRIES)
  readonly #nodes = new Uint32Array(NODE_ENTRIES)

  constructor(level: number) {
    assert(level >= 0 && level <= NODE_LEVEL_MAX, 'a node has a level of the format')
    this.level = level
  }

  state(entry: number): EntryState {
    return this.#states[entry] as EntryState
  }

  /** A view that the next `set` of this entry changes. */
  id(entry: number): Buffer {
    return this.#ids.subarray(entry * CHUNK_ID_SIZE, (entry + 1) * CHUNK_ID_SIZE)
  }

  counts(entry: number): SubtreeCounts {
    if (this.#states[entry] !== EntryState.chunk) return NO_COUNTS
    return { chunks: this.#chunks[entry]!, nodes: this.#nodes[entry]! }
  }

  entry(entry: number): MapEntry {
    const state = this.state(entry)
    if (state !== EntryState.chunk) return { state }
    return { state, id: Buffer.from(this.id(entry)), counts: this.counts(entry) }
  }

  set(entry: number, value: MapEntry): void {
    this.#states[entry] = value.state
    if (value.state !== EntryState.chunk) return
    assert(value.id?.length === CHUNK_ID_SIZE, 'an entry in state chunk has an id')
    value.id.copy(this.#ids, entry * CHUNK_ID_SIZE)
    this.#chunks[entry] = value.counts?.chunks ?? 1
    this.#nodes[entry] = value.counts?.nodes ?? 0
  }

  fill(state: EntryState, count: number): void {
    this.#states.fill(state, 0, count)
  }

  /** Of everything below, this node not included. */
  totals(): SubtreeCounts {
    let [chunks, nodes] = [0, 0]
    for (let i = 0; i < NODE_ENTRIES; i += 1) {
      if (this.#states[i] !== EntryState.chunk) continue
      chunks += this.#chunks[i]!
      nodes += this.#nodes[i]!
    }
    return { chunks, nodes }
  }

  /** The state that the first `count` entries share, unless it is chunk. */
  uniform(count: number): EntryState | undefined {
    const first = this.state(0)
    if (first === EntryState.chunk) return undefined
    for (let i = 1; i < count; i += 1) if (this.#states[i] !== first) return undefined
    return first
  }

  encode(): Buffer {
    const items: number[] = []
    for (let i = 0; i < NODE_ENTRIES; i += 1) {
      if (this.#states[i] === EntryState.chunk) items.push(i)
    }
    const size = itemSize(this.level)
    const bytes = Buffer.alloc(ITEMS_START + items.length * size)
    MAGIC.copy(bytes)
    bytes.writeUInt8(VERSION, 4)
    bytes.writeUInt8(this.level, 5)
    bytes.writeUInt16LE(items.length, 6)
    for (let i = 0; i < NODE_ENTRIES; i += 1) {
      bytes[HEADER_SIZE + (i >> 2)]! |= this.#states[i]! << ((i & 3) * 2)
    }
    let at = ITEMS_START
    for (const item of items) {
      this.id(item).copy(bytes, at)
      if (this.level > 0) {
        bytes.writeUInt32LE(this.#chunks[item]!, at + 32)
        bytes.writeUInt32LE(this.#nodes[item]!, at + 36)
      }
      at += size
    }
    return bytes
  }

  /** Copies what it keeps. @throws MaasError VOLUME_INVALID */
  static decode(bytes: Buffer, level: number): MapNode {
    if (bytes.length < ITEMS_START) throw invalidVolume('a node is too short')
    if (!bytes.subarray(0, 4).equals(MAGIC)) throw invalidVolume('unknown magic of a node')
    if (bytes.readUInt8(4) !== VERSION) throw invalidVolume('unknown version of a node')
    if (bytes.readUInt8(5) !== level) throw invalidVolume('a node of a wrong level')
    if (bytes.subarray(8, HEADER_SIZE).some((byte) => byte !== 0)) {
      throw invalidVolume('reserved bytes of a node are set')
    }
    const node = new MapNode(level)
    const size = itemSize(level)
    const count = bytes.readUInt16LE(6)
    if (bytes.length !== ITEMS_START + count * size) throw invalidVolume('a node of a wrong length')
    let at = ITEMS_START
    for (let i = 0; i < NODE_ENTRIES; i += 1) {
      const state = (bytes[HEADER_SIZE + (i >> 2)]! >> ((i & 3) * 2)) & 3
      if (state > EntryState.chunk) throw invalidVolume('unknown state of an entry')
      node.#states[i] = state
      if (state !== EntryState.chunk) continue
      if (at + size > bytes.length) throw invalidVolume('more entries than items')
      bytes.copy(node.#ids, i * CHUNK_ID_SIZE, at, at + CHUNK_ID_SIZE)
      node.#chunks[i] = level === 0 ? 1 : bytes.readUInt32LE(at + 32)
      node.#nodes[i] = level === 0 ? 0 : bytes.readUInt32LE(at + 36)
      at += size
    }
    if (at !== bytes.length) throw invalidVolume('more items than entries')
    return node
  }
}

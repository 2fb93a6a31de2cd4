/**
 * A directory node or link table node over its own bytes: nothing is copied or decoded until it
 * is asked for. Layout (docs/formats/tree.md), little endian:
 *
 *   offset size field
 *        0   4 magic "MTN1"
 *        4  u8 version 1
 *        5  u8 level; 0 is a leaf
 *        6 u16 flags: bit 0 link table (names are keys of 12 bytes)
 *        8 u32 count
 *       12 u32 payload bytes
 *       16  16 zero
 *       32     leaf: entries (entry-layout.ts); else items:
 *              u32 itemLength, u16 nameLength, u16 0, child id 32, Weights 64 at 40,
 *              first name at 104, zero padded to a multiple of 8
 *
 * Entries and items are sorted by the bytes of their names. An interior item's name is the first
 * one below it. Weights of an item do not contain the node itself.
 */
import { MaasError } from '@openmaas/kernel/errors'
import { ENTRY_FIXED_SIZE, OFFSET, type EntryKind } from './entry-layout.ts'
import { addEntryWeights, decodeEntry, type EntryStat, type TreeEntry } from './entry.ts'
import { addWeights, readCount, readWeights, type Weights, zeroWeights } from './weights.ts'

export const NODE_MAGIC = Buffer.from('MTN1', 'latin1')
export const NODE_VERSION = 1
export const NODE_HEADER_SIZE = 32
export const NODE_FLAG_LINK_TABLE = 0x01
export const ITEM_NAME_OFFSET = 104
/** Each level divides by at least two, so 2^40 entries would fit; a damaged tree ends here. */
export const NODE_LEVEL_MAX = 40

export function invalidNode(what: string): MaasError {
  return new MaasError('TREE_INVALID', `a tree node ${what}`)
}

export class TreeNodeView {
  readonly bytes: Buffer
  readonly level: number
  readonly count: number
  readonly linkTable: boolean
  /** Over the same bytes: a walk reads them through it, see StatxFields in source-files. */
  readonly #view: DataView
  readonly #offsets: Uint32Array

  /** @throws MaasError TREE_INVALID */
  constructor(bytes: Buffer) {
    if (bytes.length < NODE_HEADER_SIZE) throw invalidNode('is cut off')
    if (bytes.compare(NODE_MAGIC, 0, 4, 0, 4) !== 0) throw invalidNode('has a wrong magic')
    if (bytes[4] !== NODE_VERSION) throw invalidNode('has an unknown version')
    const flags = bytes.readUInt16LE(6)
    if ((flags & ~NODE_FLAG_LINK_TABLE) !== 0) throw invalidNode('has unknown flags')
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    this.level = bytes[5]!
    this.count = bytes.readUInt32LE(8)
    this.linkTable = (flags & NODE_FLAG_LINK_TABLE) !== 0
    if (this.level > NODE_LEVEL_MAX) throw invalidNode('stands impossibly high')
    if (bytes.readUInt32LE(12) !== bytes.length - NODE_HEADER_SIZE) {
      throw invalidNode('has a wrong length')
    }
    this.#offsets = this.#findOffsets()
  }

  #findOffsets(): Uint32Array {
    const { bytes, count } = this
    const view = this.#view
    const smallest = this.level === 0 ? ENTRY_FIXED_SIZE : ITEM_NAME_OFFSET
    if (count * smallest > bytes.length) throw invalidNode('is shorter than its count says')
    const offsets = new Uint32Array(count)
    let offset = NODE_HEADER_SIZE
    for (let i = 0; i < count; i += 1) {
      offsets[i] = offset
      if (offset + smallest > bytes.length) throw invalidNode('ends inside an entry')
      const length = view.getUint32(offset, true)
      const nameLength = view.getUint16(offset + 4, true)
      if (length < smallest + nameLength || length % 8 !== 0) {
        throw invalidNode('holds an entry of impossible length')
      }
      offset += length
    }
    if (offset !== bytes.length) throw invalidNode('does not end with its last entry')
    return offsets
  }

  get isLeaf(): boolean {
    return this.level === 0
  }

  offsetAt(index: number): number {
    return this.#offsets[index]!
  }

  /** The name of an entry, or the first name below an item; a view on the node's bytes. */
  nameAt(index: number): Buffer {
    const offset = this.#offsets[index]!
    const start = offset + (this.level === 0 ? OFFSET.name : ITEM_NAME_OFFSET)
    return this.bytes.subarray(start, start + this.bytes.readUInt16LE(offset + 4))
  }

  kindAt(index: number): EntryKind {
    return this.bytes[this.#offsets[index]! + OFFSET.kind] as EntryKind
  }

  flagsAt(index: number): number {
    return this.bytes[this.#offsets[index]! + OFFSET.flags]!
  }

  modeAt(index: number): number {
    return this.bytes.readUInt32LE(this.#offsets[index]! + OFFSET.mode)
  }

  /** @throws MaasError TREE_INVALID */
  sizeAt(index: number): number {
    return readCount(this.bytes, this.#offsets[index]! + OFFSET.size)
  }

  entryBytesAt(index: number): Buffer {
    const offset = this.#offsets[index]!
    return this.bytes.subarray(offset, offset + this.bytes.readUInt32LE(offset))
  }

  /** @throws MaasError TREE_INVALID */
  entryAt(index: number): TreeEntry {
    return decodeEntry(this.bytes, this.#offsets[index]!)
  }

  childAt(index: number): Buffer {
    const offset = this.#offsets[index]!
    return this.bytes.subarray(offset + 8, offset + 40)
  }

  /** What the entry, or everything below the item, weighs; one more node for an item's child. */
  addWeightsAt(index: number, target: Weights): void {
    const offset = this.#offsets[index]!
    if (this.level === 0) {
      addEntryWeights(this.bytes, offset, target)
    } else {
      addWeights(target, readWeights(this.bytes, offset + 40))
      target.nodes += 1
    }
  }

  weightsAt(index: number): Weights {
    const weights = zeroWeights()
    this.addWeightsAt(index, weights)
    return weights
  }

  /** Sum over everything in this node. */
  totalWeights(): Weights {
    const weights = zeroWeights()
    for (let i = 0; i < this.count; i += 1) this.addWeightsAt(i, weights)
    return weights
  }

  /** First index whose name is not before the name; count when there is none. */
  lowerBound(name: Buffer): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.compareName(middle, name) < 0) low = middle + 1
      else high = middle
    }
    return low
  }

  compareName(index: number, name: Buffer): number {
    const offset = this.#offsets[index]!
    const start = offset + (this.level === 0 ? OFFSET.name : ITEM_NAME_OFFSET)
    const end = start + this.bytes.readUInt16LE(offset + 4)
    return this.bytes.compare(name, 0, name.length, start, end)
  }

  /** True when the entry of a leaf has the name that stands in the first bytes. */
  hasName(index: number, name: Buffer, length: number): boolean {
    const { bytes } = this
    const offset = this.#offsets[index]!
    if (this.#view.getUint16(offset + OFFSET.nameLength, true) !== length) return false
    const start = offset + OFFSET.name
    // From the end, where names of one directory differ.
    for (let i = length - 1; i >= 0; i -= 1) if (bytes[start + i] !== name[i]) return false
    return true
  }

  /** Index of the entry with that name in a leaf, or -1. */
  indexOf(name: Buffer): number {
    const index = this.lowerBound(name)
    return index < this.count && this.compareName(index, name) === 0 ? index : -1
  }

  /**
   * True when nothing that a change of the file would touch differs: type and mode, owner, size,
   * inode number, modification and change time.
   */
  statMatches(index: number, stat: EntryStat): boolean {
    const view = this.#view
    const at = this.#offsets[index]!
    return (
      view.getUint32(at + OFFSET.ctimeNs, true) === stat.ctimeNs &&
      view.getUint32(at + OFFSET.mtimeNs, true) === stat.mtimeNs &&
      view.getUint32(at + OFFSET.ino, true) === stat.inoLow &&
      view.getUint32(at + OFFSET.ino + 4, true) === stat.inoHigh &&
      readU53(view, at + OFFSET.size) === stat.size &&
      readI64(view, at + OFFSET.ctimeSec) === stat.ctimeSec &&
      readI64(view, at + OFFSET.mtimeSec) === stat.mtimeSec &&
      view.getUint32(at + OFFSET.mode, true) === stat.mode &&
      view.getUint32(at + OFFSET.uid, true) === stat.uid &&
      view.getUint32(at + OFFSET.gid, true) === stat.gid
    )
  }
}

function readU53(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 0x1_0000_0000 + view.getUint32(offset, true)
}

function readI64(view: DataView, offset: number): number {
  return view.getInt32(offset + 4, true) * 0x1_0000_0000 + view.getUint32(offset, true)
}

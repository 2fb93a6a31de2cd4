/**
 * Writes the entries of one directory, in name order, as a B-tree of nodes. The link table is
 * written by the same class: its "names" are keys of 12 bytes.
 *
 * A builder may be reused for the next directory after `finish`; then its buffers are, too.
 */
import { assert } from '@openmaas/kernel/assert'
import { type ChunkSink, ChunkType } from '../chunk/chunk.ts'
import {
  CONTENT_LIST_FIELD_SIZE,
  DIRECTORY_FIELD_SIZE,
  ENTRY_FLAG,
  ENTRY_KIND,
  type EntryKind,
  NAME_LENGTH_MAX,
  OFFSET,
  padded,
  SYMLINK_TARGET_MAX,
  XATTR_INLINE_MAX,
} from './entry-layout.ts'
import {
  addEntryWeights,
  type ContentRef,
  type DeviceNumber,
  type DirectoryRef,
  type EntryStat,
} from './entry.ts'
import { direntSize, directoryBlocks, type XattrPair, xattrsNeedBlock } from './footprint.ts'
import type { TreeEntry } from './entry.ts'
import { NodeWriter } from './node-writer.ts'
import type { TreeNodeView } from './node-view.ts'
import { type Weights, writeWeights } from './weights.ts'
import { encodeXattrs } from './xattr-block.ts'

const NO_XATTRS: readonly XattrPair[] = []

/** What a directory is, but for its own entry: that adds one name, inode and its own blocks. */
export interface BuiltDirectory {
  readonly node: Buffer
  /** Of everything below, without the directory itself; nodes of this B-tree counted. */
  readonly weights: Weights
  readonly entryCount: number
  readonly subdirectoryCount: number
  readonly direntBytes: number
}

export interface EntryOptions {
  readonly xattrs?: readonly XattrPair[]
  /** See ENTRY_FLAG.uncertain. */
  readonly uncertain?: boolean
}

interface EntryFields extends EntryOptions {
  readonly kind: EntryKind
  readonly fieldSize: number
  readonly flags: number
}

/** The reference that a directory's entry holds: what was built, plus the directory itself. */
export function directoryRef(built: BuiltDirectory, xattrs: readonly XattrPair[]): DirectoryRef {
  const external = xattrs.length > 0 && encodeXattrs(xattrs).length > XATTR_INLINE_MAX
  const { node, entryCount, subdirectoryCount, direntBytes } = built
  const weights = {
    ...built.weights,
    names: built.weights.names + 1,
    directories: built.weights.directories + 1,
    inodes: built.weights.inodes + 1,
    blocks:
      built.weights.blocks + directoryBlocks(direntBytes).total + (xattrsNeedBlock(xattrs) ? 1 : 0),
    chunks: built.weights.chunks + (external ? 1 : 0),
  }
  return { node, weights, entryCount, subdirectoryCount, direntBytes }
}

/** The other way round: what was built when the directory of this entry was. */
export function builtDirectory(entry: TreeEntry): BuiltDirectory {
  const { directory, flags } = entry
  assert(directory !== undefined, 'the entry is a directory')
  const { node, weights, entryCount, subdirectoryCount, direntBytes } = directory
  const xattrBlocks = (flags & ENTRY_FLAG.xattrBlock) === 0 ? 0 : 1
  const built = {
    ...weights,
    names: weights.names - 1,
    directories: weights.directories - 1,
    inodes: weights.inodes - 1,
    blocks: weights.blocks - directoryBlocks(direntBytes).total - xattrBlocks,
    chunks: weights.chunks - ((flags & ENTRY_FLAG.xattrsExternal) === 0 ? 0 : 1),
  }
  return { node, weights: built, entryCount, subdirectoryCount, direntBytes }
}

export class DirectoryBuilder {
  readonly #sink: ChunkSink
  readonly #writer: NodeWriter
  readonly #lastName = Buffer.alloc(NAME_LENGTH_MAX)
  #lastNameLength = -1
  #subdirectoryCount = 0
  #direntBytes = 0

  constructor(sink: ChunkSink, options: { linkTable?: boolean } = {}) {
    this.#sink = sink
    this.#writer = new NodeWriter(sink, options)
  }

  /** @param content undefined for an empty file */
  addFile(
    name: Buffer,
    stat: EntryStat,
    content: ContentRef | undefined,
    options: EntryOptions = {},
  ): void {
    assert((stat.size === 0) === (content === undefined), 'exactly the empty files have no content')
    const kind = ENTRY_KIND.file
    if (content === undefined) {
      this.#add(name, stat, { ...options, kind, fieldSize: 0, flags: 0 })
    } else if (content.kind === 'single') {
      const at = this.#add(name, stat, {
        ...options,
        kind,
        fieldSize: 32,
        flags: ENTRY_FLAG.contentSingle,
      })
      content.id.copy(this.#writer.leafBuffer, at)
    } else {
      const fieldSize = CONTENT_LIST_FIELD_SIZE
      const at = this.#add(name, stat, {
        ...options,
        kind,
        fieldSize,
        flags: ENTRY_FLAG.contentList,
      })
      const buffer = this.#writer.leafBuffer
      content.id.copy(buffer, at)
      buffer.writeUInt32LE(content.level, at + 32)
      writeU64(buffer, content.chunks, at + 40)
    }
    this.#commit()
  }

  addDirectory(
    name: Buffer,
    stat: EntryStat,
    directory: DirectoryRef,
    options: EntryOptions = {},
  ): void {
    const fields = {
      ...options,
      kind: ENTRY_KIND.directory,
      fieldSize: DIRECTORY_FIELD_SIZE,
      flags: 0,
    }
    const at = this.#add(name, stat, fields)
    const buffer = this.#writer.leafBuffer
    directory.node.copy(buffer, at)
    writeWeights(directory.weights, buffer, at + 32)
    buffer.writeUInt32LE(directory.entryCount, at + 96)
    buffer.writeUInt32LE(directory.subdirectoryCount, at + 100)
    writeU64(buffer, directory.direntBytes, at + 104)
    this.#commit()
  }

  addSymlink(name: Buffer, stat: EntryStat, target: Buffer, options: EntryOptions = {}): void {
    assert(target.length <= SYMLINK_TARGET_MAX, 'a link target fits PATH_MAX')
    const fieldSize = padded(4 + target.length)
    const at = this.#add(name, stat, { ...options, kind: ENTRY_KIND.symlink, fieldSize, flags: 0 })
    this.#writer.leafBuffer.writeUInt32LE(target.length, at)
    target.copy(this.#writer.leafBuffer, at + 4)
    this.#commit()
  }

  addDevice(
    name: Buffer,
    stat: EntryStat,
    device: DeviceNumber & { readonly block: boolean },
    options: EntryOptions = {},
  ): void {
    const kind = device.block ? ENTRY_KIND.blockDevice : ENTRY_KIND.charDevice
    const at = this.#add(name, stat, { ...options, kind, fieldSize: 8, flags: 0 })
    this.#writer.leafBuffer.writeUInt32LE(device.major, at)
    this.#writer.leafBuffer.writeUInt32LE(device.minor, at + 4)
    this.#commit()
  }

  addFifo(name: Buffer, stat: EntryStat, options: EntryOptions = {}): void {
    this.#add(name, stat, { ...options, kind: ENTRY_KIND.fifo, fieldSize: 0, flags: 0 })
    this.#commit()
  }

  addSocket(name: Buffer, stat: EntryStat, options: EntryOptions = {}): void {
    this.#add(name, stat, { ...options, kind: ENTRY_KIND.socket, fieldSize: 0, flags: 0 })
    this.#commit()
  }

  /** A name of a file whose inode stands in the link table under the key. */
  addHardLink(name: Buffer, stat: EntryStat, key: Buffer): void {
    const at = this.#add(name, stat, { kind: ENTRY_KIND.hardLink, fieldSize: 16, flags: 0 })
    key.copy(this.#writer.leafBuffer, at)
    this.#commit()
  }

  /** Takes over an entry of an older node byte for byte; its chunks are not looked at. */
  copyUnchanged(view: TreeNodeView, index: number): void {
    const offset = view.offsetAt(index)
    this.addEncoded(view.bytes, offset, offset + view.bytes.readUInt32LE(offset))
  }

  /** Takes an entry that is already encoded, possibly under another name. */
  addEncoded(source: Buffer, start: number, end: number): void {
    const nameStart = start + OFFSET.name
    const name = source.subarray(
      nameStart,
      nameStart + source.readUInt16LE(start + OFFSET.nameLength),
    )
    this.#enter(name, source[start + OFFSET.kind] === ENTRY_KIND.directory)
    const size = end - start
    this.#at = this.#writer.reserveEntry(size, name)
    this.#size = size
    source.copy(this.#writer.leafBuffer, this.#at, start, end)
    this.#commit()
  }

  /** Closes the directory. The builder is then ready for the next. */
  finish(): BuiltDirectory {
    const { id, weights, entryCount } = this.#writer.close()
    const built = {
      node: id,
      weights,
      entryCount,
      subdirectoryCount: this.#subdirectoryCount,
      direntBytes: this.#direntBytes,
    }
    this.#lastNameLength = -1
    this.#subdirectoryCount = 0
    this.#direntBytes = 0
    return built
  }

  #enter(name: Buffer, isDirectory: boolean): void {
    assert(name.length > 0 && name.length <= NAME_LENGTH_MAX, 'a name has 1 to 255 bytes')
    assert(
      this.#lastNameLength < 0 ||
        this.#lastName.compare(name, 0, name.length, 0, this.#lastNameLength) < 0,
      'entries come in the order of their names',
    )
    name.copy(this.#lastName)
    this.#lastNameLength = name.length
    if (isDirectory) this.#subdirectoryCount += 1
    this.#direntBytes += direntSize(name.length)
  }

  /** Where the entry under construction begins, and its size. */
  #at = 0
  #size = 0

  /** Writes everything but the kind's field. @returns where that field begins */
  #add(name: Buffer, stat: EntryStat, fields: EntryFields): number {
    this.#enter(name, fields.kind === ENTRY_KIND.directory)
    const xattrs = fields.xattrs ?? NO_XATTRS
    let flags = fields.flags | (fields.uncertain === true ? ENTRY_FLAG.uncertain : 0)
    let block: Buffer | undefined
    if (xattrs.length > 0) {
      block = encodeXattrs(xattrs)
      if (xattrsNeedBlock(xattrs)) flags |= ENTRY_FLAG.xattrBlock
      if (block.length > XATTR_INLINE_MAX) {
        flags |= ENTRY_FLAG.xattrsExternal
        block = this.#sink.put(ChunkType.contentList, block)
      } else flags |= ENTRY_FLAG.xattrs
    }
    const field = OFFSET.name + padded(name.length)
    const xattrStart = field + fields.fieldSize
    const size = xattrStart + (block === undefined ? 0 : padded(block.length))
    const at = this.#writer.reserveEntry(size, name)
    const buffer = this.#writer.leafBuffer
    buffer.fill(0, at, at + size)
    buffer.writeUInt32LE(size, at)
    buffer.writeUInt16LE(name.length, at + OFFSET.nameLength)
    buffer[at + OFFSET.kind] = fields.kind
    buffer[at + OFFSET.flags] = flags
    writeStat(buffer, at, stat)
    name.copy(buffer, at + OFFSET.name)
    block?.copy(buffer, at + xattrStart)
    this.#at = at
    this.#size = size
    return at + field
  }

  #commit(): void {
    addEntryWeights(this.#writer.leafBuffer, this.#at, this.#writer.leafWeights)
    this.#writer.commitEntry(this.#size)
  }
}

function writeStat(buffer: Buffer, at: number, stat: EntryStat): void {
  buffer.writeUInt32LE(stat.mode, at + OFFSET.mode)
  buffer.writeUInt32LE(stat.uid, at + OFFSET.uid)
  buffer.writeUInt32LE(stat.gid, at + OFFSET.gid)
  buffer.writeUInt32LE(stat.nlink, at + OFFSET.nlink)
  writeU64(buffer, stat.size, at + OFFSET.size)
  buffer.writeUInt32LE(stat.inoLow, at + OFFSET.ino)
  buffer.writeUInt32LE(stat.inoHigh, at + OFFSET.ino + 4)
  writeI64(buffer, stat.mtimeSec, at + OFFSET.mtimeSec)
  writeI64(buffer, stat.ctimeSec, at + OFFSET.ctimeSec)
  buffer.writeUInt32LE(stat.mtimeNs, at + OFFSET.mtimeNs)
  buffer.writeUInt32LE(stat.ctimeNs, at + OFFSET.ctimeNs)
}

function writeU64(buffer: Buffer, value: number, offset: number): void {
  buffer.writeUInt32LE(value % 0x1_0000_0000, offset)
  buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), offset + 4)
}

function writeI64(buffer: Buffer, value: number, offset: number): void {
  const high = Math.floor(value / 0x1_0000_0000)
  buffer.writeUInt32LE(value - high * 0x1_0000_0000, offset)
  buffer.writeInt32LE(high, offset + 4)
}

/** Key of the link table: device number as major << 20 | minor, then the inode number. */
export function makeLinkKey(device: DeviceNumber, inoLow: number, inoHigh: number): Buffer {
  assert(device.major < 0x1000 && device.minor < 0x10_0000, 'a device number has 12 + 20 bits')
  const key = Buffer.alloc(12)
  key.writeUInt32BE(device.major * 0x10_0000 + device.minor, 0)
  key.writeUInt32BE(inoHigh, 4)
  key.writeUInt32BE(inoLow, 8)
  return key
}

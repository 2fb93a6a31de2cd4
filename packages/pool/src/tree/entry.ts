/** Decoding one entry of a directory node or link table; layout in entry-layout.ts. */
import { MaasError } from '@openmaas/kernel/errors'
import type { ChunkSource } from '../chunk/chunk.ts'
import {
  CONTENT_LIST_FIELD_SIZE,
  DIRECTORY_FIELD_SIZE,
  ENTRY_FLAG,
  ENTRY_FLAGS_UNKNOWN,
  ENTRY_KIND,
  type EntryKind,
  LINK_KEY_SIZE,
  NAME_LENGTH_MAX,
  OFFSET,
  padded,
  S_IFMT,
  S_IFREG,
  SYMLINK_TARGET_MAX,
} from './entry-layout.ts'
import { directoryBlocks, fileBlocks, symlinkBlocks, type XattrPair } from './footprint.ts'
import { readCount, readWeights, type Weights } from './weights.ts'
import { decodeXattrs } from './xattr-block.ts'

/** What stat says of a file; numbers are safe integers, the inode number comes in two halves. */
export interface EntryStat {
  mode: number
  uid: number
  gid: number
  nlink: number
  size: number
  inoLow: number
  inoHigh: number
  mtimeSec: number
  mtimeNs: number
  ctimeSec: number
  ctimeNs: number
}

/** Where the bytes of a file are. */
export type ContentRef =
  /** One data chunk holds everything. */
  | { readonly kind: 'single'; readonly id: Buffer }
  /** Root of a content list; `chunks` counts every reference below, list nodes included. */
  | { readonly kind: 'list'; readonly id: Buffer; readonly level: number; readonly chunks: number }

export interface DirectoryRef {
  readonly node: Buffer
  /** The directory itself and everything below. */
  readonly weights: Weights
  /** Entries of this directory alone. */
  readonly entryCount: number
  readonly subdirectoryCount: number
  /** Sum of direntSize over its names (footprint.ts). */
  readonly direntBytes: number
}

export interface DeviceNumber {
  readonly major: number
  readonly minor: number
}

export interface TreeEntry extends EntryStat {
  readonly kind: EntryKind
  readonly flags: number
  readonly name: Buffer
  /** Regular files that are not empty. */
  readonly content: ContentRef | undefined
  readonly directory: DirectoryRef | undefined
  /** Symlinks. */
  readonly target: Buffer | undefined
  readonly device: DeviceNumber | undefined
  /** Hard links: the key into the link table. */
  readonly linkKey: Buffer | undefined
  /** The entry's own bytes. */
  readonly raw: Buffer
}

function invalid(what: string, offset: number): MaasError {
  return new MaasError('TREE_INVALID', `an entry of a tree node ${what}`, { offset })
}

function readSeconds(bytes: Buffer, offset: number): number {
  return bytes.readInt32LE(offset + 4) * 0x1_0000_0000 + bytes.readUInt32LE(offset)
}

/** Offset, inside the entry, of the field that the kind asks for. */
export function fieldOffset(bytes: Buffer, offset: number): number {
  return OFFSET.name + padded(bytes.readUInt16LE(offset + OFFSET.nameLength))
}

/** Bytes of the field that the kind asks for. @throws MaasError TREE_INVALID */
export function fieldSize(bytes: Buffer, offset: number): number {
  const flags = bytes[offset + OFFSET.flags]!
  switch (bytes[offset + OFFSET.kind] as EntryKind) {
    case ENTRY_KIND.file:
      if ((flags & ENTRY_FLAG.contentSingle) !== 0) return 32
      return (flags & ENTRY_FLAG.contentList) !== 0 ? CONTENT_LIST_FIELD_SIZE : 0
    case ENTRY_KIND.directory:
      return DIRECTORY_FIELD_SIZE
    case ENTRY_KIND.symlink: {
      const at = offset + fieldOffset(bytes, offset)
      if (at + 4 > bytes.length) throw invalid('is cut off', offset)
      return padded(4 + bytes.readUInt32LE(at))
    }
    case ENTRY_KIND.charDevice:
    case ENTRY_KIND.blockDevice:
      return 8
    case ENTRY_KIND.hardLink:
      return 16
    case ENTRY_KIND.fifo:
    case ENTRY_KIND.socket:
      return 0
    default:
      throw invalid('has an unknown kind', offset)
  }
}

/** Checks everything that the rest relies on. @throws MaasError TREE_INVALID */
function checkEntry(bytes: Buffer, offset: number): void {
  const length = bytes.readUInt32LE(offset + OFFSET.length)
  const nameLength = bytes.readUInt16LE(offset + OFFSET.nameLength)
  const flags = bytes[offset + OFFSET.flags]!
  if (nameLength > NAME_LENGTH_MAX) throw invalid('has a name that is too long', offset)
  if ((flags & ENTRY_FLAGS_UNKNOWN) !== 0) throw invalid('has unknown flags', offset)
  const field = fieldOffset(bytes, offset)
  if (field > length) throw invalid('is shorter than its name', offset)
  let end = field + fieldSize(bytes, offset)
  if (end > length) throw invalid('is shorter than its field', offset)
  if ((flags & ENTRY_FLAG.xattrsExternal) !== 0) end += 32
  else if ((flags & ENTRY_FLAG.xattrs) !== 0) {
    if (end + 8 > length) throw invalid('is shorter than its xattrs', offset)
    end += padded(bytes.readUInt32LE(offset + end))
  }
  if (end !== length) throw invalid('does not end where its fields end', offset)
}

/**
 * Decodes the entry at the offset of a node's bytes. Buffers in the result are views on them.
 *
 * @throws MaasError TREE_INVALID
 */
export function decodeEntry(bytes: Buffer, offset: number): TreeEntry {
  checkEntry(bytes, offset)
  const kind = bytes[offset + OFFSET.kind] as EntryKind
  const flags = bytes[offset + OFFSET.flags]!
  const nameEnd = offset + OFFSET.name + bytes.readUInt16LE(offset + OFFSET.nameLength)
  const field = offset + fieldOffset(bytes, offset)
  return {
    kind,
    flags,
    mode: bytes.readUInt32LE(offset + OFFSET.mode),
    uid: bytes.readUInt32LE(offset + OFFSET.uid),
    gid: bytes.readUInt32LE(offset + OFFSET.gid),
    nlink: bytes.readUInt32LE(offset + OFFSET.nlink),
    size: readCount(bytes, offset + OFFSET.size),
    inoLow: bytes.readUInt32LE(offset + OFFSET.ino),
    inoHigh: bytes.readUInt32LE(offset + OFFSET.ino + 4),
    mtimeSec: readSeconds(bytes, offset + OFFSET.mtimeSec),
    mtimeNs: bytes.readUInt32LE(offset + OFFSET.mtimeNs),
    ctimeSec: readSeconds(bytes, offset + OFFSET.ctimeSec),
    ctimeNs: bytes.readUInt32LE(offset + OFFSET.ctimeNs),
    name: bytes.subarray(offset + OFFSET.name, nameEnd),
    content: kind === ENTRY_KIND.file ? decodeContent(bytes, field, flags) : undefined,
    directory: kind === ENTRY_KIND.directory ? decodeDirectory(bytes, field) : undefined,
    target: kind === ENTRY_KIND.symlink ? decodeTarget(bytes, field) : undefined,
    device:
      kind === ENTRY_KIND.charDevice || kind === ENTRY_KIND.blockDevice
        ? { major: bytes.readUInt32LE(field), minor: bytes.readUInt32LE(field + 4) }
        : undefined,
    linkKey:
      kind === ENTRY_KIND.hardLink ? bytes.subarray(field, field + LINK_KEY_SIZE) : undefined,
    raw: bytes.subarray(offset, offset + bytes.readUInt32LE(offset)),
  }
}

function decodeContent(bytes: Buffer, field: number, flags: number): ContentRef | undefined {
  if ((flags & ENTRY_FLAG.contentSingle) !== 0) {
    return { kind: 'single', id: bytes.subarray(field, field + 32) }
  }
  if ((flags & ENTRY_FLAG.contentList) === 0) return undefined
  const chunks = readCount(bytes, field + 40)
  const level = bytes.readUInt32LE(field + 32)
  return { kind: 'list', id: bytes.subarray(field, field + 32), level, chunks }
}

export function decodeDirectory(bytes: Buffer, field: number): DirectoryRef {
  return {
    node: bytes.subarray(field, field + 32),
    weights: readWeights(bytes, field + 32),
    entryCount: bytes.readUInt32LE(field + 96),
    subdirectoryCount: bytes.readUInt32LE(field + 100),
    direntBytes: readCount(bytes, field + 104),
  }
}

function decodeTarget(bytes: Buffer, field: number): Buffer {
  const length = bytes.readUInt32LE(field)
  if (length > SYMLINK_TARGET_MAX) throw invalid('has a link target that is too long', field)
  return bytes.subarray(field + 4, field + 4 + length)
}

/** The entry's extended attributes, sorted by name. @throws MaasError TREE_INVALID, CHUNK_… */
export function readEntryXattrs(source: ChunkSource, entry: TreeEntry): XattrPair[] {
  const external = xattrChunk(entry)
  if (external !== undefined) return decodeXattrs(source.read(external))
  if ((entry.flags & ENTRY_FLAG.xattrs) === 0) return []
  const start = fieldOffset(entry.raw, 0) + fieldSize(entry.raw, 0)
  return decodeXattrs(entry.raw.subarray(start))
}

/** Id of the chunk that holds the xattr block, when it stands outside the node. */
export function xattrChunk(entry: Pick<TreeEntry, 'flags' | 'raw'>): Buffer | undefined {
  if ((entry.flags & ENTRY_FLAG.xattrsExternal) === 0) return undefined
  return entry.raw.subarray(entry.raw.length - 32)
}

/** Blocks of the view that the entry itself takes, without what lies below a directory. */
export function ownBlocks(entry: TreeEntry): number {
  const xattr = (entry.flags & ENTRY_FLAG.xattrBlock) !== 0 ? 1 : 0
  switch (entry.kind) {
    case ENTRY_KIND.file:
      return xattr + fileBlocks(entry.size)
    case ENTRY_KIND.directory:
      return xattr + directoryBlocks(entry.directory!.direntBytes).total
    case ENTRY_KIND.symlink:
      return xattr + symlinkBlocks(entry.target!.length)
    case ENTRY_KIND.hardLink:
      return 0
    default:
      return xattr
  }
}

/**
 * Adds what the entry at the offset contributes to its directory, without making objects: this
 * runs over every entry of a node at every descent.
 */
export function addEntryWeights(bytes: Buffer, offset: number, target: Weights): void {
  const kind = bytes[offset + OFFSET.kind] as EntryKind
  const flags = bytes[offset + OFFSET.flags]!
  if (kind === ENTRY_KIND.directory) {
    const part = readWeights(bytes, offset + fieldOffset(bytes, offset) + 32)
    target.names += part.names
    target.files += part.files
    target.directories += part.directories
    target.inodes += part.inodes
    target.blocks += part.blocks
    target.bytes += part.bytes
    target.chunks += part.chunks
    target.nodes += part.nodes
    return
  }
  target.names += 1
  if ((bytes.readUInt32LE(offset + OFFSET.mode) & S_IFMT) === S_IFREG) target.files += 1
  if (kind === ENTRY_KIND.hardLink) return
  target.inodes += 1
  if ((flags & ENTRY_FLAG.xattrBlock) !== 0) target.blocks += 1
  if ((flags & ENTRY_FLAG.xattrsExternal) !== 0) target.chunks += 1
  if (kind === ENTRY_KIND.file) {
    const size = readCount(bytes, offset + OFFSET.size)
    target.bytes += size
    target.blocks += fileBlocks(size)
    if ((flags & ENTRY_FLAG.contentSingle) !== 0) target.chunks += 1
    else if ((flags & ENTRY_FLAG.contentList) !== 0) {
      target.chunks += readCount(bytes, offset + fieldOffset(bytes, offset) + 40)
    }
  } else if (kind === ENTRY_KIND.symlink) {
    target.blocks += symlinkBlocks(bytes.readUInt32LE(offset + fieldOffset(bytes, offset)))
  }
}

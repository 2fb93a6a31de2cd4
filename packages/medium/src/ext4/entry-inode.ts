/** From an entry of the tree to its inode, and to the parts of its own blocks. */
import { MaasError } from '@openmaas/kernel/errors'
import type { ChunkSource } from '@openmaas/pool/chunk/chunk'
import { readEntryXattrs, type TreeEntry } from '@openmaas/pool/tree/entry'
import { ENTRY_FLAG, ENTRY_KIND, type EntryKind } from '@openmaas/pool/tree/entry-layout'
import {
  contentBlocks,
  directoryBlocks,
  extentTreeBlocks,
  symlinkBlocks,
} from '@openmaas/pool/tree/footprint'
import { BLOCK_SIZE } from './constants.ts'
import { EXTRA_SIZE, encodeInode, type InodeFields } from './inode.ts'
import type { Place } from './tree-index.ts'
import { encodeXattrsInInode } from './xattr.ts'

/** ext4 numbers the blocks of a file in 32 bits; what lies behind 16 TiB is not shown. */
const CONTENT_BLOCKS_MAX = 2 ** 32 - 1
const XATTRS_OFFSET = 128 + EXTRA_SIZE

/** The runs of an entry's own blocks, in their order. */
export interface OwnBlocks {
  readonly xattr: number
  readonly extentTree: number
  readonly content: number
}

/** How the entry's own blocks divide. */
export function divideBlocks(entry: TreeEntry): OwnBlocks {
  const content = Math.min(mappedBlocks(entry), CONTENT_BLOCKS_MAX)
  return {
    xattr: (entry.flags & ENTRY_FLAG.xattrBlock) !== 0 ? 1 : 0,
    extentTree: extentTreeBlocks(content),
    content,
  }
}

function mappedBlocks(entry: TreeEntry): number {
  switch (entry.kind) {
    case ENTRY_KIND.file:
      return contentBlocks(entry.size)
    case ENTRY_KIND.directory:
      return directoryBlocks(entry.directory!.direntBytes).total
    case ENTRY_KIND.symlink:
      return symlinkBlocks(entry.target!.length)
    default:
      return 0
  }
}

/** File type bits of a mode by kind; a hard link never gets here. */
const TYPE_BITS: Readonly<Partial<Record<EntryKind, number>>> = {
  [ENTRY_KIND.file]: 0o100000,
  [ENTRY_KIND.directory]: 0o040000,
  [ENTRY_KIND.symlink]: 0o120000,
  [ENTRY_KIND.fifo]: 0o010000,
  [ENTRY_KIND.socket]: 0o140000,
  [ENTRY_KIND.charDevice]: 0o020000,
  [ENTRY_KIND.blockDevice]: 0o060000,
}

/** Writes into 256 zeroed bytes. @throws MaasError TREE_INVALID, CHUNK_MISSING… */
export function encodeInodeOf(
  target: Buffer,
  place: Place,
  system: { source: ChunkSource; dataStart: number },
): void {
  const { entry } = place
  if ((entry.mode & 0o170000) !== TYPE_BITS[entry.kind]) {
    throw new MaasError('TREE_INVALID', 'an entry is of another kind than its mode says', {
      kind: entry.kind,
      mode: entry.mode,
    })
  }
  const own = divideBlocks(entry)
  const start = system.dataStart + place.block
  const { uid, gid, mtimeSec, mtimeNs, ctimeSec, ctimeNs } = entry
  encodeInode(target, {
    mode: entry.mode,
    uid,
    gid,
    mtimeSec,
    mtimeNs,
    ctimeSec,
    ctimeNs,
    size: sizeOf(entry),
    links: linksOf(place),
    blocks: own.xattr + own.extentTree + own.content,
    indexed: entry.kind === ENTRY_KIND.directory && own.content > 1,
    xattrBlock: own.xattr === 0 ? 0 : start,
    map: mapOf(entry, { treeStart: start + own.xattr, blocks: own.content }),
  })
  const hasXattrs = (entry.flags & (ENTRY_FLAG.xattrs | ENTRY_FLAG.xattrsExternal)) !== 0
  if (hasXattrs && own.xattr === 0) {
    encodeXattrsInInode(target.subarray(XATTRS_OFFSET), readEntryXattrs(system.source, entry))
  }
}

function sizeOf(entry: TreeEntry): number {
  switch (entry.kind) {
    case ENTRY_KIND.file:
      return Math.min(entry.size, CONTENT_BLOCKS_MAX * BLOCK_SIZE)
    case ENTRY_KIND.directory:
      return mappedBlocks(entry) * BLOCK_SIZE
    case ENTRY_KIND.symlink:
      return entry.target!.length
    default:
      return 0
  }
}

/**
 * Directories are counted by the tree. A file in a directory has one name; one in the link table
 * has as many as capture found inside the snapshot.
 */
function linksOf({ entry, linked }: Place): number {
  if (entry.directory !== undefined) return 2 + entry.directory.subdirectoryCount
  return linked ? entry.nlink : 1
}

function mapOf(
  entry: TreeEntry,
  content: { treeStart: number; blocks: number },
): InodeFields['map'] {
  if (entry.device !== undefined) return { kind: 'device', ...entry.device }
  if (entry.target !== undefined && content.blocks === 0) {
    return { kind: 'target', target: entry.target }
  }
  const mapped = entry.kind === ENTRY_KIND.file || content.blocks > 0
  return mapped ? { kind: 'extents', content } : { kind: 'none' }
}

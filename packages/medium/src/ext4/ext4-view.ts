/**
 * A tree snapshot as an ext4 file system: a read-only device of which every block is computed
 * when it is asked for. Same snapshot and options, same bytes. Docs: docs/formats/ext4-view.md.
 *
 * Opening reads the root record and nothing else. Memory is bounded by the budgets below,
 * and by the largest directory in use (directory.ts). One view belongs to one thread.
 */
import { createHash } from 'node:crypto'
import { assert } from '@openmaas/kernel/assert'
import type { BlockExtent, SyncBlockDevice } from '@openmaas/kernel/block-device'
import { MaasError } from '@openmaas/kernel/errors'
import type { ChunkSource } from '@openmaas/pool/chunk/chunk'
import { readTreeRoot, snapshotWeights, type TreeRoot } from '@openmaas/pool/tree/root'
import {
  HTREE_LEAF_FILL,
  HTREE_NODE_ENTRIES_MAX,
  HTREE_ROOT_ENTRIES_MAX,
} from '@openmaas/pool/tree/footprint'
import {
  BLOCK_SIZE,
  DESCRIPTOR_SIZE,
  DESCRIPTORS_PER_BLOCK,
  INO_FIRST,
  INO_JOURNAL,
  INO_ROOT,
  INODE_SIZE,
  INODES_PER_BLOCK,
} from './constants.ts'
import { ByteLru } from './byte-lru.ts'
import { DataArea } from './data-area.ts'
import { encodeInodeOf } from './entry-inode.ts'
import { encodeExtentRoot } from './extents.ts'
import { encodeBlockBitmap, encodeDescriptor, encodeInodeBitmap } from './groups.ts'
import { encodeInode } from './inode.ts'
import { encodeJournalSuperblock } from './journal.ts'
import { computeLayout, type Layout } from './layout.ts'
import { encodeSuperblock, LABEL_MAX, SUPERBLOCK_OFFSET } from './superblock.ts'
import { TreeIndex } from './tree-index.ts'

export interface Ext4ViewOptions {
  /** Free space for writes; default max(1 GiB, 25 % of the data). */
  readonly freeBytes?: number
  /** At most 16 bytes are kept. */
  readonly label?: string
  /** Makes uuid and hash seed differ from those of the same snapshot elsewhere. */
  readonly uuidSeed?: string
  /** Tree nodes kept; default 32 MiB. */
  readonly nodeCacheBytes?: number
  /** Directories kept; default 32 MiB. */
  readonly directoryCacheBytes?: number
  /** Content lists kept; default 16 MiB, enough for 20 GiB of content at random. */
  readonly listCacheBytes?: number
  /** Computed metadata blocks kept; default 8 MiB. */
  readonly blockCacheBytes?: number
}

const MIB = 2 ** 20
/**
 * A directory with fewer names surely gets along with two levels of index: a leaf holds at least
 * LEAF_FILL / 264 of the longest names. From here on the feature "largedir" is set.
 */
const NAMES_LARGE_DIR =
  HTREE_ROOT_ENTRIES_MAX * HTREE_NODE_ENTRIES_MAX * Math.floor(HTREE_LEAF_FILL / 264)

export class Ext4View implements SyncBlockDevice {
  readonly size: number
  readonly blockSize = BLOCK_SIZE
  readonly readOnly = true
  readonly layout: Layout
  readonly uuid: Buffer
  readonly #root: TreeRoot
  readonly #source: ChunkSource
  readonly #index: TreeIndex
  readonly #data: DataArea
  readonly #hashSeed: Buffer
  readonly #label: Buffer
  readonly #blocks: ByteLru<number, Buffer>
  /** Behind the last block of the inode tables that holds an inode in use. */
  readonly #tablesUsedEnd: number

  /**
   * Reads the root record.
   *
   * @param rootId chunk id of the root record
   * @throws MaasError TREE_INVALID, VIEW_TOO_LARGE, CHUNK_MISSING…
   */
  constructor(source: ChunkSource, rootId: Buffer, options: Ext4ViewOptions = {}) {
    this.#source = source
    // A copy: the source may reuse its buffer for the next chunk.
    const id = Buffer.from(rootId)
    this.#root = readTreeRoot({ read: (chunk) => Buffer.from(source.read(chunk)) }, id)
    const weights = snapshotWeights(this.#root)
    const { inodes, blocks } = weights
    this.layout = computeLayout({ inodes, blocks, freeBytes: options.freeBytes })
    this.size = this.layout.blocks * BLOCK_SIZE
    const digest = createHash('sha256')
      .update('openmaas ext4 view')
      .update(id)
      .update(options.uuidSeed ?? '')
      .digest()
    this.uuid = uuidFrom(digest.subarray(0, 16))
    this.#hashSeed = digest.subarray(16, 32)
    this.#label = Buffer.from(options.label ?? 'openmaas').subarray(0, LABEL_MAX)
    this.#index = new TreeIndex(source, this.#root, options.nodeCacheBytes ?? 32 * MIB)
    this.#data = new DataArea(source, this.#index, {
      layout: this.layout,
      hashSeed: this.#hashSeed,
      directoryCacheBytes: options.directoryCacheBytes ?? 32 * MIB,
      listCacheBytes: options.listCacheBytes ?? 16 * MIB,
    })
    this.#blocks = new ByteLru(options.blockCacheBytes ?? 8 * MIB)
    this.#tablesUsedEnd =
      this.layout.inodeTables + Math.ceil(this.layout.inodeLast / INODES_PER_BLOCK)
  }

  /** @throws MaasError TREE_INVALID, CHUNK_MISSING… */
  read(offset: number, target: Buffer): void {
    assert(offset >= 0 && offset + target.length <= this.size, 'a read is inside the device')
    let done = 0
    while (done < target.length) {
      done += this.#readSome(offset + done, target.subarray(done))
    }
  }

  /** @returns how many bytes of the target were filled, at least one */
  #readSome(offset: number, target: Buffer): number {
    const block = Math.floor(offset / BLOCK_SIZE)
    const { layout } = this
    if (block >= layout.data && block < layout.dataEnd) {
      return this.#data.read(offset - layout.data * BLOCK_SIZE, target)
    }
    const zeroEnd = this.#zeroUntil(block)
    if (zeroEnd > block) {
      const length = Math.min(target.length, zeroEnd * BLOCK_SIZE - offset)
      target.fill(0, 0, length)
      return length
    }
    const within = offset - block * BLOCK_SIZE
    return this.#metadata(block).copy(target, 0, within)
  }

  /** Where the zeros that begin at or before the block end; the block itself when it has none. */
  #zeroUntil(block: number): number {
    const { layout } = this
    if (block >= layout.dataEnd) return layout.blocks
    if (block >= this.#tablesUsedEnd && block < layout.journal) return layout.journal
    if (block > layout.journal && block < layout.data) return layout.data
    return block
  }

  #metadata(block: number): Buffer {
    const known = this.#blocks.get(block)
    if (known !== undefined) return known
    const bytes = Buffer.alloc(BLOCK_SIZE)
    this.#encode(block, bytes)
    this.#blocks.set(block, bytes, BLOCK_SIZE + 128)
    return bytes
  }

  /** Any block in front of the data that is not known to be zero, into zeros. */
  #encode(block: number, target: Buffer): void {
    const { layout } = this
    if (block < layout.descriptors) this.#encodeSuperblock(target)
    else if (block < layout.blockBitmaps) {
      this.#encodeDescriptors(target, (block - layout.descriptors) * DESCRIPTORS_PER_BLOCK)
    } else if (block < layout.inodeBitmaps) {
      encodeBlockBitmap(target, block - layout.blockBitmaps, layout)
    } else if (block < layout.inodeTables) {
      encodeInodeBitmap(target, block - layout.inodeBitmaps, layout)
    } else if (block < layout.inodeTablesEnd) {
      this.#encodeInodes(target, (block - layout.inodeTables) * INODES_PER_BLOCK + 1)
    } else {
      assert(block === layout.journal, 'the block lies in front of the data')
      encodeJournalSuperblock(target, layout.journalBlocks, this.uuid)
    }
  }

  #encodeSuperblock(target: Buffer): void {
    const { layout, uuid } = this
    const journalMap = Buffer.alloc(60)
    encodeExtentRoot(journalMap, 0, { treeStart: layout.journal, blocks: layout.journalBlocks })
    encodeSuperblock({
      layout,
      uuid,
      journalMap,
      hashSeed: this.#hashSeed,
      label: this.#label,
      largeDir: this.#root.entry.directory!.weights.names >= NAMES_LARGE_DIR,
      madeAtSec: this.#root.entry.mtimeSec,
    }).copy(target, SUPERBLOCK_OFFSET)
  }

  #encodeDescriptors(target: Buffer, first: number): void {
    const { layout, uuid } = this
    const end = Math.min(layout.groups, first + DESCRIPTORS_PER_BLOCK)
    let before = this.#directoriesBeforeGroup(first)
    for (let index = first; index < end; index += 1) {
      const until = this.#directoriesBeforeGroup(index + 1)
      const at = (index - first) * DESCRIPTOR_SIZE
      const descriptor = target.subarray(at, at + DESCRIPTOR_SIZE)
      encodeDescriptor(descriptor, { index, directories: until - before }, { layout, uuid })
      before = until
    }
  }

  #directoriesBeforeGroup(group: number): number {
    const inode = group * this.layout.inodesPerGroup + 1
    if (inode <= INO_ROOT) return 0
    return this.#index.directoriesBefore(inode < INO_FIRST ? 1 : inode - (INO_FIRST - 1))
  }

  #encodeInodes(target: Buffer, first: number): void {
    for (let i = 0; i < INODES_PER_BLOCK; i += 1) {
      const inode = first + i
      if (inode > this.layout.inodeLast) return
      const bytes = target.subarray(i * INODE_SIZE, (i + 1) * INODE_SIZE)
      if (inode === INO_JOURNAL) this.#encodeJournalInode(bytes)
      else if (inode === INO_ROOT || inode >= INO_FIRST) {
        const rank = inode === INO_ROOT ? 0 : inode - (INO_FIRST - 1)
        encodeInodeOf(bytes, this.#index.placeOfInode(rank), {
          source: this.#source,
          dataStart: this.layout.data,
        })
      }
    }
  }

  #encodeJournalInode(target: Buffer): void {
    const { journal, journalBlocks } = this.layout
    const { mtimeSec, mtimeNs } = this.#root.entry
    encodeInode(target, {
      mode: 0o100600,
      uid: 0,
      gid: 0,
      links: 1,
      size: journalBlocks * BLOCK_SIZE,
      blocks: journalBlocks,
      mtimeSec,
      mtimeNs,
      ctimeSec: mtimeSec,
      ctimeNs: mtimeNs,
      indexed: false,
      xattrBlock: 0,
      map: { kind: 'extents', content: { treeStart: journal, blocks: journalBlocks } },
    })
  }

  blockStatus(offset: number, length: number): BlockExtent[] {
    assert(offset >= 0 && offset + length <= this.size, 'a range is inside the device')
    const { layout } = this
    const bounds = [
      this.#tablesUsedEnd,
      layout.journal,
      layout.journal + 1,
      layout.data,
      layout.dataEnd,
      layout.blocks,
    ]
    const extents: BlockExtent[] = []
    let start = 0
    for (const [i, bound] of bounds.entries()) {
      const end = bound * BLOCK_SIZE
      const from = Math.max(start, offset)
      const to = Math.min(end, offset + length)
      const zero = i % 2 === 1 // Metadata, zeros, journal, zeros, data, zeros.
      if (from < to) extents.push({ offset: from, length: to - from, hole: zero, zero })
      start = end
    }
    return extents
  }

  write(_offset: number, _source: Buffer): void {
    throw readOnly()
  }

  trim(_offset: number, _length: number): void {
    throw readOnly()
  }

  writeZeroes(_offset: number, _length: number): void {
    throw readOnly()
  }

  flush(): void {
    // Nothing is ever written.
  }

  close(): void {
    this.#blocks.clear()
    this.#data.clear()
    this.#index.clear()
  }
}

function readOnly(): MaasError {
  return new MaasError('DEVICE_READ_ONLY', 'the view of a snapshot takes no writes')
}

/** RFC 9562 version 8: bytes of our own making. */
function uuidFrom(digest: Buffer): Buffer {
  const uuid = Buffer.from(digest)
  uuid[6] = (uuid[6]! & 0x0f) | 0x80
  uuid[8] = (uuid[8]! & 0x3f) | 0x80
  return uuid
}

/**
 * The blocks behind the metadata: each belongs to one entry, as its xattr block, as a block of its
 * extent tree, or as content. Content of files goes straight from chunks into the target.
 */
import type { ChunkSource } from '@openmaas/pool/chunk/chunk'
import { readEntryXattrs } from '@openmaas/pool/tree/entry'
import { ENTRY_KIND } from '@openmaas/pool/tree/entry-layout'
import { BLOCK_SIZE, direntType, INO_FIRST, INO_ROOT } from './constants.ts'
import { ByteLru } from './byte-lru.ts'
import { DirectoryRenderer } from './directory.ts'
import { divideBlocks } from './entry-inode.ts'
import { encodeExtentBlock } from './extents.ts'
import { FileReader, ListCache } from './file-reader.ts'
import type { Layout } from './layout.ts'
import type { Place, TreeIndex } from './tree-index.ts'
import { encodeXattrBlock } from './xattr.ts'

/** Files kept open, with the content lists of the last place read: parallel sequential readers. */
const OPEN_FILES_MAX = 64

/** The content of one file, as a range of bytes of the data area. */
interface OpenFile {
  readonly start: number
  readonly end: number
  readonly reader: FileReader
}

interface DataAreaOptions {
  readonly layout: Layout
  readonly hashSeed: Buffer
  readonly directoryCacheBytes: number
  readonly listCacheBytes: number
}

export function inodeOfRank(rank: number): number {
  return rank === 0 ? INO_ROOT : rank + INO_FIRST - 1
}

export class DataArea {
  readonly #source: ChunkSource
  readonly #index: TreeIndex
  readonly #dataStart: number
  readonly #hashSeed: Int32Array
  /** Most recently used first. */
  #files: OpenFile[] = []
  readonly #lists: ListCache
  /** By the first own block of the directory. */
  readonly #directories: ByteLru<number, Buffer>

  constructor(source: ChunkSource, index: TreeIndex, options: DataAreaOptions) {
    this.#source = source
    this.#index = index
    this.#dataStart = options.layout.data
    const words = [0, 4, 8, 12].map((at) => options.hashSeed.readInt32LE(at))
    this.#hashSeed = Int32Array.from(words)
    this.#lists = new ListCache(source, options.listCacheBytes)
    this.#directories = new ByteLru(options.directoryCacheBytes)
  }

  clear(): void {
    this.#files = []
    this.#lists.clear()
    this.#directories.clear()
  }

  /**
   * Reads from an offset of the data area, up to the end of the run it falls into.
   *
   * @returns how many bytes of the target were filled, at least one
   */
  read(offset: number, target: Buffer): number {
    const file = this.#openFile(offset)
    if (file !== undefined) return readFile(file, offset, target)
    const block = Math.floor(offset / BLOCK_SIZE)
    const place = this.#index.placeOfBlock(block)
    const own = divideBlocks(place.entry)
    const contentStart = place.block + own.xattr + own.extentTree
    if (block >= contentStart && place.entry.kind === ENTRY_KIND.file) {
      return readFile(this.#open(place, contentStart, own.content), offset, target)
    }
    if (block >= contentStart && place.entry.kind === ENTRY_KIND.directory) {
      return this.#directory(place).copy(target, 0, offset - contentStart * BLOCK_SIZE)
    }
    const bytes = Buffer.alloc(BLOCK_SIZE)
    if (block >= contentStart) place.entry.target?.copy(bytes)
    else if (block < place.block + own.xattr) {
      encodeXattrBlock(bytes, readEntryXattrs(this.#source, place.entry))
    } else {
      const treeStart = place.block + own.xattr
      encodeExtentBlock(bytes, block - treeStart, {
        treeStart: this.#dataStart + treeStart,
        blocks: own.content,
      })
    }
    return bytes.copy(target, 0, offset - block * BLOCK_SIZE)
  }

  #openFile(offset: number): OpenFile | undefined {
    const files = this.#files
    for (let i = 0; i < files.length; i += 1) {
      const file = files[i]!
      if (offset < file.start || offset >= file.end) continue
      if (i > 0) {
        files.splice(i, 1)
        files.unshift(file)
      }
      return file
    }
    return undefined
  }

  #open(place: Place, contentStart: number, contentBlocks: number): OpenFile {
    const { size, content } = place.entry
    const start = contentStart * BLOCK_SIZE
    const end = start + contentBlocks * BLOCK_SIZE
    const reader = new FileReader(this.#source, this.#lists, { size, content })
    const file = { start, end, reader }
    this.#files.unshift(file)
    if (this.#files.length > OPEN_FILES_MAX) this.#files.pop()
    return file
  }

  #directory(place: Place): Buffer {
    const known = this.#directories.get(place.block)
    if (known !== undefined) return known
    const renderer = new DirectoryRenderer(place.entry.directory!)
    this.#index.forEachEntry(place, (view, i, rank) => {
      renderer.add(view.nameAt(i), inodeOfRank(rank), direntType(view.modeAt(i)))
    })
    const self = inodeOfRank(place.rank)
    const parent = inodeOfRank(place.parentRank)
    const blocks = renderer.render({ self, parent }, this.#hashSeed)
    this.#directories.set(place.block, blocks, blocks.length + 256)
    return blocks
  }
}

function readFile(file: OpenFile, offset: number, target: Buffer): number {
  const length = Math.min(target.length, file.end - offset)
  file.reader.read(offset - file.start, target.subarray(0, length))
  return length
}

/**
 * The blocks of one directory, all at once: linear when they fit one, else hashed.
 *
 *   dirent: u32 inode, u16 record length, u8 name length, u8 type, name; multiple of 4 bytes.
 *   hashed (kernel: fs/ext4/namei.c): block 0 is dx_root, then dx_nodes level by level, then the
 *   leaves in hash order. Counts and the leaf of each entry follow from footprint.ts; the leaves
 *   come out at most 93 % full, so a clone can add names before it has to split.
 *
 * The whole directory is made and kept, since an order by hash needs every name anyway: about
 * 1.1 × the dirent bytes kept, 2.2 × and 12 bytes a name while it is made.
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import {
  directoryBlocks,
  type DirectoryBlocks,
  direntSize,
  HTREE_NODE_ENTRIES_MAX,
  HTREE_ROOT_ENTRIES_MAX,
} from '@openmaas/pool/tree/footprint'
import { BLOCK_SIZE, HASH_HALF_MD4 } from './constants.ts'
import { hashName } from './name-hash.ts'

const TYPE_DIRECTORY = 2
const ROOT_ENTRIES_OFFSET = 32
const NODE_ENTRIES_OFFSET = 8

/** Dirents of a name of 1 and of 255 bytes. */
const DIRENT_MIN = 12
const DIRENT_MAX = 264

function wrongSize(): MaasError {
  return new MaasError('TREE_INVALID', 'a directory does not hold what its entry says')
}

/** Takes the entries in name order, then renders the blocks. */
export class DirectoryRenderer {
  readonly #run: Buffer
  /** Where each dirent begins in the run, and one past the last. */
  readonly #starts: Float64Array
  #count = 0
  #length = 0

  /** @throws MaasError TREE_INVALID when the numbers cannot belong to one directory */
  constructor(size: { readonly entryCount: number; readonly direntBytes: number }) {
    const { entryCount, direntBytes } = size
    if (direntBytes < entryCount * DIRENT_MIN || direntBytes > entryCount * DIRENT_MAX) {
      throw wrongSize()
    }
    this.#run = Buffer.allocUnsafe(size.direntBytes)
    this.#starts = new Float64Array(size.entryCount + 1)
  }

  add(name: Buffer, inode: number, type: number): void {
    const length = direntSize(name.length)
    const at = this.#length
    const full = this.#count + 1 === this.#starts.length
    if (full || at + length > this.#run.length) throw wrongSize()
    this.#run.fill(0, at + length - 4, at + length)
    writeHeader(this.#run, at, { inode, recordLength: length, nameLength: name.length, type })
    name.copy(this.#run, at + 8)
    this.#length += length
    this.#count += 1
    this.#starts[this.#count] = this.#length
  }

  /** @throws MaasError TREE_INVALID unless all that the constructor was told of was added */
  render(inodes: { readonly self: number; readonly parent: number }, seed: Int32Array): Buffer {
    const whole = this.#count + 1 === this.#starts.length && this.#length === this.#run.length
    if (!whole) throw wrongSize()
    const shape = directoryBlocks(this.#length)
    const blocks = Buffer.alloc(shape.total * BLOCK_SIZE)
    writeDots(blocks, inodes, shape.indexLevels > 0)
    if (shape.indexLevels === 0) this.#renderLinear(blocks)
    else this.#renderHashed(blocks, shape, seed)
    return blocks
  }

  #renderLinear(block: Buffer): void {
    this.#run.copy(block, 24)
    const last = this.#count === 0 ? 12 : 24 + this.#starts[this.#count - 1]!
    block.writeUInt16LE(BLOCK_SIZE - last, last + 4)
  }

  #renderHashed(blocks: Buffer, shape: DirectoryBlocks, seed: Int32Array): void {
    const hashes = new Uint32Array(this.#count)
    for (let i = 0; i < this.#count; i += 1) {
      const at = this.#starts[i]!
      hashes[i] = hashName(this.#run, { offset: at + 8, length: this.#run[at + 6]! }, seed)
    }
    const firstLeaf = shape.total - shape.leaves
    const leafHashes = this.#renderLeaves(blocks, { firstLeaf, leaves: shape.leaves }, hashes)
    renderIndex(blocks, shape, leafHashes)
  }

  /** @returns for each leaf the hash its index entry carries */
  #renderLeaves(
    blocks: Buffer,
    shape: { readonly firstLeaf: number; readonly leaves: number },
    hashes: Uint32Array,
  ): Uint32Array {
    const leafHashes = new Uint32Array(shape.leaves)
    let leaf = -1
    let written = 0 // Bytes of the run so far, in hash order.
    let at = 0
    let last = 0
    let previous = -1
    for (const i of sortByHash(hashes)) {
      const start = this.#starts[i]!
      const length = this.#starts[i + 1]! - start
      const target = Math.floor((written * shape.leaves) / this.#length)
      if (target !== leaf) {
        assert(target === leaf + 1, 'no leaf stays empty')
        if (leaf >= 0) closeBlock(blocks, at, last)
        leaf = target
        at = (shape.firstLeaf + leaf) * BLOCK_SIZE
        // Bit 0: the hash goes on from the leaf before, so a look-up reads on into this one.
        leafHashes[leaf] = hashes[i]! | (hashes[i] === previous ? 1 : 0)
      }
      this.#run.copy(blocks, at, start, start + length)
      last = at
      at += length
      written += length
      previous = hashes[i]!
      assert(at <= (shape.firstLeaf + leaf + 1) * BLOCK_SIZE, 'a leaf takes its entries')
    }
    closeBlock(blocks, at, last)
    return leafHashes
  }
}

/** Stretches the last dirent of a block, which begins at `last`, to the block's end. */
function closeBlock(blocks: Buffer, end: number, last: number): void {
  const blockEnd = Math.ceil(end / BLOCK_SIZE) * BLOCK_SIZE
  blocks.writeUInt16LE(blockEnd - last, last + 4)
}

/** Fills dx_root and the dx_nodes from the leaves up. */
function renderIndex(blocks: Buffer, shape: DirectoryBlocks, leafHashes: Uint32Array): void {
  blocks[24 + 4] = HASH_HALF_MD4
  blocks[24 + 5] = 8 // Length of this record.
  blocks[24 + 6] = shape.indexNodes.length
  let childHashes = leafHashes
  let childStart = shape.total - shape.leaves
  for (let level = shape.indexNodes.length - 1; level >= 0; level -= 1) {
    const nodes = shape.indexNodes[level]!
    const nodeStart = childStart - nodes
    const hashes = new Uint32Array(nodes)
    for (let n = 0; n < nodes; n += 1) {
      const first = n * HTREE_NODE_ENTRIES_MAX
      const node = blocks.subarray((nodeStart + n) * BLOCK_SIZE, (nodeStart + n + 1) * BLOCK_SIZE)
      writeHeader(node, 0, { inode: 0, recordLength: BLOCK_SIZE, nameLength: 0, type: 0 })
      const part = childHashes.subarray(first, first + HTREE_NODE_ENTRIES_MAX)
      writeIndex(node.subarray(NODE_ENTRIES_OFFSET), part, {
        limit: HTREE_NODE_ENTRIES_MAX,
        childStart: childStart + first,
      })
      hashes[n] = childHashes[first]!
    }
    childHashes = hashes
    childStart = nodeStart
  }
  const root = blocks.subarray(ROOT_ENTRIES_OFFSET, BLOCK_SIZE)
  writeIndex(root, childHashes, { limit: HTREE_ROOT_ENTRIES_MAX, childStart })
}

/** u16 limit, u16 count, u32 first child; then u32 hash, u32 child for each further one. */
function writeIndex(
  target: Buffer,
  hashes: Uint32Array,
  node: { readonly limit: number; readonly childStart: number },
): void {
  assert(hashes.length <= node.limit, 'an index block takes its entries')
  for (let i = 0; i < hashes.length; i += 1) {
    target.writeUInt32LE(hashes[i]!, 8 * i)
    target.writeUInt32LE(node.childStart + i, 8 * i + 4)
  }
  target.writeUInt16LE(node.limit, 0)
  target.writeUInt16LE(hashes.length, 2)
}

function writeDots(
  blocks: Buffer,
  inodes: { readonly self: number; readonly parent: number },
  hashed: boolean,
): void {
  const type = TYPE_DIRECTORY
  writeHeader(blocks, 0, { inode: inodes.self, recordLength: 12, nameLength: 1, type })
  blocks.write('.', 8)
  const recordLength = hashed ? BLOCK_SIZE - 12 : 12
  writeHeader(blocks, 12, { inode: inodes.parent, recordLength, nameLength: 2, type })
  blocks.write('..', 20)
}

interface DirentHeader {
  readonly inode: number
  readonly recordLength: number
  readonly nameLength: number
  readonly type: number
}

function writeHeader(target: Buffer, at: number, header: DirentHeader): void {
  target.writeUInt32LE(header.inode, at)
  target.writeUInt16LE(header.recordLength, at + 4)
  target[at + 6] = header.nameLength
  target[at + 7] = header.type
}

/** Indexes in the order of their hashes; equal ones keep their order. Radix sort, two passes. */
export function sortByHash(hashes: Uint32Array): Uint32Array {
  let order = Uint32Array.from(hashes.keys())
  for (const shift of [0, 16]) {
    const ends = new Uint32Array(65_537)
    for (const hash of hashes) ends[((hash >>> shift) & 0xffff) + 1]! += 1
    for (let digit = 0; digit < 65_536; digit += 1) ends[digit + 1]! += ends[digit]!
    const sorted = new Uint32Array(order.length)
    for (const i of order) {
      const digit = (hashes[i]! >>> shift) & 0xffff
      sorted[ends[digit]!] = i
      ends[digit]! += 1
    }
    order = sorted
  }
  return order
}

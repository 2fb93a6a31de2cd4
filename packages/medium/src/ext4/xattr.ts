/**
 * Extended attributes in the inode or in one block (kernel: fs/ext4/xattr.h). Which of the two,
 * and what counts how much, is part of the tree format: footprint.ts, xattrsNeedBlock.
 *
 *   block header 32: u32 magic, u32 references 1, u32 blocks 1, u32 hash, u32 checksum 0, 12 zero
 *   inode header  4: u32 magic
 *   entry        16: u8 name length, u8 name index, u16 value offset, u32 value inode 0,
 *                    u32 value size, u32 hash; then the name, to a multiple of 4
 *   then 4 zero bytes; values grow down from the end, each to a multiple of 4.
 * Value offsets count from the block, or from the first entry in the inode.
 */
import {
  ext4XattrName,
  ext4XattrSize,
  XATTR_BLOCK_SPACE,
  XATTR_INODE_SPACE,
  type XattrPair,
} from '@openmaas/pool/tree/footprint'

const MAGIC = 0xea020000
const BLOCK_HEADER_SIZE = 32
const INODE_HEADER_SIZE = 4
const ENTRY_SIZE = 16
const END_SIZE = 4

const INDEX_ACL_ACCESS = 2
const INDEX_ACL_DEFAULT = 3
const ACL_VERSION_XATTR = 2
const ACL_VERSION_EXT4 = 1
const ACL_USER = 0x02
const ACL_GROUP = 0x08

interface Attribute {
  readonly index: number
  readonly name: Buffer
  readonly value: Buffer
}

/**
 * The ACL of the system call (u32 version 2; u16 tag, u16 permissions, u32 id each) as ext4 keeps
 * it (version 1, and ids for named users and groups only). Undefined when it is malformed.
 */
export function encodeAcl(xattr: Buffer): Buffer | undefined {
  if (xattr.length < 4 || (xattr.length - 4) % 8 !== 0) return undefined
  if (xattr.readUInt32LE(0) !== ACL_VERSION_XATTR) return undefined
  const acl = Buffer.alloc(xattr.length)
  acl.writeUInt32LE(ACL_VERSION_EXT4, 0)
  let length = 4
  for (let offset = 4; offset < xattr.length; offset += 8) {
    const tag = xattr.readUInt16LE(offset)
    const size = tag === ACL_USER || tag === ACL_GROUP ? 8 : 4
    xattr.copy(acl, length, offset, offset + size)
    length += size
  }
  return acl.subarray(0, length)
}

/** Those that ext4 can hold and that fit `space` in the given order, in ext4's order. */
function select(pairs: readonly XattrPair[], space: number): Attribute[] {
  const attributes: Attribute[] = []
  let left = space - END_SIZE
  for (const pair of pairs) {
    const known = ext4XattrName(pair.name)
    if (known === undefined || known.suffix.length > 255) continue
    const { index, suffix } = known
    const acl = index === INDEX_ACL_ACCESS || index === INDEX_ACL_DEFAULT
    const value = acl ? encodeAcl(pair.value) : pair.value
    const size = ext4XattrSize(pair)
    if (value === undefined || size > left) continue
    left -= size
    attributes.push({ index, name: suffix, value })
  }
  return attributes.sort(
    (a, b) => a.index - b.index || a.name.length - b.name.length || a.name.compare(b.name),
  )
}

/** Writes into the zeroed 96 bytes behind the extra fields of an inode. */
export function encodeXattrsInInode(target: Buffer, pairs: readonly XattrPair[]): void {
  const attributes = select(pairs, XATTR_INODE_SPACE - INODE_HEADER_SIZE)
  if (attributes.length === 0) return
  target.writeUInt32LE(MAGIC, 0)
  encodeEntries(target.subarray(INODE_HEADER_SIZE, XATTR_INODE_SPACE), attributes, 0)
}

/** Writes into a zeroed block. */
export function encodeXattrBlock(target: Buffer, pairs: readonly XattrPair[]): void {
  const attributes = select(pairs, XATTR_BLOCK_SPACE)
  target.writeUInt32LE(MAGIC, 0)
  target.writeUInt32LE(1, 4)
  target.writeUInt32LE(1, 8)
  const hash = encodeEntries(target.subarray(BLOCK_HEADER_SIZE), attributes, BLOCK_HEADER_SIZE)
  target.writeUInt32LE(hash, 12)
}

/** @returns the hash over all entry hashes, by which the kernel shares equal blocks */
function encodeEntries(
  target: Buffer,
  attributes: readonly Attribute[],
  valueBase: number,
): number {
  let at = 0
  let end = target.length
  let blockHash = 0
  for (const { index, name, value } of attributes) {
    target[at] = name.length
    target[at + 1] = index
    name.copy(target, at + ENTRY_SIZE)
    if (value.length > 0) {
      end -= (value.length + 3) & ~3
      value.copy(target, end)
      target.writeUInt16LE(end + valueBase, at + 2)
    }
    target.writeUInt32LE(value.length, at + 8)
    const hash = entryHash(name, value)
    target.writeUInt32LE(hash, at + 12)
    blockHash = ((blockHash << 16) ^ (blockHash >>> 16) ^ hash) >>> 0
    at += (ENTRY_SIZE + name.length + 3) & ~3
  }
  return blockHash
}

/** kernel: ext4_xattr_hash_entry, with unsigned name bytes; the value as padded LE words. */
export function entryHash(name: Buffer, value: Buffer): number {
  let hash = 0
  for (const byte of name) hash = (hash << 5) ^ (hash >>> 27) ^ byte
  for (let at = 0; at < value.length; at += 4) {
    let word = 0
    for (let i = Math.min(4, value.length - at) - 1; i >= 0; i -= 1) {
      word = (word << 8) | value[at + i]!
    }
    hash = (hash << 16) ^ (hash >>> 16) ^ word
  }
  return hash >>> 0
}

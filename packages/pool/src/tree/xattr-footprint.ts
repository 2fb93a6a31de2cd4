/**
 * Where the extended attributes of an entry go in the ext4 view (part of footprint version 1).
 *
 * Attributes are taken in ext4's own order: name index, length of the name behind the prefix,
 * bytes of it. Each goes to the first of these in which it fits:
 *   1. the inode: 92 bytes behind the 32 extra ones, less 4 for the end mark;
 *   2. one block: 4064 bytes, less 4 for the end mark;
 *   3. the entry in the block, the value in an inode of its own ("ea_inode"), of ⌈length/4 KiB⌉
 *      blocks;
 *   4. nowhere: the view leaves it out and says how many (`dropped`); restore by copy has it.
 * An entry takes 16 bytes and the name, a value its bytes, both to a multiple of 4. POSIX ACLs are
 * stored in ext4's shorter encoding, so they are translated before they are measured.
 *
 * Names outside ext4's namespaces, and ACLs that are malformed, count as `dropped`.
 */

export interface XattrPair {
  /** With prefix, as the system call gives it: "user.comment". */
  readonly name: Buffer
  readonly value: Buffer
}

export interface XattrSlot {
  readonly nameIndex: number
  /** Behind the prefix; empty for the ACLs. */
  readonly name: Buffer
  /** As ext4 stores it. */
  readonly value: Buffer
  /** The value has an inode of its own. */
  readonly external: boolean
}

export interface XattrLayout {
  readonly inInode: readonly XattrSlot[]
  readonly inBlock: readonly XattrSlot[]
  /** The external ones of inBlock, in order: their inodes follow the entry's own. */
  readonly external: readonly XattrSlot[]
  readonly dropped: number
  /** What the footprint adds for the attributes: external inodes, and all blocks. */
  readonly inodes: number
  readonly blocks: number
}

const IN_INODE_ROOM = 92 - 4
const IN_BLOCK_ROOM = 4064 - 4
/** Linux refuses longer values (XATTR_SIZE_MAX). */
export const XATTR_VALUE_MAX = 65_536

export const XATTR_NONE: XattrLayout = {
  inInode: [], inBlock: [], external: [], dropped: 0, inodes: 0, blocks: 0,
}

/** ext4's name indexes. Whole names first, so that they win over no prefix at all. */
const NAME_INDEXES: readonly (readonly [string, number])[] = [
  ['system.posix_acl_access', 2],
  ['system.posix_acl_default', 3],
  ['user.', 1],
  ['trusted.', 4],
  ['security.', 6],
]
const NAME_INDEX_ACL_ACCESS = 2
const NAME_INDEX_ACL_DEFAULT = 3

export function xattrEntryLength(nameLength: number): number {
  return (16 + nameLength + 3) & ~3
}

export function xattrValueLength(length: number): number {
  return (length + 3) & ~3
}

/** Deterministic; the order of `pairs` does not matter. */
export function layoutXattrs(pairs: readonly XattrPair[]): XattrLayout {
  if (pairs.length === 0) return XATTR_NONE
  const slots: { nameIndex: number; name: Buffer; value: Buffer }[] = []
  for (const pair of pairs) {
    const slot = toSlot(pair)
    if (slot !== undefined) slots.push(slot)
  }
  slots.sort((a, b) =>
    a.nameIndex - b.nameIndex || a.name.length - b.name.length || a.name.compare(b.name))

  const inInode: XattrSlot[] = []
  const inBlock: XattrSlot[] = []
  const external: XattrSlot[] = []
  let inodeRoom = IN_INODE_ROOM
  let blockRoom = IN_BLOCK_ROOM
  let externalBlocks = 0
  for (const slot of slots) {
    const entryLength = xattrEntryLength(slot.name.length)
    const whole = entryLength + xattrValueLength(slot.value.length)
    if (whole <= inodeRoom) {
      inInode.push({ ...slot, external: false })
      inodeRoom -= whole
    } else if (whole <= blockRoom) {
      inBlock.push({ ...slot, external: false })
      blockRoom -= whole
    } else if (entryLength <= blockRoom && slot.value.length <= XATTR_VALUE_MAX
      && slot.value.length > 0) {
      const placed = { ...slot, external: true }
      inBlock.push(placed)
      external.push(placed)
      blockRoom -= entryLength
      externalBlocks += Math.ceil(slot.value.length / 4096)
    }
  }
  return {
    inInode, inBlock, external,
    dropped: pairs.length - inInode.length - inBlock.length,
    inodes: external.length,
    blocks: (inBlock.length > 0 ? 1 : 0) + externalBlocks,
  }
}

function toSlot(pair: XattrPair): { nameIndex: number; name: Buffer; value: Buffer } | undefined {
  const text = pair.name.toString('latin1')
  for (const [prefix, nameIndex] of NAME_INDEXES) {
    const acl = nameIndex === NAME_INDEX_ACL_ACCESS || nameIndex === NAME_INDEX_ACL_DEFAULT
    if (acl ? text !== prefix : !text.startsWith(prefix) || text.length === prefix.length) continue
    const name = pair.name.subarray(prefix.length)
    if (name.length > 255) return undefined
    const value = acl ? encodeExt4Acl(pair.value) : pair.value
    return value === undefined ? undefined : { nameIndex, name, value }
  }
  return undefined
}

const ACL_VERSION_XATTR = 2
const ACL_VERSION_EXT4 = 1
const ACL_USER = 0x02
const ACL_GROUP = 0x08

/**
 * The ACL of the system call (version 2: u16 tag, u16 permissions, u32 id each) in ext4's encoding
 * (version 1: the id only for named users and groups). Undefined when it is malformed.
 */
export function encodeExt4Acl(xattr: Buffer): Buffer | undefined {
  if (xattr.length < 4 || (xattr.length - 4) % 8 !== 0) return undefined
  if (xattr.readUInt32LE(0) !== ACL_VERSION_XATTR) return undefined
  const acl = Buffer.alloc(xattr.length)
  acl.writeUInt32LE(ACL_VERSION_EXT4, 0)
  let length = 4
  for (let offset = 4; offset < xattr.length; offset += 8) {
    const tag = xattr.readUInt16LE(offset)
    xattr.copy(acl, length, offset, offset + 4)
    length += 4
    if (tag === ACL_USER || tag === ACL_GROUP) {
      xattr.copy(acl, length, offset + 4, offset + 8)
      length += 4
    }
  }
  return acl.subarray(0, length)
}

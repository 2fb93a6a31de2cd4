/**
 * The xattr block: extended attributes of one entry, sorted by name. ACLs are attributes too.
 *
 *   offset size field
 *        0  u32 length of the whole block
 *        4  u32 count
 *        8      count × { u16 nameLength, u16 0, u32 valueLength, name, value }
 */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import { XATTR_BYTES_MAX } from './entry-layout.ts'
import type { XattrPair } from './footprint.ts'

const HEADER_SIZE = 8
const PAIR_HEADER_SIZE = 8

export function xattrBlockSize(pairs: readonly XattrPair[]): number {
  let size = HEADER_SIZE
  for (const pair of pairs) size += PAIR_HEADER_SIZE + pair.name.length + pair.value.length
  return size
}

/** @param pairs sorted by name; together at most XATTR_BYTES_MAX */
export function encodeXattrs(pairs: readonly XattrPair[]): Buffer {
  const block = Buffer.alloc(xattrBlockSize(pairs))
  assert(block.length <= XATTR_BYTES_MAX, 'xattrs fit one chunk')
  block.writeUInt32LE(block.length, 0)
  block.writeUInt32LE(pairs.length, 4)
  let offset = HEADER_SIZE
  for (const [i, { name, value }] of pairs.entries()) {
    assert(i === 0 || Buffer.compare(pairs[i - 1]!.name, name) < 0, 'xattrs are sorted by name')
    block.writeUInt16LE(name.length, offset)
    block.writeUInt32LE(value.length, offset + 4)
    name.copy(block, offset + PAIR_HEADER_SIZE)
    value.copy(block, offset + PAIR_HEADER_SIZE + name.length)
    offset += PAIR_HEADER_SIZE + name.length + value.length
  }
  return block
}

/** @throws MaasError TREE_INVALID */
export function decodeXattrs(block: Buffer): XattrPair[] {
  const invalid = (what: string) => new MaasError('TREE_INVALID', `an xattr block ${what}`)
  if (block.length < HEADER_SIZE) throw invalid('is cut off')
  const length = block.readUInt32LE(0)
  const count = block.readUInt32LE(4)
  if (length > block.length || length > XATTR_BYTES_MAX) throw invalid('has a wrong length')
  const pairs: XattrPair[] = []
  let offset = HEADER_SIZE
  for (let i = 0; i < count; i += 1) {
    if (offset + PAIR_HEADER_SIZE > length) throw invalid('ends inside a pair')
    const nameEnd = offset + PAIR_HEADER_SIZE + block.readUInt16LE(offset)
    const end = nameEnd + block.readUInt32LE(offset + 4)
    if (end > length) throw invalid('ends inside a pair')
    const name = block.subarray(offset + PAIR_HEADER_SIZE, nameEnd)
    if (name.length === 0 || name.includes(0)) throw invalid('holds an impossible name')
    pairs.push({ name, value: block.subarray(nameEnd, end) })
    offset = end
  }
  if (offset !== length) throw invalid('has bytes behind its last pair')
  return pairs
}

import { expect, test } from 'vitest'
import { encodeAcl, encodeXattrBlock, encodeXattrsInInode, entryHash } from './xattr.ts'

const pair = (name: string, value: Buffer) => ({ name: Buffer.from(name), value })

test('translates an ACL as the kernel stores it', () => {
  // setfacl -m u:1000:rw,g:2000:r; both sides taken from Linux 6.18.
  const xattr = Buffer.from(
    '0200000001000600ffffffff02000600e803000004000400ffffffff08000400d0070000' +
      '10000600ffffffff20000400ffffffff',
    'hex',
  )
  expect(encodeAcl(xattr)?.toString('hex')).toBe(
    '010000000100060002000600e80300000400040008000400d00700001000060020000400',
  )
})

test('leaves out an ACL of another version, or one that is cut off', () => {
  expect(encodeAcl(Buffer.from('0300000001000600ffffffff', 'hex'))).toBeUndefined()
  expect(encodeAcl(Buffer.from('0200000001000600ffff', 'hex'))).toBeUndefined()
  expect(encodeAcl(Buffer.alloc(0))).toBeUndefined()
})

// The hash is the one Linux 6.18 wrote for the same name and value.
test('puts small attributes behind the inode, values from the end', () => {
  const bytes = Buffer.alloc(96)
  encodeXattrsInInode(bytes, [pair('user.color', Buffer.from('blue!'))])
  expect(bytes.toString('hex')).toBe(
    '000002ea' +
      '05015400' +
      '00000000' +
      '05000000' +
      'c658646a' +
      '636f6c6f72000000' +
      '00'.repeat(96 - 28 - 8) +
      '626c756521000000',
  )
})

test('hashes name and value as the kernel does', () => {
  // By hand, from ext4_xattr_hash_entry: name "a" gives 0x61; one word 0x00000062 is mixed in.
  expect(entryHash(Buffer.from('a'), Buffer.from('b'))).toBe(0x00610062)
  expect(entryHash(Buffer.from('a'), Buffer.alloc(0))).toBe(0x61)
})

test('sorts a block by name index, length and name, and keeps what fits', () => {
  const block = Buffer.alloc(4096)
  encodeXattrBlock(block, [
    pair('trusted.x', Buffer.alloc(3000, 1)),
    pair('user.bb', Buffer.alloc(900, 2)),
    pair('user.c', Buffer.alloc(90, 3)),
    pair('user.large', Buffer.alloc(200, 4)),
    pair('zfs.unknown', Buffer.alloc(1)),
  ])
  expect(block.readUInt32LE(0)).toBe(0xea020000)
  const names: string[] = []
  for (let at = 32; block.readUInt32LE(at) !== 0; at += (16 + block[at]! + 3) & ~3) {
    names.push(`${block[at + 1]}:${block.toString('latin1', at + 16, at + 16 + block[at]!)}`)
  }
  expect(names).toEqual(['1:c', '1:bb', '4:x'])
})

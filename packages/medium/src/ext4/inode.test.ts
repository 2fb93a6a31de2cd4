import { expect, test } from 'vitest'
import { encodeInode, type InodeFields } from './inode.ts'

const plain: InodeFields = {
  mode: 0o100644,
  uid: 0x1_2345,
  gid: 0xb2d0_5e00,
  size: 0x1_0000_0005,
  links: 3,
  blocks: 9,
  mtimeSec: 1,
  mtimeNs: 2,
  ctimeSec: 3,
  ctimeNs: 4,
  indexed: false,
  xattrBlock: 0x5_0000_0007,
  map: { kind: 'none' },
}

function encode(fields: Partial<InodeFields>): Buffer {
  const bytes = Buffer.alloc(256)
  encodeInode(bytes, { ...plain, ...fields })
  return bytes
}

test('splits wide numbers where ext4 has them', () => {
  const bytes = encode({})
  expect(bytes.readUInt16LE(0x02)).toBe(0x2345)
  expect(bytes.readUInt16LE(0x78)).toBe(0x1)
  expect(bytes.readUInt16LE(0x18)).toBe(0x5e00)
  expect(bytes.readUInt16LE(0x7a)).toBe(0xb2d0)
  expect(bytes.readUInt32LE(0x04)).toBe(5)
  expect(bytes.readUInt32LE(0x6c)).toBe(1)
  expect(bytes.readUInt32LE(0x68)).toBe(7)
  expect(bytes.readUInt16LE(0x76)).toBe(5)
  expect(bytes.readUInt32LE(0x1c)).toBe(72)
})

// Documentation/filesystems/ext4/inodes.rst: two more bits of seconds, then nanoseconds.
test.each([
  ['1901', -(2 ** 31), '00000080', 0],
  ['just before 1970', -1, 'ffffffff', 0],
  ['2038', 2 ** 31, '00000080', 1],
  ['2106', 2 ** 32, '00000000', 1],
  ['2446', 2 ** 34 - 2 ** 31 - 1, 'ffffff7f', 3],
  ['later than ext4 can say', 2 ** 40, 'ffffff7f', 3],
])('writes a time of %s', (_, mtimeSec, base, epoch) => {
  const bytes = encode({ mtimeSec, mtimeNs: 999_999_999 })
  expect(bytes.toString('hex', 0x10, 0x14)).toBe(base)
  expect(bytes.readUInt32LE(0x88)).toBe(999_999_999 * 4 + epoch)
})

test('writes small device numbers the old way and large ones the new way', () => {
  const small = encode({ mode: 0o020644, map: { kind: 'device', major: 1, minor: 3 } })
  expect(small.toString('hex', 0x28, 0x30)).toBe('0301000000000000')
  const large = encode({ mode: 0o060644, map: { kind: 'device', major: 259, minor: 100_000 } })
  expect(large.readUInt32LE(0x28)).toBe(0)
  // new_encode_dev: minor low byte, major << 8, minor's other bits << 12.
  expect(large.readUInt32LE(0x2c)).toBe(0x186103a0)
})

test('says one link for a directory of more than 65,000', () => {
  expect(encode({ mode: 0o040755, links: 65_001 }).readUInt16LE(0x1a)).toBe(1)
  expect(encode({ mode: 0o040755, links: 65_000 }).readUInt16LE(0x1a)).toBe(65_000)
})

import { expect, test } from 'vitest'
import { hashName } from './name-hash.ts'

/** Words of the uuid 0722bd1e-699d-b51d-2e38-e33a1092ddd8 as they lie in the superblock. */
const SEED = Buffer.from('0722bd1e699db51d2e38e33a1092ddd8', 'hex')
const words = Int32Array.from([0, 4, 8, 12].map((at) => SEED.readInt32LE(at)))

// From e2fsprogs 1.47.0: debugfs -R 'dx_hash -h half_md4 -s <uuid> <name>'.
test.each([
  ['a', 0x2fb40a24],
  ['file-0000001', 0x07f03134],
  ['0123456789012345678901234567890123456789', 0x9ee2b094],
])('hashes %s as e2fsprogs does', (name, hash) => {
  const bytes = Buffer.from(name)
  expect(hashName(bytes, { offset: 0, length: bytes.length }, words)).toBe(hash)
})

test('never sets bit 0, which the index uses', () => {
  for (let i = 0; i < 2_000; i += 1) {
    const bytes = Buffer.from(`name ${i} \u00ff`, 'latin1')
    expect(hashName(bytes, { offset: 0, length: bytes.length }, words) & 1).toBe(0)
  }
})

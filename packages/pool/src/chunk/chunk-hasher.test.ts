import { Blake3Hasher } from '@napi-rs/blake-hash'
import { describe, expect, test } from 'vitest'
import { ChunkHasher, PackHasher } from './chunk-hasher.ts'

describe('a chunk id', () => {
  test('is keyed BLAKE3 as its authors publish it', () => {
    // BLAKE3 test_vectors.json: its key, keyed_hash of input_len 1 and 1024 (0, 1 … 250, 0 …).
    const key = Buffer.from('whats the Elvish word for friend')
    const hasher = new ChunkHasher(key)
    const input = Buffer.from(Array.from({ length: 1024 }, (_, i) => i % 251))
    expect(hasher.hash(input.subarray(0, 1)).toString('hex')).toBe(
      '6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b',
    )
    expect(hasher.hash(input).toString('hex')).toBe(
      '75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4',
    )
  })

  test('does not depend on what was hashed before, and is a buffer of its own', () => {
    const hasher = new ChunkHasher(Buffer.alloc(32, 1))
    const first = hasher.hash(Buffer.from('a'))
    const copy = Buffer.from(first)
    hasher.hash(Buffer.alloc(1_000_000))
    expect(hasher.hash(Buffer.from('a'))).toEqual(first)
    expect(first).toEqual(copy)
  })

  test('differs between pools', () => {
    const id = new ChunkHasher(Buffer.alloc(32, 1)).hash(Buffer.from('a'))
    expect(new ChunkHasher(Buffer.alloc(32, 2)).hash(Buffer.from('a'))).not.toEqual(id)
  })
})

test('a pack hash of pieces is that of the whole', () => {
  const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, i) => (i * 7) & 0xff))
  const hasher = new PackHasher()
  hasher.update(Buffer.from('before the reset'))
  hasher.reset()
  for (const [begin, end] of [
    [0, 1],
    [1, 1],
    [1, 4097],
    [4097, 10_000],
  ] as const) {
    hasher.update(bytes.subarray(begin, end))
  }
  expect(hasher.digest()).toEqual(new Blake3Hasher().update(bytes).digestBuffer())
})

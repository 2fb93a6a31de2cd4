import { expect, test } from 'vitest'
import { FIXED_CHUNK_SIZE } from '../chunk/chunk.ts'
import { PartCache } from './part-cache.ts'

function fill(cache: PartCache, key: string, byte: number, length = 10): Buffer {
  const slot = cache.take()
  slot.fill(byte)
  cache.set(key, slot, length)
  return slot
}

test('gives what was put, as long as it was', () => {
  const cache = new PartCache(4 * FIXED_CHUNK_SIZE)
  fill(cache, 'a', 1, 7)
  expect(cache.get('a')).toEqual(Buffer.alloc(7, 1))
  expect(cache.get('b')).toBeUndefined()
})

test('takes the slot that was not used for longest, and never more than its budget', () => {
  const cache = new PartCache(2 * FIXED_CHUNK_SIZE)
  const first = fill(cache, 'a', 1)
  const second = fill(cache, 'b', 2)
  expect(cache.get('a')?.[0]).toBe(1)
  expect(fill(cache, 'c', 3)).toBe(second)
  expect(cache.get('b')).toBeUndefined()
  expect(cache.get('a')?.[0]).toBe(1)
  expect(cache.get('c')?.[0]).toBe(3)
  expect(fill(cache, 'd', 4)).toBe(first)
})

test('a slot that could not be filled is used again', () => {
  const cache = new PartCache(FIXED_CHUNK_SIZE)
  const slot = cache.take()
  cache.give(slot)
  expect(fill(cache, 'a', 1)).toBe(slot)
  expect(cache.get('a')?.[0]).toBe(1)
})

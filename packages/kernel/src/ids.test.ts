import { FakeClock } from '@openmaas/testkit/fake-clock'
import { expect, test } from 'vitest'
import { isId, makePoolId, makeSnapshotId } from './ids.ts'
import { SeededRandom, systemRandom } from './random.ts'

test('spells time and randomness in Crockford base 32', () => {
  const zeros = { bytes: (count: number) => Buffer.alloc(count) }
  const ones = { bytes: (count: number) => Buffer.alloc(count, 0xff) }
  expect(makePoolId(new FakeClock(0), zeros)).toBe('pol_00000000000000000000000000')
  expect(makePoolId(new FakeClock(2 ** 48 - 1), ones)).toBe('pol_7ZZZZZZZZZZZZZZZZZZZZZZZZZ')
  // The example of the ULID specification: 1469918176385 ms is 01ARYZ6S41.
  const id = makeSnapshotId(new FakeClock(1_469_918_176_385), zeros)
  expect(id).toBe('snp_01ARYZ6S410000000000000000')
})

test('sorts by time, and is unlike another of the same moment', () => {
  const clock = new FakeClock()
  const ids = Array.from({ length: 100 }, () => {
    clock.advance(1)
    return makeSnapshotId(clock, systemRandom)
  })
  expect(ids.toSorted()).toEqual(ids)
  expect(makeSnapshotId(clock, systemRandom)).not.toBe(makeSnapshotId(clock, systemRandom))
})

test('tells an id from anything else', () => {
  const id = makeSnapshotId(new FakeClock(), systemRandom)
  expect([isId('snapshot', id), isId('pool', id)]).toEqual([true, false])
  for (const wrong of [id.slice(1), `${id}0`, id.toLowerCase(), id.replace(/.$/, 'U'), '']) {
    expect(isId('snapshot', wrong), wrong).toBe(false)
  }
})

test('a seeded generator repeats itself and is spread evenly', () => {
  const [a, b] = [new SeededRandom(42), new SeededRandom(42)]
  expect(a.bytes(100).equals(b.bytes(100))).toBe(true)
  expect(new SeededRandom(1).uint32()).not.toBe(new SeededRandom(2).uint32())
  const buckets = Array.from({ length: 10 }, () => 0)
  for (let i = 0; i < 10_000; i += 1) buckets[a.below(10)]! += 1
  for (const count of buckets) expect(Math.abs(count - 1000)).toBeLessThan(150)
  expect(systemRandom.bytes(16).equals(systemRandom.bytes(16))).toBe(false)
})

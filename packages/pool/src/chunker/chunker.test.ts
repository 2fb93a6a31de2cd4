import { KiB, MiB } from '@openmaas/kernel/units'
import { SeededRandom } from '@openmaas/kernel/random'
import { makeData } from '@openmaas/testkit/data'
import { describe, expect, test } from 'vitest'
import { deriveGearTable } from '../keys/key-ring.ts'
import { Chunker, CHUNKER_INPUT_SIZE, CUT_COUNT_MAX } from './chunker.ts'
import {
  CHUNK_SIZE_AVERAGE,
  CHUNK_SIZE_CUT_MAX,
  CHUNK_SIZE_MIN,
  MASK_AFTER_AVERAGE,
  MASK_BEFORE_AVERAGE,
} from './gear-constants.ts'

const KEY = Buffer.alloc(32, 3)

/** Of `new SeededRandom(7).bytes(1 MiB)` under KEY. */
const PINNED_LENGTHS = [
  67262, 82852, 36060, 88185, 68293, 37772, 38872, 76002, 88977, 68644, 66106, 72192, 80012, 98812,
  44686, 33849,
]

/** The rule of docs/formats/chunking.md, word by word. */
function cutSlowly(bytes: Buffer): number[] {
  const table = deriveGearTable(KEY)
  const gear = Array.from({ length: 256 }, (_, i) => table.readBigUInt64LE(8 * i))
  const lengths: number[] = []
  let begin = 0
  while (begin < bytes.length) {
    const rest = bytes.length - begin
    const limit = Math.min(rest, CHUNK_SIZE_CUT_MAX)
    let size = limit
    if (rest > CHUNK_SIZE_MIN) {
      let hash = 0n
      for (let i = CHUNK_SIZE_MIN; i < limit; i += 1) {
        hash = BigInt.asUintN(64, (hash << 1n) + gear[bytes[begin + i]!]!)
        const mask = i < CHUNK_SIZE_AVERAGE ? MASK_BEFORE_AVERAGE : MASK_AFTER_AVERAGE
        if ((hash & mask) === 0n) {
          size = i + 1
          break
        }
      }
    }
    lengths.push(size)
    begin += size
  }
  return lengths
}

function cut(chunker: Chunker, bytes: Buffer, isEnd = true): number[] {
  const lengths = new Uint32Array(CUT_COUNT_MAX)
  const count = chunker.cut(bytes, bytes.length, lengths, isEnd)
  return [...lengths.subarray(0, count)]
}

describe('the chunker', () => {
  const chunker = new Chunker(KEY)

  test.each(['text', 'databasePages', 'random', 'zeros'] as const)(
    'cuts %s as the written rule says',
    (kind) => {
      const bytes = makeData(kind, 1500 * KiB + 3, 21)
      expect(cut(chunker, bytes)).toEqual(cutSlowly(bytes))
    },
  )

  test('cuts at the same places in every version', () => {
    const bytes = new SeededRandom(7).bytes(1 * MiB)
    expect(cut(chunker, bytes)).toEqual(PINNED_LENGTHS)
  })

  test('agrees with the rule at every length around its limits', () => {
    const bytes = makeData('random', CHUNK_SIZE_CUT_MAX + 10, 22)
    const edges = [CHUNK_SIZE_MIN, CHUNK_SIZE_AVERAGE, CHUNK_SIZE_CUT_MAX]
    for (const edge of edges) {
      for (let length = edge - 5; length <= edge + 5; length += 1) {
        const part = bytes.subarray(0, length)
        expect(cut(chunker, part), String(length)).toEqual(cutSlowly(part))
      }
    }
    expect(cut(chunker, bytes.subarray(0, 1))).toEqual([1])
    expect(cut(chunker, bytes.subarray(0, 0))).toEqual([])
  })

  test('cuts its own input in place, at any offset, as it cuts a copy', () => {
    const bytes = makeData('random', 600 * KiB, 23)
    for (const offset of [0, 1, 4097, CHUNKER_INPUT_SIZE - bytes.length]) {
      bytes.copy(chunker.input, offset)
      const inside = chunker.input.subarray(offset, offset + bytes.length)
      expect(cut(chunker, inside), `offset ${offset}`).toEqual(cut(new Chunker(KEY), bytes))
    }
  })

  test('gives an aligned input that direct I/O accepts', () => {
    expect(chunker.input.length).toBe(CHUNKER_INPUT_SIZE)
    expect(chunker.input.byteOffset % 4096).toBe(0)
  })

  test('cuts a file that comes in parts as it cuts the whole, when the rest is carried on', () => {
    const bytes = makeData('random', 3 * MiB, 24)
    const random = new SeededRandom(25)
    for (let round = 0; round < 10; round += 1) {
      const lengths: number[] = []
      let begin = 0
      let end = 0
      while (begin < bytes.length) {
        end = Math.min(bytes.length, end + 1 + random.below(700 * KiB))
        for (const length of cut(chunker, bytes.subarray(begin, end), end === bytes.length)) {
          lengths.push(length)
          begin += length
        }
      }
      expect(lengths, `round ${round}`).toEqual(cut(chunker, bytes))
    }
  })

  test('finds its cuts again after bytes were inserted', () => {
    const bytes = makeData('random', 4 * MiB, 26)
    const changed = Buffer.concat([
      bytes.subarray(0, 1000),
      Buffer.from('new'),
      bytes.subarray(1000),
    ])
    const ends = (lengths: number[], shift: number): Set<number> => {
      let at = shift
      return new Set(lengths.map((length) => (at += length)))
    }
    const before = ends(cut(chunker, bytes), 3)
    const after = ends(cut(chunker, changed), 0)
    const lost = [...before].filter((end) => !after.has(end))
    expect(lost.length).toBeLessThanOrEqual(3)
  })

  test('fills the largest input with lengths that fit their array', () => {
    makeData('text', CHUNKER_INPUT_SIZE, 27).copy(chunker.input)
    const lengths = cut(chunker, chunker.input)
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(CHUNKER_INPUT_SIZE)
    const inner = lengths.slice(0, -1)
    expect(Math.min(...inner)).toBeGreaterThan(CHUNK_SIZE_MIN)
    expect(Math.max(...inner)).toBeLessThanOrEqual(CHUNK_SIZE_CUT_MAX)
  })

  test('makes chunks of 64 KiB on the average of random bytes', () => {
    const lengths = cut(chunker, makeData('random', 8 * MiB, 28))
    const mean = (8 * MiB) / lengths.length
    expect(mean).toBeGreaterThan(56 * KiB)
    expect(mean).toBeLessThan(78 * KiB)
  })

  test('cuts elsewhere for another pool', () => {
    const bytes = makeData('random', 1 * MiB, 29)
    expect(cut(new Chunker(Buffer.alloc(32, 4)), bytes)).not.toEqual(cut(chunker, bytes))
  })
})

import { describe, expect, test } from 'vitest'
import { compareReached } from './log-position.ts'
import { findWay, mayHold } from './moment.ts'
import type { DatabasePoint } from './points.ts'
import { recoverRangeOf } from './recover-range.ts'

const mark = {
  engine: 'postgres',
  engineVersion: '15.1',
  detail: '1',
  logFromMs: null,
  consistency: 'application',
} as const

function makePoint(takenAt: number, more: Partial<DatabasePoint['mark']> = {}): DatabasePoint {
  return {
    id: `pnt_${takenAt}`,
    poolId: 'pol_1',
    snapshotId: `snp_${takenAt}`,
    takenAt,
    sizeBytes: 1000,
    mark: { ...mark, position: `0/${takenAt.toString(16)}`, atMs: takenAt - 10, ...more },
  }
}

const points = [makePoint(10_000), makePoint(70_000), makePoint(130_000)]
const idsOf = ({ candidates }: ReturnType<typeof findWay>) =>
  candidates.map(({ base, later }) => [base.takenAt, later?.takenAt ?? null])

// Goal: nothing is done for a transaction that cannot be found, wherever that can be known.
test.each([
  ['postgres', '0/5000', '1 730:745', '729', true],
  ['postgres', '0/5000', '1 730:745', '744', true],
  ['postgres', '0/5000', '1 730:745', '745', false],
  ['postgres', '0/5000', '1', '745', null],
  ['postgres', '0/5000', '1 730:745', '0/4FFF', true],
  ['postgres', '0/5000', '1 730:745', '0/5001', false],
  ['postgres', '0/5000', '1 730:745', 'before_upgrade', null],
  ['mysql', '0-1-270', '', '0-1-270', true],
  ['mysql', '0-1-270', '', '0-1-271', false],
])('a mark of %s at %s (%s) may hold %s: %s', (engine, position, detail, wanted, expected) => {
  expect(mayHold({ engine, position, detail }, wanted)).toBe(expected)
})

describe('the way to a moment', () => {
  test('of a second between two points is the earlier one and the log of the later', () => {
    const way = findWay(points, { kind: 'time', atMs: 75_500 })
    expect(idsOf(way)).toEqual([[70_000, 130_000]])
    expect(way).toMatchObject({ needsPoint: false, target: { kind: 'time', atMs: 75_500 } })
  })

  test('of a second right after a point is the one before, since commits came in meanwhile', () => {
    expect(idsOf(findWay(points, { kind: 'time', atMs: 70_500 }))).toEqual([[10_000, 130_000]])
    expect(idsOf(findWay(points, { kind: 'time', atMs: 10_500 }))).toEqual([[10_000, 70_000]])
  })

  test('of a second after the newest point needs a point first, of one before the oldest is none', () => {
    expect(findWay(points, { kind: 'time', atMs: 200_000 }).needsPoint).toBe(true)
    expect(findWay([], { kind: 'time', atMs: 200_000 })).toMatchObject({ needsPoint: true })
    expect(() => findWay(points, { kind: 'time', atMs: 5 })).toThrow(
      expect.objectContaining({ code: 'DATABASE_TARGET_UNREACHABLE' }),
    )
  })

  test('of a position is told by the positions of the points', () => {
    const at = (ms: number) => ({ kind: 'position', position: `0/${ms.toString(16)}` }) as const
    // It may have come between the mark and the freeze of the nearest one: then the one before.
    const way = [
      [70_000, 130_000],
      [10_000, 70_000],
    ]
    expect(idsOf(findWay(points, at(70_001)))).toEqual(way)
    expect(findWay(points, at(130_001)).needsPoint).toBe(true)
    expect(() => findWay(points, at(9000))).toThrow(
      expect.objectContaining({ code: 'DATABASE_TARGET_UNREACHABLE' }),
    )
  })

  test('of a transaction that says nothing of its place is looked for from the newest point back', () => {
    const way = findWay(points, { kind: 'transaction', id: '742' })
    expect(idsOf(way)).toEqual([
      [130_000, null],
      [70_000, 130_000],
      [10_000, 70_000],
    ])
    expect(way.needsPoint).toBe(true)
  })

  test('of a transaction is looked for where the marks of the points leave it', () => {
    const marked = [
      makePoint(10_000, { detail: '1 700:705' }),
      makePoint(70_000, { detail: '1 730:745' }),
      makePoint(130_000, { detail: '1 800:800' }),
      makePoint(190_000, { detail: '1 900:905' }),
    ]
    const wayTo = (id: string) => findWay(marked, { kind: 'transaction', id })
    // It had not begun at the second mark, and had ended at the third.
    expect(idsOf(wayTo('750'))).toEqual([
      [70_000, 130_000],
      [10_000, 70_000],
    ])
    expect(wayTo('750').needsPoint).toBe(false)
    expect(idsOf(wayTo('740'))).toEqual([
      [70_000, 130_000],
      [10_000, 70_000],
    ])
    expect(idsOf(wayTo('903'))).toEqual([
      [190_000, null],
      [130_000, 190_000],
      [70_000, 130_000],
    ])
    expect(wayTo('903').needsPoint).toBe(true)
    expect(() => wayTo('699')).toThrow(
      expect.objectContaining({ code: 'DATABASE_TARGET_UNREACHABLE' }),
    )
    // The lower half of an id, when the upper one is no longer 0.
    const late = [makePoint(10_000, { detail: '1 4294967400:4294967405' })]
    expect(idsOf(findWay(late, { kind: 'transaction', id: '50' }))).toEqual([[10_000, null]])
  })
})

test.each([
  ['16/B374D848', '16/B374D847', true],
  ['16/B374D848', '16/B374D849', false],
  ['0-1-270,1-1-4', '0-2-270', true],
  ['0-1-270,1-1-4', '1-1-5', false],
  ['0-1-270', '7-1-1', false],
  [
    '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:11-18',
    '3E11FA47-71CA-11E1-9E33-C80AA9429562:11',
    true,
  ],
  [
    '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:11-18',
    '3e11fa47-71ca-11e1-9e33-c80aa9429562:7',
    false,
  ],
  ['16/B374D848', '742', null],
])('a point at %s has reached %s: %s', (position, wanted, reached) => {
  expect(compareReached({ engine: 'any', position }, wanted)).toBe(reached)
})

describe('what can be recovered', () => {
  test('is every second between points whose log is whole, and until now while it follows', () => {
    const range = recoverRangeOf('src_1', points, 200_000)
    expect(range).toMatchObject({ live: true, pointCount: 3 })
    expect(range.ranges).toEqual([
      { from: '1970-01-01T00:00:10.000Z', until: '1970-01-01T00:03:20.000Z' },
    ])
  })

  test('has a gap where the log of a point begins after the point before it', () => {
    const seeded = makePoint(190_000, { logFromMs: 180_000 })
    const { ranges, until } = recoverRangeOf('src_1', [...points, seeded], null)
    expect(ranges.map(({ from }) => Date.parse(from))).toEqual([10_000, 190_000])
    expect(until).toBe('1970-01-01T00:03:10.000Z')
    expect(recoverRangeOf('src_1', [], 5)).toMatchObject({ from: null, live: false })
  })
})

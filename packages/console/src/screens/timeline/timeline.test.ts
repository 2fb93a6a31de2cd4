import { describe, expect, test } from 'vitest'
import type { Point } from '@openmaas/api/resources/point'
import { calendarOf } from './calendar.ts'
import { conditionOf, gapsOf, marksOf, worstOf } from './marks.ts'
import { parseMoment, pointAt } from './moment.ts'
import { moveSpan, positionIn, spanAround, ticksOf } from './span.ts'
import { ZOOMS } from './search.ts'

/** All in the zone of this machine, as the browser has its own. */
const at = (...[month, day, hour = 0, minute = 0, second = 0]: number[]): Date =>
  new Date(2026, month! - 1, day, hour, minute, second)

const point = (taken: Date, more: Partial<Point> = {}): Point =>
  ({
    id: taken.toISOString(),
    takenAt: taken.toISOString(),
    state: 'available',
    warningCount: 0,
    verifiedAt: null,
    ...more,
  }) as Point

const run = (ended: Date, code = 'SOURCE_UNREADABLE') => ({
  id: `job-${ended.getTime()}`,
  state: 'failed' as const,
  problem: { code, message: '' },
  queuedAt: ended.toISOString(),
  endedAt: ended.toISOString(),
})

describe('the span that is shown', () => {
  test('is the calendar period around a moment, weeks from Monday', () => {
    // November 22nd, 2026 is a Sunday.
    expect(spanAround(at(11, 22, 15), 'week')).toEqual({ from: at(11, 16), until: at(11, 23) })
    expect(spanAround(at(11, 22, 15), 'month')).toEqual({ from: at(11, 1), until: at(12, 1) })
    expect(spanAround(at(11, 22, 15), 'day')).toEqual({ from: at(11, 22), until: at(11, 23) })
  })

  test.each(ZOOMS)('moves by a whole %s and back', (zoom) => {
    const here = spanAround(at(11, 22, 15), zoom)
    const next = moveSpan(at(11, 22, 15), zoom, 1)
    expect(spanAround(next, zoom).from).toEqual(here.until)
    expect(spanAround(moveSpan(next, zoom, -1), zoom)).toEqual(here)
  })

  test.each(ZOOMS)('has between 4 and 8 words below a %s, all inside', (zoom) => {
    const span = spanAround(at(11, 22, 15), zoom)
    const ticks = ticksOf(span, zoom)
    expect(ticks.length).toBeGreaterThanOrEqual(4)
    expect(ticks.length).toBeLessThanOrEqual(8)
    expect(ticks.every(({ position }) => position >= 0 && position < 1)).toBe(true)
    expect(positionIn(span, span.until)).toBe(1)
  })
})

describe('marks', () => {
  const span = spanAround(at(11, 22), 'day')

  test('join points that would lie over each other, and show the worst of them', () => {
    const points = [
      point(at(11, 22, 12, 5), { verifiedAt: at(11, 22, 13).toISOString() }),
      point(at(11, 22, 12, 1), { warningCount: 3 }),
      point(at(11, 22, 6)),
      point(at(11, 21, 6)),
    ]
    const marks = marksOf(points, span)
    expect(marks.map((mark) => mark.points.length)).toEqual([1, 2])
    expect(marks[1]).toMatchObject({ condition: 'warning' })
    expect(marks[0]!.position).toBeCloseTo(0.25)
  })

  test('a point that is away is worse than one with warnings', () => {
    const missing = conditionOf(point(at(11, 22), { state: 'missing' }))
    expect(worstOf(['verified', 'warning', missing])).toBe('missing')
  })
})

describe('gaps', () => {
  const span = spanAround(at(11, 22), 'day')
  const now = at(11, 22, 18)
  const since = at(1, 1)

  test('lie where runs gave no point, from the point before to the one after, or to now', () => {
    const points = [point(at(11, 22, 12)), point(at(11, 22, 4))]
    const failed = [run(at(11, 22, 16)), run(at(11, 22, 8)), run(at(11, 22, 7))]
    expect(gapsOf(points, failed, { span, since, now })).toEqual([
      { from: at(11, 22, 4), until: at(11, 22, 12), runs: [failed[1], failed[2]] },
      { from: at(11, 22, 12), until: now, runs: [failed[0]] },
    ])
  })

  test('begin no earlier than the source itself', () => {
    const failed = [run(at(11, 22, 16))]
    expect(gapsOf([], failed, { span, since: at(11, 22, 15), now })).toEqual([
      { from: at(11, 22, 15), until: now, runs: failed },
    ])
  })

  test('space between points without a failed run is none: the retention thins them', () => {
    expect(gapsOf([point(at(11, 22, 17)), point(at(11, 22, 1))], [], { span, since, now })).toEqual(
      [],
    )
  })
})

describe('the calendar', () => {
  test('has whole weeks from Monday, each day with its points and its worst state', () => {
    const points = [
      point(at(11, 22, 12), { verifiedAt: at(11, 22, 13).toISOString() }),
      point(at(11, 3, 4)),
      point(at(11, 3, 1), { warningCount: 1 }),
    ]
    const weeks = calendarOf(at(11, 15), points, [at(11, 4, 9)])
    expect(weeks.every((week) => week.length === 7)).toBe(true)
    // November 1st, 2026 is a Sunday: the first week has one day.
    expect(weeks[0]!.slice(0, 6)).toEqual([null, null, null, null, null, null])
    const days = weeks.flat().filter((day) => day !== null)
    expect(days).toHaveLength(30)
    expect(days[2]).toMatchObject({ condition: 'warning', failedCount: 0 })
    expect(days[2]!.points).toHaveLength(2)
    expect(days[3]).toMatchObject({ condition: 'failed', failedCount: 1 })
    expect(days[21]).toMatchObject({ condition: 'verified' })
    expect(days[22]!.condition).toBeNull()
  })
})

describe('a moment as it is typed', () => {
  const now = at(11, 22, 15, 30)

  test.each([
    ['2026-11-21 14:03:07', at(11, 21, 14, 3, 7)],
    ['2026/11/21 14:03', at(11, 21, 14, 3)],
    ['2026-11-21', at(11, 21, 23, 59, 59)],
    ['9:05', at(11, 22, 9, 5)],
    ['2 hours ago', at(11, 22, 13, 30)],
    ['1 day ago', at(11, 21, 15, 30)],
    ['90min', at(11, 22, 14)],
    ['2 小时前', at(11, 22, 13, 30)],
    ['3天前', at(11, 19, 15, 30)],
    // It is a Sunday.
    ['14:03:07 last Tuesday', at(11, 17, 14, 3, 7)],
    ['tuesday at 14:03', at(11, 17, 14, 3)],
    ['last sunday', at(11, 15, 23, 59, 59)],
    ['yesterday 9:00', at(11, 21, 9)],
    ['today', at(11, 22, 23, 59, 59)],
    ['昨天 9:00', at(11, 21, 9)],
    ['上周二 14:03:07', at(11, 10, 14, 3, 7)],
    ['周二 14:03', at(11, 17, 14, 3)],
  ])('%s', (text, expected) => {
    expect(parseMoment(text, now)).toEqual(expected)
  })

  test.each([
    '',
    'yesterday-ish',
    '2026-02-30',
    '25:00',
    '3 parsecs ago',
    '2026-13-01 10:00',
    'last someday',
    '9:00 today 10:00',
  ])('"%s" is none', (text) => expect(parseMoment(text, now)).toBeNull())

  test('is recovered from the newest point that is not after it', () => {
    const points = [point(at(11, 22, 12)), point(at(11, 22, 4))]
    expect(pointAt(points, at(11, 22, 11, 59))).toBe(points[1])
    expect(pointAt(points, at(11, 22, 12))).toBe(points[0])
    expect(pointAt(points, at(11, 22, 3))).toBeUndefined()
  })
})

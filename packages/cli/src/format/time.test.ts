import { describe, expect, test } from 'vitest'
import { english } from '../messages/english.ts'
import { makeText } from '../messages/text.ts'
import { formatAge, formatLocal, parseDuration, parseWhen } from './time.ts'

/** Noon, so that no zone of the machine moves the day. */
const NOW = new Date(2026, 2, 15, 12, 30, 0).getTime()
const HOUR = 3_600_000

describe('times as people write them', () => {
  test.each([
    ['now', 0],
    ['2 hours ago', 2 * HOUR],
    ['2h ago', 2 * HOUR],
    ['1 hour ago', HOUR],
    ['90 min ago', 1.5 * HOUR],
    ['3 days ago', 72 * HOUR],
    ['1w ago', 168 * HOUR],
    ['2小时前', 2 * HOUR],
    ['30 分钟前', HOUR / 2],
  ])('%s', (text, agoMs) => {
    expect(parseWhen(text, NOW)?.getTime()).toBe(NOW - agoMs)
  })

  test.each([
    ['2026-03-01T10:00:00Z', '2026-03-01T10:00:00.000Z'],
    ['2026-03-01T10:00:00.250Z', '2026-03-01T10:00:00.250Z'],
    ['2026-03-01 10:00+02:00', '2026-03-01T08:00:00.000Z'],
  ])('%s', (text, expected) => {
    expect(parseWhen(text, NOW)?.toISOString()).toBe(expected)
  })

  test('a date is its end, and without a zone it is local', () => {
    const end = new Date(2026, 2, 1, 23, 59, 59, 999).getTime()
    expect(parseWhen('2026-03-01', NOW)?.getTime()).toBe(end)
    expect(parseWhen('2026-03-01 10:00', NOW)?.getTime()).toBe(new Date(2026, 2, 1, 10).getTime())
    expect(parseWhen('yesterday', NOW)?.getTime()).toBe(
      new Date(2026, 2, 14, 23, 59, 59, 999).getTime(),
    )
  })

  test.each(['', 'latest', '5KQ2M7', 'ago', 'x ago', '2 moons ago', '2026-02-30', '2026', '12:00'])(
    '"%s" is no time',
    (text) => {
      expect(parseWhen(text, NOW)).toBeUndefined()
    },
  )
})

test('durations have a unit', () => {
  expect(parseDuration('7d')).toBe(7 * 24 * HOUR)
  expect(parseDuration('7')).toBeUndefined()
  expect(parseDuration('1234567h')).toBeUndefined()
})

test('ages grow from minutes to days', () => {
  const text = makeText(english)
  const ages = [59_000, 61_000, 59 * 60_000, 2 * HOUR, 47 * HOUR, 49 * HOUR]
  expect(ages.map((age) => formatAge(age, text))).toEqual([
    'just now',
    '1 min ago',
    '59 min ago',
    '2 h ago',
    '47 h ago',
    '2 d ago',
  ])
})

test('a time is shown in the zone of the machine', () => {
  expect(formatLocal(new Date(2026, 0, 2, 3, 4))).toBe('2026-01-02 03:04')
})

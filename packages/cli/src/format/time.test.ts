import { expect, test } from 'vitest'
import { english } from '../messages/english.ts'
import { makeText } from '../messages/text.ts'
import { formatAge, formatLocal, parseDuration } from './time.ts'

const HOUR = 3_600_000

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

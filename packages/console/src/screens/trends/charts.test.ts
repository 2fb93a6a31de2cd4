import { expect, test } from 'vitest'
import { byteBars, shareLine } from './charts.ts'

const text = (value: number): string => String(value)

test('a day that is unlike the others has a frame, the others none', () => {
  const data = [
    ['2026-11-21', 1],
    ['2026-11-22', 9],
  ] as const
  const { series } = byteBars([{ name: 'new', data, marks: ['2026-11-22'] }], text)
  expect(series[0]!.data.map((day) => 'itemStyle' in day)).toEqual([false, true])
})

test('shares go from nothing to all, whatever was measured', () => {
  expect(shareLine([['2026-11-21', 0.98]], text).yAxis).toMatchObject({ min: 0, max: 1 })
})

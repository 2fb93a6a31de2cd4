import { expect, test } from 'vitest'
import { busiestHour, calendarSearch, dateText, dayOf, levelOf, shiftDay } from './day.ts'

test('a day of the address goes from midnight to midnight here', () => {
  const day = dayOf({ day: '2026-11-23' }, new Date())
  expect(dateText(day.from)).toBe('2026-11-23')
  expect([day.from.getHours(), dateText(day.until)]).toEqual([0, '2026-11-24'])
  expect(shiftDay(day, -1)).toBe('2026-11-22')
  expect(shiftDay(day, 8)).toBe('2026-12-01')
})

test('without one it is today; one that is none is left out', () => {
  const now = new Date(2026, 1, 28, 23, 59)
  expect(dateText(dayOf({}, now).from)).toBe('2026-02-28')
  expect(calendarSearch.parse({ day: '2026-02-31' })).toEqual({})
})

test('a cell is as dark as its share of the most, and never invisible', () => {
  expect([0, 1, 50, 51, 100].map((count) => levelOf(count, 100))).toEqual([0, 1, 2, 3, 4])
})

test('the busiest hour is that of all hosts together', () => {
  const hosts = [
    { ran: [3, 0, 1], planned: [0, 0, 1] },
    { ran: [0, 2, 1], planned: [0, 0, 1] },
  ]
  expect(busiestHour(hosts)).toEqual({ hour: 2, count: 4 })
  expect(busiestHour([])).toBeNull()
})

/** RFC 5545, as far as calendars insist on it. */
import { expect, test } from 'vitest'
import { writeCalendar } from './calendar.ts'

test('writes events with stable ids, escaped text and folded lines', () => {
  const at = Date.parse('2026-11-22T10:15:00Z')
  const calendar = { name: 'gold, prod', id: 'plc_1', now: at }
  const summary = `备份 ${'数据'.repeat(20)}; shop\nline`
  const text = writeCalendar(calendar, [{ at, summary }])
  expect(text).toBe(writeCalendar({ ...calendar }, [{ at, summary }]))
  const lines = text.split('\r\n')
  expect(lines.slice(0, 7)).toEqual([
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//OpenMaaS//Schedule//EN',
    'CALSCALE:GREGORIAN',
    'METHOD:PUBLISH',
    'NAME:gold\\, prod',
    'X-WR-CALNAME:gold\\, prod',
  ])
  expect(text).toContain('DTSTART:20261122T101500Z\r\n')
  expect(lines.every((line) => Buffer.byteLength(line) <= 75)).toBe(true)
  expect(text.replaceAll('\r\n ', '')).toContain(`SUMMARY:备份 ${'数据'.repeat(20)}\\; shop\\nline`)
  expect(text.endsWith('END:VCALENDAR\r\n')).toBe(true)
})

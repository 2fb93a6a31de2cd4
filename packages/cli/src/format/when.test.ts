import { execFileSync } from 'node:child_process'
import process from 'node:process'
import { describe, expect, test } from 'vitest'
import { formatMoment, isCut, parseWhen } from './when.ts'

/** Noon of a Sunday, so that no zone of the machine moves the day. */
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
    // PostgreSQL: now(), and the log with log_timezone = UTC.
    ['2026-11-23 02:14:05.123456+00', '2026-11-23T02:14:05.123Z'],
    ['2026-11-23 02:14:05.9999+05:30', '2026-11-22T20:44:05.999Z'],
    ['2026-11-23 02:14:05.12-08', '2026-11-23T10:14:05.120Z'],
    ['2026-11-23 02:14:05.123 UTC', '2026-11-23T02:14:05.123Z'],
    ['2026-11-23T02:14:05,5+0100', '2026-11-23T01:14:05.500Z'],
    ['20261123T021405.25Z', '2026-11-23T02:14:05.250Z'],
    ['2026-11-23 2:14 GMT', '2026-11-23T02:14:00.000Z'],
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

  test.each([
    ['14:03:07 last Tuesday', [2026, 2, 10, 14, 3, 7]],
    ['last tuesday at 14:03:07.5', [2026, 2, 10, 14, 3, 7, 500]],
    ['14:03 on Tue', [2026, 2, 10, 14, 3]],
    ['Sunday 9:00', [2026, 2, 15, 9, 0]],
    ['last Sunday 9:00', [2026, 2, 8, 9, 0]],
    ['yesterday at 14:03', [2026, 2, 14, 14, 3]],
    ['14:03:07 today', [2026, 2, 15, 14, 3, 7]],
    ['last Saturday', [2026, 2, 14, 23, 59, 59, 999]],
    ['上周二 14:03:07', [2026, 2, 3, 14, 3, 7]],
    ['星期二14:03', [2026, 2, 10, 14, 3]],
    ['昨天 14:03', [2026, 2, 14, 14, 3]],
    ['2026-03-01 14:03:07.123456', [2026, 2, 1, 14, 3, 7, 123]],
    ['#260301  2:05:07', [2026, 2, 1, 2, 5, 7]],
  ] as const)('"%s" is local', (text, expected) => {
    const [year, month, day, ...rest] = expected
    const [hour = 0, minute = 0, second = 0, ms = 0] = rest
    const local = new Date(year, month, day, hour, minute, second, ms)
    expect(parseWhen(text, NOW)).toEqual(local)
  })

  test.each([
    '',
    'latest',
    '5KQ2M7',
    'ago',
    'x ago',
    '2 moons ago',
    '2026-02-30',
    '2026',
    '12:00',
    'sat',
    '2026-03-01 24:00',
    '2026-03-01 10:00+25',
    '2026-02-30 10:00Z',
    '10:00 last Someday',
    '2026-03-01 10:00 CET',
    '0026-11-23 05:00:00Z',
    '0099-12-31',
  ])('"%s" is no time', (text) => {
    expect(parseWhen(text, NOW)).toBeUndefined()
  })
})

test('what is finer than a millisecond is cut off, and known to be', () => {
  expect(parseWhen('2026-11-23 02:14:05.1239999Z', NOW)?.getMilliseconds()).toBe(123)
  const texts = ['2026-11-23 02:14:05.123456+00', '2026-11-23 02:14:05.123000', '2026-11-23 02:14']
  expect(texts.map((text) => isCut(text))).toEqual([true, false, false])
})

/** In a process of its own: a zone is chosen once. */
function inZone(zone: string, text: string): string {
  const file = JSON.stringify(new URL('when.ts', import.meta.url).href)
  const program = `import { formatMoment, parseWhen } from ${file}
    const at = parseWhen(${JSON.stringify(text)}, 0)
    console.log(at === undefined ? 'none' : formatMoment(at))`
  const args = ['--input-type=module', '--eval', program]
  const env = { ...process.env, TZ: zone }
  return execFileSync(process.execPath, args, { env, encoding: 'utf8', timeout: 60_000 }).trim()
}

test('a moment is told with its offset, its zone, and in UTC', () => {
  expect(inZone('UTC', '2026-11-23 02:14:05.123456')).toBe('2026-11-23 02:14:05.123 +00:00 (UTC)')
  expect(inZone('Asia/Shanghai', '2026-11-23 02:14:05+00')).toBe(
    '2026-11-23 10:14:05.000 +08:00 (Asia/Shanghai), 2026-11-23 02:14:05.000 UTC',
  )
  // Summer time skips this hour.
  expect(inZone('Europe/Berlin', '2026-03-29 02:30')).toBe('none')
  expect(formatMoment(new Date(0))).toMatch(/^19(70|69)-.* [+-]\d{2}:\d{2} \(.+\)/)
})

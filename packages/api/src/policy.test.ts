/** What a policy may say, and what it says when it says little. */
import { describe, expect, test } from 'vitest'
import { durationMs, durationText, policySpec } from './policy.ts'
import { reasonWords, spanText } from './policy-text.ts'

describe('a policy', () => {
  test('needs nothing but its promise', () => {
    expect(policySpec.parse({ rpo: '15m' })).toEqual({
      rpo: '15m',
      timezone: 'UTC',
      cron: null,
      windows: [],
      blackout: [],
      jitter: '0s',
      catchUp: 'once',
      retention: { last: 3, hourly: 24, daily: 7, weekly: 4, monthly: 12, yearly: 0 },
      copies: [],
      bandwidth: [],
      verify: null,
      drill: null,
      lockDays: 0,
      priority: 0,
    })
  })

  test.each([
    ['rpo', { rpo: '15' }, 'a number and s, m, h, d or w, such as 15m'],
    ['rpo', { rpo: '30s' }, 'between 1m and 53w'],
    ['timezone', { timezone: 'Mars/Olympus' }, 'an IANA time zone such as Asia/Shanghai'],
    ['retention', { retention: {} }, 'keeps nothing'],
    ['retention.daily', { retention: { last: 1, daily: -1 } }, /expected number to be >=0/],
    [
      'windows.0.from',
      { windows: [{ from: '24:00', to: '06:00' }] },
      'a time of day such as 22:00',
    ],
    ['windows.0.days', { windows: [{ days: [], from: '20:00', to: '06:00' }] }, /expected array/],
    [
      'blackout.0',
      { blackout: [{ from: '2026-12-26', to: '2026-12-24' }] },
      'ends before it begins',
    ],
    ['', { retenton: { daily: 1 } }, /Unrecognized key/],
  ])('refuses %s where it means nothing, and names it', (path, change, message) => {
    const checked = policySpec.safeParse({ rpo: '1h', ...change })
    const issues = checked.error?.issues ?? []
    expect(issues.map((issue) => issue.path.join('.'))).toEqual([path])
    expect(issues[0]!.message).toMatch(message)
  })
})

test('durations are read and written the same', () => {
  for (const text of ['90s', '15m', '4h', '7h', '10d', '2w']) {
    expect(durationText(durationMs(text))).toBe(text)
  }
  expect(durationText(durationMs('60m'))).toBe('1h')
  expect(() => durationMs('soon')).toThrow(RangeError)
})

test('spans are told in the unit that says most', () => {
  const hour = 3_600_000
  const spans = [0, 1500, hour / 60, hour, 1.5 * hour, 30 * hour, 72 * hour]
  expect(spans.map((ms) => spanText(ms, 'en'))).toEqual([
    '0 s',
    '2 s',
    '1 min',
    '1 h',
    '90 min',
    '30 h',
    '3 d',
  ])
  expect(spanText(3 * hour, 'zh')).toBe('3 小时')
})

test('a reason is words in both languages', () => {
  const reason = { code: 'CLOSED', params: { until: Date.UTC(2026, 10, 22, 22) } } as const
  expect(reasonWords(reason, 'en')).toBe('outside its windows until 2026-11-22 22:00Z')
  expect(reasonWords(reason, 'zh')).toBe('时间窗口外,直至 2026-11-22 22:00Z')
})

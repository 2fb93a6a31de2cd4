import { describe, expect, test } from 'vitest'
import {
  formatBytes,
  formatCount,
  formatDuration,
  formatExact,
  formatRate,
  formatRelative,
  formatShare,
} from './format.ts'

test.each([
  [0, '0 B'],
  [1023, '1,023 B'],
  [1024, '1 KiB'],
  [1536, '1.5 KiB'],
  [10 * 1024 ** 3, '10 GiB'],
  [1.234 * 1024 ** 4, '1.23 TiB'],
  [3000 * 1024 ** 5, '3,000 PiB'],
])('%d bytes are %s', (sizeBytes, text) => {
  expect(formatBytes(sizeBytes, 'en')).toBe(text)
})

test.each([
  [12, '12 ms', '12 毫秒'],
  [59_900, '1 min', '1 分'],
  [75_000, '1 min 15 s', '1 分 15 秒'],
  [3_600_000, '1 h', '1 小时'],
  [90_061_000, '1 d 1 h', '1 天 1 小时'],
  [86_400_000 + 60_000, '1 d', '1 天'],
])('%d ms are %s, or %s', (durationMs, en, zh) => {
  expect(formatDuration(durationMs, 'en')).toBe(en)
  expect(formatDuration(durationMs, 'zh-CN')).toBe(zh)
})

describe('times', () => {
  const now = new Date('2026-11-22T12:00:00Z')

  test.each([
    ['2026-11-22T11:59:30Z', 'now', '现在'],
    ['2026-11-22T11:57:00Z', '3 minutes ago', '3分钟前'],
    ['2026-11-22T14:30:00Z', 'in 2 hours', '2小时后'],
    ['2026-11-20T11:00:00Z', '2 days ago', '前天'],
  ])('%s is %s, or %s', (at, en, zh) => {
    expect(formatRelative(new Date(at), now, 'en')).toBe(en)
    expect(formatRelative(new Date(at), now, 'zh-CN')).toBe(zh)
  })

  test('are exact with their zone', () => {
    expect(formatExact(now, 'en', 'Asia/Shanghai')).toMatch(/Nov 22, 2026.*08:00:00.*GMT\+8/)
  })
})

test('rates, shares and counts follow the language', () => {
  expect(formatRate(2048, 'en')).toBe('2 KiB/s')
  expect(formatShare(0.9864, 'en')).toBe('98.6%')
  expect(formatCount(12_345, 'zh-CN')).toBe('12,345')
})

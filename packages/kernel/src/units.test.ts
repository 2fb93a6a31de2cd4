import { expect, test } from 'vitest'
import { formatBytes, formatDuration, parseBytes } from './units.ts'

test.each([
  [0, '0 B'],
  [1023, '1023 B'],
  [1536, '1.50 KiB'],
  [10 * 1024, '10.0 KiB'],
  [200 * 1024 ** 2, '200 MiB'],
  [5 * 1024 ** 4, '5.00 TiB'],
  [3 * 1024 ** 6, '3072 PiB'],
])('%d bytes are %s', (size, text) => {
  expect(formatBytes(size)).toBe(text)
})

test.each([
  [0, '0 ms'],
  [999.4, '999 ms'],
  [1500, '1.5 s'],
  [75_000, '1m15s'],
  [3_725_000, '1h02m'],
  [100 * 3_600_000, '100h00m'],
])('%d milliseconds are %s', (duration, text) => {
  expect(formatDuration(duration)).toBe(text)
})

test.each([
  ['4096', 4096],
  ['10G', 10 * 1024 ** 3],
  ['512 MiB', 512 * 1024 ** 2],
  ['1.5k', 1536],
  [' 2TB ', 2 * 1024 ** 4],
  ['', undefined],
  ['-1', undefined],
  ['1e9', undefined],
  ['G', undefined],
  ['9999999P', undefined],
])('%j is parsed as %d', (text, size) => {
  expect(parseBytes(text)).toBe(size)
})

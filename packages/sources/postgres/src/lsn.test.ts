import { expect, test } from 'vitest'
import { formatLsn, lsn, parseLsn, parseSegmentName, segmentName, segmentOf } from './lsn.ts'

const MB16 = 16n * 1024n * 1024n

test('an LSN is read and written as PostgreSQL does', () => {
  expect(lsn('16/B374D848')).toBe(0x16b374d848n)
  expect(formatLsn(0x16b374d848n)).toBe('16/B374D848')
  expect(formatLsn(0n)).toBe('0/0')
  expect(lsn('FFFFFFFF/FFFFFFFF')).toBe(2n ** 64n - 1n)
  for (const text of ['', '16', '16/', 'x/1', '1/123456789']) expect(parseLsn(text)).toBeNull()
})

// The names are those that pg_walfile_name() answers.
test.each([
  ['0/3000148', 1, MB16, '000000010000000000000003'],
  ['16/B374D848', 2, MB16, '0000000200000016000000B3'],
  ['16/B374D848', 2, 64n * 1024n * 1024n, '00000002000000160000002C'],
  ['1/0', 1, 1024n * 1024n * 1024n, '000000010000000100000000'],
])('%s on timeline %i is in its segment', (text, timeline, size, name) => {
  const segment = segmentOf(lsn(text), timeline, size)
  expect(segmentName(segment, size)).toBe(name)
  expect(parseSegmentName(name, size)).toEqual(segment)
  expect(parseSegmentName(`${name}.partial`, size)).toEqual(segment)
})

test('other files of pg_wal are no segments', () => {
  for (const name of [
    '00000002.history',
    '000000010000000000000003.00000028.backup',
    'archive_status',
  ]) {
    expect(parseSegmentName(name, MB16)).toBeNull()
  }
})

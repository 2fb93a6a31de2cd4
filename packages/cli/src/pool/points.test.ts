import { describe, expect, test } from 'vitest'
import type { SnapshotId } from '@openmaas/kernel/ids'
import { type Point, resolvePoint, shortIds } from './points.ts'

const NOW = Date.UTC(2026, 2, 15, 12)
const HOUR = 3_600_000

function point(id: string, name: string, agoMs: number): Point {
  const source = { name, host: 'here', path: '/x' }
  return {
    row: { id: id as SnapshotId, createdAt: new Date(NOW - agoMs) },
    manifest: { source },
  } as unknown as Point
}

const points = [
  point('snp_01M81X9HV56MFX06GMH381G6QZ', 'home', HOUR),
  point('snp_01M81X9GVVZKWYPQEY12QWMMCK', 'web', 3 * HOUR),
  point('snp_01M71X9FMQYZE9XGW1WWTZB5QZ', 'home', 50 * HOUR),
]
const find = (text: string): string => resolvePoint(points, text, NOW).row.id

describe('a point is found', () => {
  test.each([
    ['latest', 0],
    ['latest:web', 1],
    ['latest:home', 0],
    ['snp_01M81X9GVVZKWYPQEY12QWMMCK', 1],
    ['QWMMCK', 1],
    ['qwmmck', 1],
    ['snp_01M7', 2],
    ['01M7', 2],
    ['now', 0],
    ['2 hours ago', 1],
    ['3 hours ago', 1],
    ['4 hours ago', 2],
    [new Date(NOW - 60_000).toISOString(), 0],
  ])('by %s', (text, index) => {
    expect(find(text)).toBe(points[index]!.row.id)
  })
})

describe('a point is not guessed', () => {
  test.each([
    ['latest:nobody', 'SNAPSHOT_NOT_FOUND'],
    ['ZZZZZZ', 'SNAPSHOT_NOT_FOUND'],
    ['QZ', 'SNAPSHOT_NOT_FOUND'],
    ['100 days ago', 'SNAPSHOT_NOT_FOUND'],
    ['', 'SNAPSHOT_NOT_FOUND'],
    ['snp_01M81', 'SNAPSHOT_AMBIGUOUS'],
    ['01M', 'SNAPSHOT_AMBIGUOUS'],
  ])('"%s": %s', (text, code) => {
    expect(() => find(text)).toThrowError(expect.objectContaining({ code }) as Error)
  })

  test('an empty pool says that it is empty', () => {
    expect(() => resolvePoint([], 'latest', NOW)).toThrowError('no recovery points yet')
  })
})

test('short ids are as long as they need to be', () => {
  expect(shortIds(['snp_AAAAAAAA', 'snp_BBBBBBBB'])('snp_AAAAAAAA')).toBe('AAAAAA')
  expect(shortIds(['snp_AABBBBBB', 'snp_ACBBBBBB'])('snp_AABBBBBB')).toBe('ABBBBBB')
})

import { expect, test } from 'vitest'
import { capacityLayers, lineAhead, savingRatio, usedShare } from './capacity.ts'

const stats = {
  sizeBytes: 1000,
  freeBytes: 600,
  physicalBytes: 200,
  logicalBytes: 2000,
  snapshotCount: 1,
  packCount: 1,
  badBlocks: 0,
}
const forecast = {
  poolId: 'pool_1',
  usedBytes: 400,
  sizeBytes: 1000,
  growthBytesPerDay: 20,
  state: 'growing' as const,
  daysToFull: 30,
  daysToFullRange: null,
  fullAt: null,
  errorBytesPerDay: null,
  samples: [{ at: '2026-11-01T00:00:00.000Z', usedBytes: 400 }],
}

test('layers are drawn against the widest of them', () => {
  const shares = capacityLayers({ stats }).map(({ name, share }) => [name, share])
  expect(shares).toEqual([
    ['logical', 1],
    ['stored', 0.1],
    ['disk', 0.2],
    ['size', 0.5],
  ])
})

test('a pool that has not reported is empty, and saves nothing', () => {
  const nothing = { ...stats, sizeBytes: 0, freeBytes: 0, physicalBytes: 0, logicalBytes: 0 }
  expect(capacityLayers({ stats: nothing }).every(({ share }) => share === 0)).toBe(true)
  expect(savingRatio({ stats: nothing })).toBeNull()
  expect(usedShare({ stats: nothing })).toBe(0)
  expect(savingRatio({ stats })).toBe(10)
})

test('the line ahead ends where the pool is full', () => {
  expect(lineAhead(forecast)).toEqual([
    ['2026-11-01T00:00:00.000Z', 400],
    ['2026-12-01T00:00:00.000Z', 1000],
  ])
})

test('a pool that does not grow has no line ahead', () => {
  expect(lineAhead({ ...forecast, state: 'steady' })).toEqual([])
  expect(lineAhead({ ...forecast, samples: [] })).toEqual([])
})

/** When a volume grows by itself. */
import { GiB } from '@openmaas/kernel/units'
import { expect, test } from 'vitest'
import { nextVolumeBytes, shareOfMaximum } from './room.ts'

const room = (sizeBytes: number, usedShare: number) => ({
  sizeBytes,
  freeBytes: Math.round(sizeBytes * (1 - usedShare)),
})

test('a volume grows by half when four fifths are written, as far as it may', () => {
  const sized = { volumeBytes: 4 * GiB, volumeMaxBytes: 16 * GiB }
  expect(nextVolumeBytes(sized, room(4 * GiB, 0.79))).toBe(null)
  expect(nextVolumeBytes(sized, room(4 * GiB, 0.81))).toBe(6 * GiB)
  expect(nextVolumeBytes({ ...sized, volumeMaxBytes: 5 * GiB }, room(4 * GiB, 0.81))).toBe(5 * GiB)
  expect(nextVolumeBytes({ ...sized, volumeMaxBytes: 4 * GiB }, room(4 * GiB, 1))).toBe(null)
  expect(nextVolumeBytes({ ...sized, volumeMaxBytes: null }, room(4 * GiB, 1))).toBe(null)
  expect(nextVolumeBytes({ volumeBytes: null, volumeMaxBytes: 1 }, room(4 * GiB, 1))).toBe(null)
})

test('a full one grows so that it has room for a while', () => {
  const sized = { volumeBytes: 4 * GiB, volumeMaxBytes: 100 * GiB }
  const next = nextVolumeBytes(sized, room(4 * GiB, 1))!
  expect(next).toBeGreaterThan(6.6 * GiB)
  expect(
    nextVolumeBytes({ ...sized, volumeBytes: next }, { sizeBytes: next, freeBytes: 0.4 * next }),
  ).toBe(null)
})

test('a file system that did not follow its volume is told once more', () => {
  const sized = { volumeBytes: 4 * GiB, volumeMaxBytes: 4 * GiB }
  expect(nextVolumeBytes(sized, room(2 * GiB, 0.1))).toBe(4 * GiB)
  expect(nextVolumeBytes(sized, room(3.5 * GiB, 0.1))).toBe(null)
})

test('the share of the maximum counts room that is not there yet', () => {
  const sized = { volumeBytes: 4 * GiB, volumeMaxBytes: 16 * GiB }
  expect(shareOfMaximum(sized, room(4 * GiB, 0.8))).toBeCloseTo(0.2)
  expect(shareOfMaximum({ ...sized, volumeMaxBytes: null }, room(4 * GiB, 0.8))).toBeCloseTo(0.8)
})

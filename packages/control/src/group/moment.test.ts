import { describe, expect, test } from 'vitest'
import type { DatabasePoint } from '../database/points.ts'
import { chooseMoment, floorMoment, spreadOf } from './moment.ts'

const NOW = Date.UTC(2026, 10, 23, 2, 30, 5, 400)
const at = (ms: number) => NOW - (NOW % 1000) + ms

function point(atMs: number, takenAt = atMs): DatabasePoint {
  const mark = {
    engine: 'postgres',
    engineVersion: '15.1',
    position: '0/1',
    detail: '1',
    atMs,
    logFromMs: null,
    consistency: 'application' as const,
  }
  return { id: `pnt_${atMs}`, poolId: 'p', snapshotId: 's', takenAt, sizeBytes: 1, mark }
}

describe('the moment of a group', () => {
  test('is this second, when each member has a point before it', () => {
    expect(chooseMoment(NOW, [point(at(-60_000)), point(at(-1000))])).toBe(at(0))
    expect(floorMoment(NOW)).toBe(at(0))
  })

  test('is the first second that lies a second after the newest point of every member', () => {
    expect(chooseMoment(NOW, [point(at(-60_000)), point(at(-999))])).toBe(at(1000))
    expect(chooseMoment(NOW, [point(at(300))])).toBe(at(2000))
    // By the node's clock, which says when it was frozen.
    expect(chooseMoment(NOW, [point(at(-60_000), at(-10))])).toBe(at(1000))
  })
})

describe('how far apart clocks are', () => {
  test('is at most their difference and both errors, and at least it without them', () => {
    const clocks = [
      { offsetMs: 10, errorMs: 1 },
      { offsetMs: -20, errorMs: 2 },
      { offsetMs: 0, errorMs: 50 },
    ]
    expect(spreadOf(clocks.slice(0, 2))).toEqual({ mostMs: 33, leastMs: 27 })
    expect(spreadOf(clocks)).toEqual({ mostMs: 72, leastMs: 27 })
  })

  test('is not known when one of them was not measured', () => {
    expect(spreadOf([{ offsetMs: 0, errorMs: 0 }, null])).toBeNull()
    expect(spreadOf([null])).toBeNull()
    expect(spreadOf([{ offsetMs: 7, errorMs: 1 }])).toEqual({ mostMs: 0, leastMs: 0 })
  })
})

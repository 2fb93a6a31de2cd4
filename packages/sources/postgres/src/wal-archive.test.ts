import { linkSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { TemporaryDirectory } from '@openmaas/testkit/temporary-directory'
import { testPlace } from './place.test-support.ts'
import type { Place } from './place.ts'
import { type Mark, type PostgresState, loadState, saveState } from './state.ts'
import { boundLog, linkLog, pruneLog } from './wal-archive.ts'

const SIZE = 16n * 1024n * 1024n
let directory: TemporaryDirectory
let place: Place

beforeEach(() => {
  directory = new TemporaryDirectory()
  place = testPlace(directory.path)
  mkdirSync(join(place.layout.data, 'pg_wal', 'archive_status'), { recursive: true })
  mkdirSync(place.layout.log)
})
afterEach(() => directory[Symbol.dispose]())

const name = (number: number, timeline = 1): string =>
  `0000000${timeline}000000000000000${number.toString(16).toUpperCase()}`
const wal = (file: string): string => join(place.layout.data, 'pg_wal', file)
const log = (): string[] => readdirSync(place.layout.log).toSorted()
const link = (oldest: string, number: number, timeline = 1): void =>
  linkLog(place, { oldest, current: { timeline, number: BigInt(number) } }, SIZE)

function receive(...files: string[]): void {
  for (const file of files) writeFileSync(wal(file), file)
}

test('a mark links whole segments, and what was received of the current one', () => {
  receive(name(2), name(3), name(4), name(5), '00000002.history')
  link(name(2), 4)
  // Segment 5 was made ahead of time: there is nothing in it yet.
  expect(log()).toEqual([name(2), name(3), `${name(4)}.partial`, '00000002.history'].toSorted())
  expect(statSync(join(place.layout.log, name(3))).ino).toBe(statSync(wal(name(3))).ino)
})

test('a segment in part goes when the whole one is there', () => {
  receive(name(4), name(5))
  link(name(4), 4)
  linkSync(wal(name(4)), join(place.layout.log, name(4)))
  link(name(4), 5)
  expect(log()).toEqual([name(4), `${name(5)}.partial`])
})

test('a segment that was received anew takes the place of the old one', () => {
  receive(name(4))
  writeFileSync(join(place.layout.log, `${name(4)}.partial`), 'of an earlier server')
  link(name(4), 4)
  expect(statSync(join(place.layout.log, `${name(4)}.partial`)).ino).toBe(
    statSync(wal(name(4))).ino,
  )
})

test('nothing older than the oldest mark is linked or kept, whatever its timeline', () => {
  receive(name(2), name(3), name(4, 2))
  writeFileSync(join(place.layout.log, name(1)), 'old')
  link(name(3), 4, 2)
  const marks: Mark[] = [
    { atMs: 1, lsn: '0/3000100', timeline: 1, segment: name(3) },
    { atMs: 2, lsn: '0/4000100', timeline: 2, segment: name(4, 2) },
  ]
  const pruned = pruneLog(place, marks, Infinity)
  expect(pruned).toEqual({ marks, prunedBytes: 3 })
  expect(log()).toEqual([name(3), `${name(4, 2)}.partial`].toSorted())
})

test('without a mark nothing is removed', () => {
  writeFileSync(join(place.layout.log, name(1)), 'old')
  expect(pruneLog(place, [], Infinity)).toEqual({ marks: [], prunedBytes: 0 })
  expect(log()).toEqual([name(1)])
})

describe('while no point is taken', () => {
  const markAt = (number: number): Mark => ({
    atMs: number,
    lsn: `0/${number}000100`,
    timeline: 1,
    segment: name(number),
  })
  const seeded = (marks: Mark[]): PostgresState => {
    const state: PostgresState = {
      engine: 'postgres',
      format: 1,
      phase: 'seeded',
      version: '15.1',
      major: 15,
      systemIdentifier: '7',
      segmentSize: Number(SIZE),
      superuser: 'postgres',
      slot: 'openmaas_1',
      marks,
      productionSettings: {},
      logCutAtMs: null,
      seedRequest: null,
      givenUp: null,
      retainedLimitBytes: null,
      instance: null,
    }
    saveState(place.layout, state)
    return state
  }
  const archived = (...numbers: number[]): void => {
    for (const each of numbers) writeFileSync(join(place.layout.log, name(each)), Buffer.alloc(10))
  }

  test('log/ first loses what older points need, and says nothing', () => {
    archived(1, 2, 3, 4, 5, 6)
    const state = seeded([markAt(2), markAt(3), markAt(4)])
    expect(boundLog(place, state, { markedBytes: 45, openBytes: 90 })).toBe(false)
    expect(log()).toEqual([3, 4, 5, 6].map((each) => name(each)))
    expect(loadState(place.layout)).toMatchObject({
      marks: [markAt(3), markAt(4)],
      logCutAtMs: null,
    })
  })

  test('log/ that the newest point needs is removed beyond the limit, and that is noted', () => {
    archived(1, 2, 3, 4, 5, 6)
    const state = seeded([markAt(1), markAt(2)])
    expect(boundLog(place, state, { markedBytes: 30, openBytes: 59 })).toBe(true)
    expect(log()).toEqual([5, 6].map((each) => name(each)))
    const cut = loadState(place.layout)
    expect(cut.marks).toEqual([])
    expect(cut.logCutAtMs).toBeGreaterThan(0)
    expect(boundLog(place, cut, { markedBytes: 30, openBytes: 59 })).toBe(false)
  })
})

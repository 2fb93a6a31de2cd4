/** How many of the odd days are found, and how many of the days found are odd. */
import { expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { HISTORY_DAYS_MIN, judgeDay } from './anomaly.ts'
import type { SourceDay } from './anomaly.ts'
import { HABITS, inject, INJECTIONS, makeHistory, SHOWN_BY } from './histories.test-support.ts'
import type { Habit } from './histories.test-support.ts'

/** Not the one that the limits were tried on. */
const SEED = 77
/** Sources of each habit. */
const SOURCE_COUNT = 60
const DAY_COUNT = 56
const DAY_MS = 86_400_000
const MIB = 1024 ** 2

interface Score {
  readonly judged: number
  readonly falseAlarms: number
  readonly injected: number
  readonly found: number
}

function scoreOf(habit: Habit, random: SeededRandom): Score {
  const score = { judged: 0, falseAlarms: 0, injected: 0, found: 0 }
  for (let source = 0; source < SOURCE_COUNT; source += 1) {
    const days = makeHistory(habit, { count: DAY_COUNT, random })
    for (let end = HISTORY_DAYS_MIN + 1; end <= days.length; end += 1) {
      score.judged += 1
      if (judgeDay(days.slice(0, end)).length > 0) score.falseAlarms += 1
    }
    for (const injection of INJECTIONS) {
      // Some time after the history is long enough, on any day of the week.
      const end = HISTORY_DAYS_MIN + 2 + random.below(DAY_COUNT - HISTORY_DAYS_MIN - 2)
      const signals = judgeDay(inject(days.slice(0, end), injection, random))
      score.injected += 1
      if (signals.some(({ signal }) => SHOWN_BY[injection].includes(signal))) score.found += 1
    }
  }
  return score
}

const percent = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(2)} %`

test('of 480 sources, nearly all that goes wrong is found, and hardly anything else', () => {
  const random = new SeededRandom(SEED)
  const total = { judged: 0, falseAlarms: 0, injected: 0, found: 0 }
  const lines = ['habit         recall     false alarms per source and day']
  for (const habit of HABITS) {
    const score = scoreOf(habit, random)
    for (const key of ['judged', 'falseAlarms', 'injected', 'found'] as const) {
      total[key] += score[key]
    }
    const recall = percent(score.found, score.injected)
    const alarms = percent(score.falseAlarms, score.judged)
    lines.push(`${habit.padEnd(12)} ${recall.padStart(9)} ${alarms.padStart(12)}`)
  }
  const recall = total.found / total.injected
  const falseRate = total.falseAlarms / total.judged
  // With one odd day per source in the time that was judged.
  const precision = total.found / (total.found + total.falseAlarms)
  lines.push(`recall ${percent(recall, 1)}, precision ${percent(precision, 1)}`)
  process.stdout.write(`${lines.join('\n')} (seed ${SEED})\n`)
  expect(recall).toBeGreaterThan(0.95)
  expect(precision).toBeGreaterThan(0.95)
  expect(falseRate).toBeLessThan(0.002)
})

const even = (count: number, more: Partial<SourceDay> = {}): SourceDay[] =>
  Array.from({ length: count }, (_, i) => ({
    day: i * DAY_MS,
    addedBytes: 100 * MIB,
    readBytes: 300 * MIB,
    sizeBytes: 10_000 * MIB,
    ...more,
  }))
const last = (days: readonly SourceDay[], more: Partial<SourceDay>): SourceDay[] => [
  ...days.slice(0, -1),
  { ...days.at(-1)!, ...more },
]

test('nothing is said of a source that is too young', () => {
  const odd = { addedBytes: 9000 * MIB, readBytes: 9000 * MIB, sizeBytes: MIB }
  expect(judgeDay(last(even(HISTORY_DAYS_MIN), odd))).toEqual([])
  expect(judgeDay(last(even(HISTORY_DAYS_MIN + 1), odd))).toHaveLength(3)
  expect(judgeDay([])).toEqual([])
})

test('says what was usual and what was not', () => {
  const days = last(even(30), { addedBytes: 5000 * MIB, readBytes: 20_000 * MIB })
  expect(judgeDay(days)).toEqual([
    { signal: 'change', day: 29 * DAY_MS, value: 5000 * MIB, usual: 100 * MIB },
  ])
})

test('data that no longer compresses is noticed although no more of it is written', () => {
  const days = last(even(30), { addedBytes: 298 * MIB })
  expect(judgeDay(days)).toEqual([
    { signal: 'compressibility', day: 29 * DAY_MS, value: 0.99, usual: 0.33 },
  ])
})

test('a source that is usually idle may write a little', () => {
  const idle = even(30, { addedBytes: 0, readBytes: 0 })
  expect(judgeDay(last(idle, { addedBytes: 60 * MIB, readBytes: 60 * MIB }))).toEqual([])
  expect(judgeDay(last(idle, { addedBytes: 900 * MIB, readBytes: 2000 * MIB }))).toHaveLength(1)
})

test('an empty mount point is noticed on the day it happens', () => {
  expect(judgeDay(last(even(30), { sizeBytes: 0, addedBytes: 0, readBytes: 0 }))).toEqual([
    { signal: 'shrink', day: 29 * DAY_MS, value: 0, usual: 10_000 * MIB },
  ])
})

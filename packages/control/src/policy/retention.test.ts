/** What is kept and why; restic's documentation gives the examples. */
import { expect, test } from 'vitest'
import { retention } from '@openmaas/api/policy'
import type { Retention } from '@openmaas/api/policy'
import { SeededRandom } from '@openmaas/kernel/random'
import { applyRetention, onDemandUntil } from './retention.ts'
import type { KeptPoint } from './retention.ts'
import { DAY_MS, HOUR_MS, zoneOf } from './zone.ts'

const UTC = zoneOf('UTC')
const NOW = Date.UTC(2026, 10, 22, 12)
const point = (text: string, more: Partial<KeptPoint> = {}): KeptPoint => ({
  id: text,
  takenAt: Date.parse(text),
  ...more,
})
const keep = (rules: Partial<Retention>): Retention => retention.parse(rules)

test('each rule keeps the newest point of each of its periods, and says so', () => {
  const points = [
    point('2026-11-22T10:00:00Z'),
    point('2026-11-22T09:30:00Z'),
    point('2026-11-22T09:00:00Z'),
    point('2026-11-21T23:00:00Z'),
    point('2026-11-15T23:00:00Z'),
    point('2026-10-31T23:00:00Z'),
  ]
  const reasons = applyRetention(
    points,
    keep({ hourly: 2, daily: 2, weekly: 2, monthly: 2 }),
    UTC,
    NOW,
  )
  expect(Object.fromEntries(reasons)).toEqual({
    '2026-11-22T10:00:00Z': [
      'hourly 2026-11-22 10:00',
      'daily 2026-11-22',
      'weekly 2026-W47',
      'monthly 2026-11',
      'newest',
    ],
    '2026-11-22T09:30:00Z': ['hourly 2026-11-22 09:00'],
    '2026-11-22T09:00:00Z': [],
    '2026-11-21T23:00:00Z': ['daily 2026-11-21'],
    '2026-11-15T23:00:00Z': ['weekly 2026-W46'],
    '2026-10-31T23:00:00Z': ['monthly 2026-10'],
  })
})

test('periods without a point do not count', () => {
  const points = [point('2026-11-22T10:00:00Z'), point('2020-01-01T00:00:00Z')]
  const reasons = applyRetention(points, keep({ daily: 2 }), UTC, NOW)
  expect(reasons.get('2020-01-01T00:00:00Z')).toEqual(['daily 2020-01-01'])
})

test('days are those of the time zone', () => {
  // Both are 23 November in Shanghai, and on two days in UTC.
  const points = [point('2026-11-23T01:00:00Z'), point('2026-11-22T17:00:00Z')]
  const inShanghai = applyRetention(points, keep({ daily: 5 }), zoneOf('Asia/Shanghai'), NOW)
  expect(inShanghai.get('2026-11-22T17:00:00Z')).toEqual([])
  expect(applyRetention(points, keep({ daily: 5 }), UTC, NOW).get('2026-11-22T17:00:00Z')).toEqual([
    'daily 2026-11-22',
  ])
})

test('weeks are ISO weeks, also at the turn of the year', () => {
  const points = [point('2027-01-03T10:00:00Z'), point('2026-12-28T10:00:00Z')]
  const reasons = applyRetention(points, keep({ weekly: 2 }), UTC, NOW)
  // Both lie in the 53rd week of 2026.
  expect(reasons.get('2027-01-03T10:00:00Z')).toEqual(['weekly 2026-W53', 'newest'])
  expect(reasons.get('2026-12-28T10:00:00Z')).toEqual([])
})

test('the newest, a verified one, what is locked and what is in use always stay', () => {
  const points = [
    point('2026-11-22T10:00:00Z'),
    point('2026-11-21T10:00:00Z', { inUse: true }),
    point('2026-11-20T10:00:00Z', { lockUntil: NOW + DAY_MS }),
    point('2026-11-19T10:00:00Z', { verifiedAt: NOW - DAY_MS }),
    point('2026-11-18T10:00:00Z', { verifiedAt: NOW - 2 * DAY_MS }),
    point('2026-11-17T10:00:00Z', { lockUntil: NOW - 1 }),
  ]
  const reasons = [...applyRetention(points, keep({ yearly: 1 }), UTC, NOW).values()]
  expect(reasons).toEqual([
    ['yearly 2026', 'newest'],
    ['in-use'],
    ['locked 2026-11-23'],
    ['verified'],
    [],
    [],
  ])
})

test('one source without points keeps nothing, and that is no error', () => {
  expect(applyRetention([], keep({ last: 1 }), UTC, NOW).size).toBe(0)
})

// Goal: applying it after each point, as the product does, never loses what a rule would want.
test('keeping step by step keeps as much of each rule as looking back at all of it', () => {
  for (let seed = 1; seed <= 20; seed += 1) {
    const random = new SeededRandom(seed)
    const rules = keep({
      last: random.below(3),
      hourly: random.below(5),
      daily: 1 + random.below(7),
      weekly: random.below(4),
      monthly: random.below(4),
    })
    let at = NOW
    let kept: KeptPoint[] = []
    const all: KeptPoint[] = []
    for (let i = 0; i < 300; i += 1) {
      at += 1 + random.below(20 * HOUR_MS)
      const taken = { id: `p${i}`, takenAt: at }
      all.push(taken)
      const reasons = applyRetention([...kept, taken], rules, UTC, at)
      kept = [...kept, taken].filter((each) => reasons.get(each.id)!.length > 0)
      expect(kept.at(-1)).toBe(taken)
    }
    const count = (list: readonly KeptPoint[], rule: string): number =>
      [...applyRetention(list, rules, UTC, at).values()].filter((reasons) =>
        reasons.some((reason) => reason.startsWith(rule)),
      ).length
    for (const rule of ['last', 'hourly', 'daily', 'weekly', 'monthly'] as const) {
      expect(count(kept, rule), `seed ${seed}: ${rule}`).toBe(count(all, rule))
    }
  }
})

test('points taken on demand take nobody’s place, whatever the rules and wherever they lie', () => {
  const random = new SeededRandom(7)
  for (let round = 0; round < 200; round += 1) {
    const rules = keep({
      last: 1 + random.below(4),
      hourly: random.below(4),
      daily: random.below(3),
    })
    const own = Array.from({ length: 12 }, (_, i) => ({
      id: `p${i}`,
      takenAt: NOW - (i + 1) * random.below(5) * HOUR_MS - i,
      verifiedAt: random.below(4) === 0 ? NOW : null,
    }))
    const onDemand = Array.from({ length: 12 }, (_, i) => ({
      id: `d${i}`,
      takenAt: NOW - random.below(40) * HOUR_MS,
      onDemandUntil: NOW - HOUR_MS,
    }))
    const alone = applyRetention(own, rules, UTC, NOW)
    const together = applyRetention([...own, ...onDemand], rules, UTC, NOW)
    for (const { id } of own) expect(together.get(id)).toEqual(alone.get(id))
    const newest = [...own, ...onDemand].toSorted((a, b) => b.takenAt - a.takenAt)[0]!.takenAt
    for (const { id, takenAt } of onDemand) {
      const why = together.get(id)!
      expect(why.length === 0 || (why[0] === 'newest' && takenAt === newest)).toBe(true)
    }
  }
})

test('a point taken on demand is kept a day after its last use, and says until when', () => {
  const taken = { onDemand: 1, takenAt: NOW - 30 * HOUR_MS }
  const why = (usedAt: number | null, inUse: boolean): string[] => {
    const id = 'asked'
    const point = { id, ...taken, inUse, onDemandUntil: onDemandUntil(taken, usedAt) }
    const newer = { id: 'newer', takenAt: NOW }
    return applyRetention([point, newer], keep({ last: 5 }), UTC, NOW).get(id)!
  }
  expect(why(null, false)).toEqual([])
  expect(why(null, true)).toEqual(['in-use'])
  expect(why(NOW - HOUR_MS, false)).toEqual(['on-demand 2026-11-23'])
  expect(onDemandUntil({ onDemand: 0, takenAt: 1 })).toBe(null)
})

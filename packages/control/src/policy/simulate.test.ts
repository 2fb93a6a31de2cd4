/** A year of a policy, in seconds. */
import { expect, test } from 'vitest'
import { policySpec } from '@openmaas/api/policy'
import type { PolicySpecInput } from '@openmaas/api/policy'
import { applyRetention } from './retention.ts'
import { Runs } from './runs.ts'
import { simulatePolicy } from './simulate.ts'
import type { Simulation } from './simulate.ts'
import { DAY_MS, MINUTE_MS, zoneOf } from './zone.ts'

const FROM = Date.UTC(2026, 0, 1)
function simulate(spec: PolicySpecInput, more = {}): Simulation {
  const options = { from: FROM, days: 365, captureMs: MINUTE_MS, addedBytes: 10, ...more }
  return simulatePolicy(policySpec.parse(spec), options)
}

test('a year of a promise of one minute is computed, and keeps what the rules say', () => {
  const from = Date.parse('2026-01-01T00:00:00+01:00')
  const retention = { last: 60, hourly: 24, daily: 7, weekly: 4, monthly: 12 }
  const year = simulate(
    { rpo: '1m', retention, timezone: 'Europe/Berlin' },
    { captureMs: 10_000, from },
  )
  expect(year.taken).toBe(365 * 1440)
  expect(year.violations).toBe(0)
  expect(year.days).toHaveLength(365)
  const count = (rule: string): number =>
    year.points.filter(({ reasons }) => reasons.some((reason) => reason.startsWith(rule))).length
  expect([
    count('last'),
    count('hourly'),
    count('daily'),
    count('weekly'),
    count('monthly'),
  ]).toEqual([60, 24, 7, 4, 12])
})

test('keeps the same as applying the retention after every single point', () => {
  const spec = policySpec.parse({
    rpo: '3h',
    retention: { last: 2, hourly: 5, daily: 3, weekly: 2, monthly: 3 },
    windows: [{ from: '20:00', to: '07:00' }],
    timezone: 'Asia/Shanghai',
  })
  const zone = zoneOf(spec.timezone)
  const end = zone.utcOf(Date.UTC(2026, 0, 1) + 90 * DAY_MS)
  let kept: { id: string; takenAt: number }[] = []
  for (const run of new Runs(spec, '').between(FROM - 1, end)) {
    kept.push({ id: String(run), takenAt: run })
    const reasons = applyRetention(kept, spec.retention, zone, run)
    kept = kept.filter((point) => reasons.get(point.id)!.length > 0)
  }
  const simulated = simulatePolicy(spec, { from: FROM, days: 90, captureMs: 0, addedBytes: 1 })
  expect(simulated.points.map((point) => point.at).toReversed()).toEqual(kept.map((p) => p.takenAt))
})

test('a capture that takes longer than the promise is told, and leaves runs out', () => {
  const slow = simulate(
    { rpo: '15m', retention: { last: 1 } },
    { days: 2, captureMs: 40 * MINUTE_MS },
  )
  expect(slow.taken).toBe(64)
  expect(slow.violations).toBe(slow.taken - 1)
  expect(slow.warnings).toMatchObject([{ code: 'RPO_SHORTER_THAN_CAPTURE' }])
})

test('windows that stretch the promise are told with the gap they make', () => {
  const nightly = simulate(
    { rpo: '1h', retention: { last: 1 }, windows: [{ from: '22:00', to: '06:00' }] },
    { days: 7 },
  )
  expect(nightly.warnings).toMatchObject([
    { code: 'RUNS_TOO_RARE', params: { gapMs: 17 * 60 * MINUTE_MS } },
  ])
  expect(nightly.violations).toBe(7)
})

test('space falls when the oldest points go', () => {
  const { days } = simulate({ rpo: '1d', retention: { daily: 5 } }, { days: 20 })
  expect(days.map((day) => day.kept).slice(0, 8)).toEqual([1, 2, 3, 4, 5, 5, 5, 5])
  expect(days.at(-1)).toMatchObject({ bytes: 50, taken: 1, expired: 1 })
})

test('a lock keeps points longer than the rules', () => {
  const { days } = simulate({ rpo: '1d', retention: { last: 1 }, lockDays: 10 }, { days: 30 })
  expect(days.at(-1)?.kept).toBe(10)
})

test('a policy that never runs says so', () => {
  const never = simulate({ rpo: '1d', cron: '0 0 30 2 *' }, { days: 400 })
  expect(never).toMatchObject({ taken: 0, kept: 0, warnings: [{ code: 'NEVER_RUNS' }] })
})

test('more runs than anybody can wait for are refused, or cut off where that is wanted', () => {
  const everySecond = { rpo: '1m', cron: '* * * * * *', retention: { last: 1 } }
  const cut = simulate(everySecond, { captureMs: 0, runsMax: 5000 })
  expect(cut).toMatchObject({ taken: 5000, kept: 1 })
  expect(cut.days).toHaveLength(1)
})

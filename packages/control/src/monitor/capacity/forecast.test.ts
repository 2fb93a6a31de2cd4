/** The line through a pool's days, and what may be said of it. */
import { expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { describeBothCatalogs } from '../../catalog/both-catalogs.test-support.ts'
import { GIB, makeSite, statsJson } from '../monitor.test-support.ts'
import { FORECAST_DAYS_MIN, forecastPool } from './forecast.ts'
import type { CapacitySample } from './forecast.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
const FIRST = Date.UTC(2026, 0, 1)

const daily = (count: number, used: (day: number) => number): CapacitySample[] =>
  Array.from({ length: count }, (_, day) => ({ at: FIRST + day * DAY_MS, usedBytes: used(day) }))

test('an even growth is foretold exactly', () => {
  const forecast = forecastPool(
    daily(20, (day) => 100 + 10 * day),
    { sizeBytes: 500, usedBytes: 290 },
  )
  expect(forecast).toMatchObject({ state: 'growing', growthBytesPerDay: 10, daysToFull: 21 })
  expect(forecast.daysToFullRange).toEqual({ earliest: 21, latest: 21 })
  expect(forecast.errorBytesPerDay).toBe(0)
})

test('too few days say that they are too few, however many samples they have', () => {
  const pool = { sizeBytes: 1000, usedBytes: 900 }
  const hourly = Array.from({ length: 24 * (FORECAST_DAYS_MIN - 1) }, (_, hour) => ({
    at: FIRST + hour * HOUR_MS,
    usedBytes: hour,
  }))
  const forecast = forecastPool(hourly, pool)
  expect(forecast).toMatchObject({ state: 'not-enough-data', daysToFull: null })
  expect(forecast.days).toHaveLength(FORECAST_DAYS_MIN - 1)
  expect(forecastPool([], pool)).toMatchObject({ state: 'not-enough-data', days: [] })
})

test('what shrinks, stays, or only trembles is never full', () => {
  const random = new SeededRandom(3)
  const pool = { sizeBytes: 1000, usedBytes: 500 }
  for (const used of [(day: number) => 500 - day, () => 500, () => 400 + random.below(200)]) {
    const forecast = forecastPool(daily(40, used), pool)
    expect(forecast).toMatchObject({ state: 'steady', daysToFull: null, daysToFullRange: null })
  }
})

test('collections that free much, and days that are quite wrong, do not bend the line', () => {
  const used = (day: number): number => (day % 7 === 6 ? 0 : 1000 + 10 * day)
  const forecast = forecastPool(daily(42, used), { sizeBytes: 3000, usedBytes: 1410 })
  expect(forecast.growthBytesPerDay).toBeGreaterThan(8)
  expect(forecast.growthBytesPerDay).toBeLessThan(12)
})

test('the range holds the true growth in 95 of 100 noisy histories, more or less', () => {
  const random = new SeededRandom(11)
  let held = 0
  for (let i = 0; i < 400; i += 1) {
    const noise = (): number => (random.unit() + random.unit() + random.unit() - 1.5) * 100
    const forecast = forecastPool(
      daily(30, (day) => 1000 + 20 * day + noise()),
      { sizeBytes: 4000, usedBytes: 1600 },
    )
    const { earliest, latest } = forecast.daysToFullRange!
    if (earliest <= 120 && latest >= 120) held += 1
    expect(forecast.daysToFull).toBeGreaterThan(80)
    expect(forecast.daysToFull).toBeLessThan(200)
  }
  expect(held).toBeGreaterThan(370)
})

test('what lies ten years ahead is not foretold, and a full pool is full today', () => {
  const slow = forecastPool(
    daily(20, (day) => day),
    { sizeBytes: 10_000, usedBytes: 19 },
  )
  expect(slow).toMatchObject({ state: 'growing', daysToFull: null })
  const full = forecastPool(
    daily(20, (day) => 10 * day),
    { sizeBytes: 200, usedBytes: 200 },
  )
  expect(full.daysToFull).toBe(0)
})

describeBothCatalogs('samples of pools', (make) => {
  test('are taken once an hour, and thinned to one a day after two weeks', async () => {
    const site = await makeSite(make)
    await site.addPool()
    await site.addPool({ id: 'pol_2', statsJson: '{}' })
    for (let hour = 0; hour < 20 * 24; hour += 6) {
      const freeBytes = (900 - hour) * GIB
      await site.catalog.db
        .updateTable('pool')
        .set({ statsJson: statsJson({ freeBytes }) })
        .where('id', '=', 'pol_1')
        .execute()
      await site.pass(0)
      await site.pass(10)
      site.clock.advance(6 * HOUR_MS - 10 * 60_000)
    }
    const rows = await site.catalog.db
      .selectFrom('sample')
      .select(['subject', 'at', 'value'])
      .where('name', '=', 'pool.used')
      .orderBy('at')
      .execute()
    // Four a day for the last 14 days, one for each of the five before.
    expect(rows.length).toBeGreaterThanOrEqual(14 * 4 + 5)
    expect(rows.length).toBeLessThanOrEqual(14 * 4 + 9)
    expect(rows[0]).toMatchObject({ subject: 'pol_1', value: 100 * GIB })
    expect(new Set(rows.map(({ at }) => Math.floor(at / DAY_MS))).size).toBe(20)
    expect(site.errors).toEqual([])
  })
})

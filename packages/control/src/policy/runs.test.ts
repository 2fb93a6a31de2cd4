/** When things run, with the odd days of the calendar. */
import { describe, expect, test } from 'vitest'
import { policySpec } from '@openmaas/api/policy'
import type { PolicySpecInput } from '@openmaas/api/policy'
import { SeededRandom } from '@openmaas/kernel/random'
import { Runs } from './runs.ts'
import { HOUR_MS, MINUTE_MS, Zone } from './zone.ts'

const at = (text: string): number => Date.parse(text)
function list(spec: PolicySpecInput, after: string, count: number, seed = ''): string[] {
  const runs = new Runs(policySpec.parse(spec), seed)
  return runs.list(at(after), count).map((run) => new Date(run).toISOString().slice(0, 16))
}

describe('runs', () => {
  test('are aligned to the clock when only the promise is given', () => {
    expect(list({ rpo: '15m' }, '2026-11-22T10:07:00Z', 3)).toEqual([
      '2026-11-22T10:15',
      '2026-11-22T10:30',
      '2026-11-22T10:45',
    ])
    expect(list({ rpo: '1d', timezone: 'Asia/Shanghai' }, '2026-11-22T10:07:00Z', 2)).toEqual([
      '2026-11-22T16:00',
      '2026-11-23T16:00',
    ])
    expect(list({ rpo: '1w' }, '2026-11-22T10:07:00Z', 2)).toEqual([
      '2026-11-23T00:00',
      '2026-11-30T00:00',
    ])
    expect(list({ rpo: '7h' }, '2026-11-22T20:00:00Z', 3)).toEqual([
      '2026-11-22T21:00',
      '2026-11-23T00:00',
      '2026-11-23T07:00',
    ])
  })

  test('come after the moment asked for, never at it', () => {
    expect(list({ rpo: '15m' }, '2026-11-22T10:15:00Z', 1)).toEqual(['2026-11-22T10:30'])
  })

  test('at 02:30 in Berlin happen once when the clock goes forward: at 01:00 UTC', () => {
    const spec = { rpo: '1d', cron: '30 2 * * *', timezone: 'Europe/Berlin' }
    expect(list(spec, '2027-03-27T12:00:00Z', 2)).toEqual(['2027-03-28T01:00', '2027-03-29T00:30'])
  })

  test('at 02:30 in Berlin happen once when the clock goes back: the first time', () => {
    const spec = { rpo: '1d', cron: '30 2 * * *', timezone: 'Europe/Berlin' }
    expect(list(spec, '2026-10-24T12:00:00Z', 2)).toEqual(['2026-10-25T00:30', '2026-10-26T01:30'])
  })

  test.each(['Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu'])(
    'are never further apart than the promise in %s, whatever the clock does',
    (timezone) => {
      const runs = new Runs(policySpec.parse({ rpo: '4h', timezone }), '')
      let last = at('2026-01-01T00:00:00Z')
      for (const run of runs.between(last, at('2027-01-01T00:00:00Z'))) {
        expect(run - last).toBeLessThanOrEqual(4 * HOUR_MS)
        expect(run).toBeGreaterThan(last)
        last = run
      }
    },
  )

  test('wait for the window, and many that were held back become one', () => {
    const windows = [{ from: '22:00', to: '06:00' }]
    expect(list({ rpo: '4h', windows }, '2026-11-22T05:00:00Z', 4)).toEqual([
      '2026-11-22T22:00',
      '2026-11-23T00:00',
      '2026-11-23T04:00',
      '2026-11-23T22:00',
    ])
    // The base run at midnight is never in this window.
    expect(
      list({ rpo: '1d', windows: [{ from: '01:00', to: '05:00' }] }, '2026-11-22T02:00:00Z', 2),
    ).toEqual(['2026-11-23T01:00', '2026-11-24T01:00'])
    // A week's promise does not become a nightly run.
    expect(list({ rpo: '1w', windows }, '2026-11-22T23:00:00Z', 2)).toEqual([
      '2026-11-23T00:00',
      '2026-11-30T00:00',
    ])
  })

  test('of a window over midnight belong to the day on which it begins', () => {
    const windows = [{ days: ['fri' as const], from: '22:00', to: '02:00' }]
    // 2026-11-20 is a Friday.
    expect(list({ rpo: '1h', windows }, '2026-11-20T12:00:00Z', 5)).toEqual([
      '2026-11-20T22:00',
      '2026-11-20T23:00',
      '2026-11-21T00:00',
      '2026-11-21T01:00',
      '2026-11-27T22:00',
    ])
  })

  test('leave blackout days out and come back with one run', () => {
    const blackout = [{ from: '2026-12-24', to: '2026-12-26', reason: 'holidays' }]
    const spec = { rpo: '12h', blackout, timezone: 'Asia/Shanghai' }
    expect(list(spec, '2026-12-23T05:00:00Z', 2)).toEqual(['2026-12-26T16:00', '2026-12-27T04:00'])
    const night = { ...spec, windows: [{ from: '01:00', to: '05:00' }] }
    expect(list(night, '2026-12-23T05:00:00Z', 2)).toEqual(['2026-12-26T17:00', '2026-12-27T17:00'])
  })

  test('end when nothing is ever allowed', () => {
    expect(list({ rpo: '1d', cron: '0 0 30 2 *' }, '2026-01-01T00:00:00Z', 1)).toEqual([])
  })

  test('spread by the seed, each source always by the same share, within the window', () => {
    const spec = { rpo: '1d', jitter: '1h', windows: [{ from: '23:00', to: '01:00' }] }
    const starts = new Set<string>()
    for (let i = 0; i < 50; i += 1) {
      const [first, second] = list(spec, '2026-11-22T12:00:00Z', 2, `src_${i}`) as [string, string]
      expect(first.slice(11)).toBe(second.slice(11))
      expect(first >= '2026-11-22T23:00' && first < '2026-11-23T01:00').toBe(true)
      starts.add(first)
    }
    expect(starts.size).toBeGreaterThan(20)
  })

  test('refuse a cron field that means nothing', () => {
    expect(() => new Runs(policySpec.parse({ rpo: '1d', cron: '99 2 * * *' }), '')).toThrowError(
      expect.objectContaining({ code: 'POLICY_INVALID' }),
    )
  })

  // Goal: the clever search agrees with looking at every minute.
  test('agree with the minute-by-minute model', () => {
    for (let seed = 1; seed <= 25; seed += 1) {
      const random = new SeededRandom(seed)
      const hour = (): string => `${String(random.below(24)).padStart(2, '0')}:00`
      const rpo = ['30m', '1h', '4h', '6h', '1d'][random.below(5)]!
      const days = (['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const).filter(
        () => random.below(3) > 0,
      )
      const windows = days.length === 0 ? [] : [{ days, from: hour(), to: hour() }]
      const blackout = random.below(2) === 0 ? [] : [{ from: '2026-03-29', to: '2026-03-30' }]
      const timezone = ['UTC', 'Europe/Berlin', 'Asia/Shanghai'][random.below(3)]!
      const spec = policySpec.parse({ rpo, windows, blackout, timezone })
      const runs = new Runs(spec, '')
      const plain = new Runs(policySpec.parse({ rpo, timezone }), '')
      const [from, until] = [at('2026-03-27T00:00:00Z'), at('2026-04-04T00:00:00Z')]
      const expected: number[] = []
      // What was held back before the first moment is not known to the model.
      let held = false
      for (let minute = from + MINUTE_MS; minute < until; minute += MINUTE_MS) {
        if (plain.next(minute - 1) === minute) held = true
        if (held && runs.isOpen(minute)) {
          expected.push(minute)
          held = false
        }
      }
      const found = [...runs.between(from, until)]
      const known = Math.max(found[0] ?? 0, expected[0] ?? 0)
      const later = (list: readonly number[]): number[] => list.filter((run) => run > known)
      expect(later(found), `seed ${seed}`).toEqual(later(expected))
    }
  })
})

describe('a zone', () => {
  test('goes to and fro, except in the gap and the repeated hour', () => {
    const zone = new Zone('Europe/Berlin')
    for (let hour = 0; hour < 8760; hour += 1) {
      const utc = at('2026-01-01T00:30:00Z') + hour * HOUR_MS
      const back = zone.utcOf(zone.localOf(utc))
      expect(back === utc || back === utc - HOUR_MS).toBe(true)
    }
    expect(zone.utcOf(at('2026-03-29T02:30:00Z'))).toBe(at('2026-03-29T01:00:00Z'))
    expect(zone.utcOf(at('2026-10-25T02:30:00Z'))).toBe(at('2026-10-25T00:30:00Z'))
  })
})

/** What the schedule does about time that passed unseen, and about failures. */
import { describe, expect, test } from 'vitest'
import { policySpec } from '@openmaas/api/policy'
import type { PolicySpecInput } from '@openmaas/api/policy'
import { DAY_MS, HOUR_MS, MINUTE_MS } from '../policy/zone.ts'
import { retryDelayMs } from './outcome.ts'
import { decideDue, planRun } from './plan.ts'
import type { Remembered } from './plan.ts'

const NOW = Date.parse('2026-11-22T10:07:00Z')
const spec = (input: Partial<PolicySpecInput> = {}) => policySpec.parse({ rpo: '15m', ...input })
const remembered = (more: Partial<Remembered> = {}): Remembered => ({
  sourceId: 'src_1',
  purpose: 'protect',
  lastAt: null,
  failures: 0,
  nextRunAt: null,
  ...more,
})
const plan = (input: Partial<PolicySpecInput>, more: Partial<Remembered>): string =>
  new Date(planRun(spec(input), remembered(more), NOW)).toISOString().slice(0, 16)

describe('the next run', () => {
  test('of a new source is now, or at the next opening, or when cron says', () => {
    expect(plan({}, {})).toBe('2026-11-22T10:07')
    expect(plan({ windows: [{ from: '22:00', to: '06:00' }] }, {})).toBe('2026-11-22T22:00')
    expect(plan({ cron: '30 2 * * *' }, {})).toBe('2026-11-23T02:30')
  })

  test('follows the last one, also when that time has passed', () => {
    expect(plan({}, { lastAt: NOW - MINUTE_MS })).toBe('2026-11-22T10:15')
    expect(plan({}, { lastAt: NOW - 3 * HOUR_MS })).toBe('2026-11-22T07:15')
  })

  test('is planned from now when the last one lies in a future that was taken back', () => {
    expect(plan({}, { lastAt: NOW + DAY_MS, nextRunAt: NOW + DAY_MS })).toBe('2026-11-22T10:15')
  })

  test('of a source that fails stays where the failure put it, unless the clock went back', () => {
    const nextRunAt = NOW + 7 * MINUTE_MS
    expect(plan({}, { failures: 3, nextRunAt })).toBe('2026-11-22T10:14')
    expect(plan({}, { failures: 3, nextRunAt: NOW + DAY_MS })).toBe('2026-11-22T10:11')
  })
})

describe('a run that is due', () => {
  const decide = (input: Partial<PolicySpecInput>, lateMs: number) =>
    decideDue(spec(input), { sourceId: 'src_1', purpose: 'protect', nextRunAt: NOW - lateMs }, NOW)
  const next = Date.parse('2026-11-22T10:15:00Z')

  test('runs, and many that were missed run once', () => {
    expect(decide({}, 1000)).toEqual({ kind: 'run', nextRunAt: next })
    expect(decide({}, 5 * DAY_MS)).toEqual({ kind: 'run', nextRunAt: next })
  })

  test('is left out when it was missed and the policy skips', () => {
    expect(decide({ catchUp: 'skip' }, 1000).kind).toBe('run')
    expect(decide({ catchUp: 'skip' }, 2 * MINUTE_MS)).toEqual({ kind: 'wait', nextRunAt: next })
  })

  test('that was missed waits for the next opening', () => {
    const decision = decide({ windows: [{ from: '22:00', to: '06:00' }] }, 5 * HOUR_MS)
    const opening = Date.parse('2026-11-22T22:00:00Z')
    expect(decision).toEqual({ kind: 'wait', nextRunAt: opening })
  })
})

test('failures space a source out: soon at first, never for longer than it makes sense', () => {
  const delays = (rpo: string): number[] =>
    [1, 2, 3, 6, 9, 50].map((failures) => retryDelayMs(failures, spec({ rpo })) / MINUTE_MS)
  expect(delays('1m')).toEqual([1, 2, 4, 30, 30, 30])
  expect(delays('1d')).toEqual([1, 2, 4, 32, 256, 360])
})

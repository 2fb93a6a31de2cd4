/** Whether the promise is kept, and the words for it. */
import { expect, test } from 'vitest'
import { policySpec } from '@openmaas/api/policy'
import type { PolicySpecInput } from '@openmaas/api/policy'
import { reasonWords } from '@openmaas/api/policy-text'
import type { TextLanguage } from '@openmaas/api/policy-text'
import { judgeCompliance } from './compliance.ts'
import type { Compliance, ComplianceFacts } from './compliance.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from './zone.ts'

const NOW = Date.parse('2026-11-22T12:00:00Z')

function judge(spec: PolicySpecInput | null, more: Partial<ComplianceFacts> = {}): Compliance {
  const facts: ComplianceFacts = {
    sourceId: 'src_1',
    createdAt: NOW - 30 * DAY_MS,
    paused: false,
    spec: spec === null ? null : policySpec.parse(spec),
    lastSuccessAt: NOW - 10 * MINUTE_MS,
    nextRunAt: null,
    failures: 0,
    failureCode: null,
    active: null,
    hostState: 'online',
    hostDrained: false,
    captureMs: null,
    ...more,
  }
  return judgeCompliance(facts, NOW)
}
const words = (found: Compliance, language: TextLanguage): string =>
  found.reasons.map((reason) => reasonWords(reason, language)).join(', ')

test('a promise that is broken says since when, what was promised, and what failed', () => {
  const found = judge(
    { rpo: '15m' },
    { lastSuccessAt: NOW - 3 * HOUR_MS, failures: 4, failureCode: 'HOST_OFFLINE' },
  )
  expect(found).toMatchObject({ state: 'violated', rpoMs: 15 * MINUTE_MS, ageMs: 3 * HOUR_MS })
  expect(words(found, 'en')).toBe(
    'last success 3 h ago, promise 15 min, last failure HOST_OFFLINE, 4 in a row',
  )
  expect(words(found, 'zh')).toBe(
    '上次成功在 3 小时前, 承诺 15 分钟, 上次失败 HOST_OFFLINE,已连续 4 次',
  )
})

test('a young point keeps the promise', () => {
  expect(judge({ rpo: '15m' }).state).toBe('compliant')
  expect(judge({ rpo: '15m' }, { lastSuccessAt: NOW - 16 * MINUTE_MS }).state).toBe('compliant')
  expect(judge({ rpo: '15m' }, { lastSuccessAt: NOW - 17 * MINUTE_MS }).state).toBe('violated')
})

test('the time that a capture takes is not held against it', () => {
  const late = { lastSuccessAt: NOW - 17 * MINUTE_MS, captureMs: 5 * MINUTE_MS }
  expect(judge({ rpo: '15m' }, late).state).toBe('compliant')
})

test('closed windows stretch the promise, by what the policy itself says', () => {
  const nightly = { rpo: '1h', windows: [{ from: '22:00', to: '06:00' }] }
  const found = judge(nightly, { lastSuccessAt: Date.parse('2026-11-22T05:00:00Z') })
  expect(found.state).toBe('compliant')
  expect(words(found, 'en')).toContain('outside its windows until 2026-11-22 22:00Z')
  expect(judge(nightly, { lastSuccessAt: Date.parse('2026-11-22T04:00:00Z') }).state).toBe(
    'violated',
  )
})

test('failures put a promise at risk before it is broken', () => {
  const found = judge({ rpo: '1d' }, { failures: 1, failureCode: 'POOL_FULL' })
  expect(found.state).toBe('at-risk')
  const away = { lastSuccessAt: NOW - 23.5 * HOUR_MS, hostState: 'offline' } as const
  expect(judge({ rpo: '1d' }, away).state).toBe('at-risk')
})

test('a new source has time for its first point, and is unprotected until then', () => {
  const young = { lastSuccessAt: null, createdAt: NOW - 10 * MINUTE_MS }
  const found = judge({ rpo: '15m' }, young)
  expect(found).toMatchObject({ state: 'unprotected', ageMs: null, rpoMs: 15 * MINUTE_MS })
  expect(words(found, 'en')).toBe(
    'no point yet, promise 15 min, the first is due by 2026-11-22 13:06Z',
  )
  expect(words(found, 'zh')).toContain('首个恢复点应在 2026-11-22 13:06Z 前完成')
  const failing = judge({ rpo: '15m' }, { ...young, failures: 2, failureCode: 'POOL_FULL' })
  expect(failing.state).toBe('unprotected')
  expect(words(failing, 'en')).toContain('last failure POOL_FULL')
  const old = judge({ rpo: '15m' }, { lastSuccessAt: null })
  expect(old).toMatchObject({ state: 'violated', ageMs: null })
  expect(words(old, 'en')).toBe('no point yet, promise 15 min')
})

test('what is paused, or under no policy, is said to be', () => {
  expect(judge({ rpo: '1h' }, { paused: true }).state).toBe('paused')
  expect(words(judge(null), 'zh')).toBe('没有适用的策略')
})

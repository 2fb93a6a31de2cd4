import { describe, expect, test } from 'vitest'
import { policySpec } from '@openmaas/api/policy'
import type { Policy } from '@openmaas/api/resources/policy'
import { policyCreate } from '@openmaas/api/resources/policy'
import { countCompliance } from './compliance-counts.ts'
import {
  isWeaker,
  NEW_POLICY,
  specProblems,
  toAmount,
  toDuration,
  toForm,
  toPolicyBody,
} from './policy-form.ts'
import { selectorTexts, toSelector } from './selector-text.ts'

const policy: Policy = {
  id: 'pol_1',
  name: 'gold',
  selector: { sla: 'gold', env: ['prod', 'stage'] },
  priority: 5,
  spec: policySpec.parse({ rpo: '15m', copies: [{ poolId: 'p', after: '1d' }], lockDays: 7 }),
  enabled: true,
  createdAt: '2026-11-22T12:00:00Z',
  version: 1,
}

describe('the form of a policy', () => {
  test('saves what was read, with what it does not show', () => {
    const { name, selector, priority, spec, enabled } = policy
    expect(toPolicyBody(toForm(policy))).toEqual({ name, selector, priority, spec, enabled })
  })

  test('begins with one that the server takes', () => {
    expect(policyCreate.safeParse({ ...toPolicyBody(NEW_POLICY), name: 'x' }).success).toBe(true)
  })

  test('says what is wrong by field', () => {
    const { retention } = policy.spec
    const none = { ...retention, last: 0, hourly: 0, daily: 0, weekly: 0, monthly: 0 }
    expect(
      [...specProblems({ ...policy.spec, retention: none, rpo: '2y' }).keys()].toSorted(),
    ).toEqual(['retention', 'rpo'])
    expect(specProblems(policy.spec).size).toBe(0)
  })

  test('knows when a reason is needed', () => {
    const form = toForm(policy)
    const keep = (more: object) => ({ ...form, spec: { ...form.spec, ...more } })
    expect(isWeaker(policy, form)).toBe(false)
    expect(isWeaker(policy, keep({ retention: { ...form.spec.retention, daily: 6 } }))).toBe(true)
    expect(isWeaker(policy, keep({ retention: { ...form.spec.retention, daily: 60 } }))).toBe(false)
    expect(isWeaker(policy, keep({ lockDays: 6 }))).toBe(true)
    expect(isWeaker(policy, { ...form, enabled: false })).toBe(true)
    expect(isWeaker(policy, keep({ rpo: '1d' }))).toBe(false)
  })
})

test.each([
  ['15m', { count: 15, unit: 'm' }],
  ['60m', { count: 1, unit: 'h' }],
  ['36h', { count: 36, unit: 'h' }],
  ['14d', { count: 2, unit: 'w' }],
  ['90s', { count: 2, unit: 'm' }],
] as const)('%s is an amount that a form can show', (duration, amount) => {
  expect(toAmount(duration)).toEqual(amount)
  expect(toAmount(toDuration(amount))).toEqual(amount)
})

describe('a selector', () => {
  test('comes back from its tags, with several values of a key', () => {
    expect(selectorTexts(policy.selector)).toEqual(['sla=gold', 'env=prod', 'env=stage'])
    expect(toSelector(selectorTexts(policy.selector))).toEqual(policy.selector)
  })

  test('without tags matches nothing rather than everything', () => {
    expect(toSelector([])).toBeNull()
    expect(toSelector(['nonsense'])).toBeNull()
  })
})

test('compliance is counted by policy, and sources without one are left out', () => {
  const item = (policyId: string | null, state: 'violated' | 'compliant') => ({
    sourceId: 's',
    state,
    policyId,
    rpoMs: null,
    ageMs: null,
    nextRunAt: null,
    reasons: [],
  })
  const counts = countCompliance([
    item('a', 'violated'),
    item('a', 'compliant'),
    item(null, 'violated'),
  ])
  expect([...counts]).toEqual([
    ['a', { violated: 1, 'at-risk': 0, unprotected: 0, paused: 0, compliant: 1 }],
  ])
})

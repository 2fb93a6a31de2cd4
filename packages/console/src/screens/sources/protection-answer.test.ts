import { describe, expect, test } from 'vitest'
import { answerProtection } from './protection-answer.ts'
import type { Compliance } from './use-source-rows.ts'

const source = { lastSuccessAt: null }
const point = (
  takenAt: string,
  verifiedAt: string | null = null,
  state = 'available' as const,
) => ({
  takenAt,
  verifiedAt,
  state,
})
const compliance = (more: Partial<Compliance>): Compliance => ({
  sourceId: 'src_1',
  state: 'compliant',
  policyId: 'pol_1',
  rpoMs: 900_000,
  ageMs: 60_000,
  nextRunAt: null,
  reasons: [],
  ...more,
})

describe('is this protected?', () => {
  test('yes, when the promise is kept, with the newest point that was verified', () => {
    const points = [
      point('2026-11-22T12:00:00Z'),
      point('2026-11-22T11:00:00Z', '2026-11-22T11:30:00Z'),
    ]
    expect(answerProtection(source, compliance({}), points)).toEqual({
      verdict: 'yes',
      newestAt: '2026-11-22T12:00:00Z',
      verification: 'older',
      verifiedAt: '2026-11-22T11:30:00Z',
      reasons: [],
    })
  })

  test('not yet, when the promise is kept only because the first point is not due', () => {
    const answer = answerProtection(source, compliance({}), [])
    expect(answer).toMatchObject({ verdict: 'risk', newestAt: null, verification: 'no-point' })
  })

  test('no, when it is broken, and the reasons say why without repeating the sentence', () => {
    const reasons = [
      { code: 'LAST_SUCCESS', params: {}, text: 'last success 9 h ago' },
      { code: 'HOST_OFFLINE', params: {}, text: 'the host is offline' },
    ]
    const answer = answerProtection(source, compliance({ state: 'violated', reasons }), [
      point('2026-11-22T03:00:00Z'),
    ])
    expect(answer).toMatchObject({ verdict: 'no', verification: 'never' })
    expect(answer.reasons).toEqual(['the host is offline'])
  })

  test('points without a policy are something, but no promise', () => {
    const unprotected = compliance({ state: 'unprotected', policyId: null })
    expect(answerProtection(source, unprotected, []).verdict).toBe('no')
    const points = [point('2026-11-22T03:00:00Z')]
    expect(answerProtection(source, unprotected, points).verdict).toBe('unpromised')
  })

  test('a point that is away or being deleted does not count', () => {
    const points = [{ ...point('2026-11-22T03:00:00Z'), state: 'missing' as const }]
    expect(answerProtection(source, compliance({}), points).newestAt).toBeNull()
  })
})

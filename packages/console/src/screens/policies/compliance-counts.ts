/** How the sources of each policy stand. */
import type { AnswerOf } from '@openmaas/api/routes/routes'

type Items = AnswerOf<'getCompliance'>['items']
export type State = Items[number]['state']

/** From the worst. */
export const STATES: readonly State[] = [
  'violated',
  'at-risk',
  'unprotected',
  'paused',
  'compliant',
]

export type Counts = Readonly<Record<State, number>>

export function countCompliance(items: Items): ReadonlyMap<string, Counts> {
  const counts = new Map<string, Record<State, number>>()
  for (const { policyId, state } of items) {
    if (policyId === null) continue
    const own = counts.get(policyId) ?? {
      violated: 0,
      'at-risk': 0,
      unprotected: 0,
      paused: 0,
      compliant: 0,
    }
    own[state] += 1
    counts.set(policyId, own)
  }
  return counts
}

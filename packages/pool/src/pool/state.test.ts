import { describe, expect, test } from 'vitest'
import { checkState } from './state-model.ts'

describe('the state of a pool', () => {
  test('is what the slow model says, for legal and illegal records', () => {
    let accepted = 0
    for (let seed = 1; seed <= 60; seed += 1) accepted += checkState(seed, 100)
    expect(accepted).toBeGreaterThan(1_000) // Not a run in which everything was refused.
  })
})

import { expect, test } from 'vitest'
import { checkState } from './state-model.ts'

/** 1 in "npm test", 100 and more in "npm run fuzz" (tools/fuzz.ts). */
const FACTOR = Number(process.env['OPENMAAS_FUZZ_FACTOR'] ?? 1)

test('the state is what the slow model says, for legal and illegal records', () => {
  let accepted = 0
  for (let seed = 1; seed <= 60 * FACTOR; seed += 1) accepted += checkState(seed, 100)
  expect(accepted).toBeGreaterThan(1_000) // Not a run in which everything was refused.
})

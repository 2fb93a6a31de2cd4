import { test } from 'vitest'
import { checkState } from './state-model.ts'

test('the state agrees with the slow model over 100,000 records', () => {
  for (let seed = 1; seed <= 1_000; seed += 1) checkState(seed, 100)
}, 600_000)

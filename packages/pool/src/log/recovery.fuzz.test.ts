import { test } from 'vitest'
import { checkRecovery } from './recovery-model.ts'

test('recovery keeps its rules on 100,000 random logs, crashes and damage', () => {
  for (let seed = 1; seed <= 100_000; seed += 1) checkRecovery(seed)
}, 600_000)

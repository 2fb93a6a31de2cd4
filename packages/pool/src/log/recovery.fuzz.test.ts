import { test } from 'vitest'
import { checkRecovery } from './recovery-model.ts'

/** 1 in "npm test", 100 and more in "npm run fuzz" (tools/fuzz.ts). */
const FACTOR = Number(process.env['OPENMAAS_FUZZ_FACTOR'] ?? 1)

test('recovery keeps its rules on random logs, crashes and damage', () => {
  for (let seed = 1; seed <= 1_500 * FACTOR; seed += 1) checkRecovery(seed)
})

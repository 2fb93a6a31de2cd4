import { expect, test } from 'vitest'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { checkIndex } from './shared-index-model.ts'

/** 1 in "npm test", 100 and more in "npm run fuzz" (tools/fuzz.ts). */
const FACTOR = Number(process.env['OPENMAAS_FUZZ_FACTOR'] ?? 1)

test('the index agrees with the map model through freezes, merges and restarts', async () => {
  let runs = 0
  for (let seed = 1; seed <= 25 * FACTOR; seed += 1) {
    runs += await checkIndex(seed, 80, new MemoryFs())
  }
  expect(runs).toBeGreaterThan(25) // Not a run in which nothing left memory.
})

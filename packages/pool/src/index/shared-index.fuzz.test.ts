import { test } from 'vitest'
import { checkIndex } from './shared-index-model.ts'

test('the index agrees with the map model over 100,000 steps', async () => {
  for (let seed = 1; seed <= 500; seed += 1) await checkIndex(seed, 200)
}, 1_200_000)

import { expect, test } from 'vitest'
import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { MemoryFs } from '@openmaas/testkit/memory-fs'
import { Pool } from './pool.ts'

test('a lock until a date ends with it in pool time, whose zero is the making of the pool', async () => {
  const parts = { fs: new MemoryFs(), clock: new FakeClock(), random: new SeededRandom(1) }
  await Pool.create({ bricks: ['/b'], redundancy: 'single', passphrase: 'x', ...parts })
  const pool = await Pool.open({ path: '/b', unlock: { passphrase: 'x' }, ...parts })
  const now = pool.status().poolTimeMs
  const day = 86_400_000
  expect(pool.lockTime(new Date(parts.clock.wallMs() + day)) - now).toBe(day)
  expect(pool.lockTime(new Date(parts.clock.wallMs() - day))).toBe(now) // The past locks nothing.
  await pool.close()
})

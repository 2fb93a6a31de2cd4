import { MaasError } from '@openmaas/kernel/errors'
import { SeededRandom } from '@openmaas/kernel/random'
import { describe, expect, test } from 'vitest'
import { DELAY_MAX_MS, DELAY_REFUSED_MS, nextDelayMs } from './reconnect.ts'

const gone = new MaasError('CHANNEL_UNREACHABLE', 'x')

describe('the wait before dialling again', () => {
  test('doubles up to 20 s, and differs from host to host', () => {
    for (let attempt = 1; attempt < 100; attempt += 1) {
      const top = Math.min(1000 * 2 ** (attempt - 1), DELAY_MAX_MS)
      const waits = [1, 2, 3, 4, 5].map((seed) =>
        nextDelayMs(attempt, gone, new SeededRandom(seed)),
      )
      for (const wait of waits) {
        expect(wait).toBeGreaterThanOrEqual(top / 2)
        expect(wait).toBeLessThanOrEqual(top)
      }
      expect(new Set(waits).size).toBeGreaterThan(1)
    }
  })

  test('is long for a host that is refused, but not for one whose clock will be set', () => {
    const wait = (code: 'HOST_REMOVED' | 'HOST_CLOCK_WRONG') =>
      nextDelayMs(1, new MaasError(code, 'x'), new SeededRandom(1))
    expect(wait('HOST_REMOVED')).toBeGreaterThanOrEqual(DELAY_REFUSED_MS / 2)
    expect(wait('HOST_CLOCK_WRONG')).toBeLessThanOrEqual(1000)
  })
})

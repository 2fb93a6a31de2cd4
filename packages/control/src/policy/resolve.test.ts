/** Who wins when several policies want the same source, and which limit holds when. */
import { expect, test } from 'vitest'
import { policySpec } from '@openmaas/api/policy'
import { bandwidthAt, stricterLimit } from './bandwidth.ts'
import { Policies } from './resolve.ts'
import type { Policy } from './resolve.ts'

const policy = (name: string, more: Partial<Policy> = {}): Policy => ({
  id: `plc_${name}`,
  name,
  selector: { env: 'prod' },
  priority: 0,
  enabled: true,
  version: 1,
  spec: policySpec.parse({ rpo: '1h' }),
  ...more,
})
const winner = (policies: readonly Policy[], policyId: string | null = null): string | undefined =>
  new Policies(policies).resolve({ policyId, labels: { env: 'prod' } })?.name

test('the highest priority wins, then the name', () => {
  expect(winner([policy('b'), policy('a')])).toBe('a')
  expect(winner([policy('b', { priority: 1 }), policy('a')])).toBe('b')
  expect(winner([policy('a', { selector: { env: 'test' } }), policy('b')])).toBe('b')
})

test('a source that names a policy has that one, or none while it is disabled', () => {
  const named = policy('n', { selector: null })
  expect(winner([named, policy('a', { priority: 9 })], 'plc_n')).toBe('n')
  expect(winner([{ ...named, enabled: false }, policy('a')], 'plc_n')).toBeUndefined()
  expect(winner([policy('a')], 'plc_gone')).toBeUndefined()
})

test('a policy without a selector selects nobody, one that is disabled neither', () => {
  expect(winner([policy('a', { selector: null }), policy('b', { enabled: false })])).toBeUndefined()
})

test('the bandwidth calendar says which limit holds now', () => {
  const work = { days: ['mon', 'tue', 'wed', 'thu', 'fri'] as const, from: '08:00', to: '18:00' }
  const spec = policySpec.parse({
    rpo: '1h',
    timezone: 'Asia/Shanghai',
    bandwidth: [
      { ...work, days: [...work.days], bytesPerSecond: 1_000_000 },
      { from: '00:00', to: '00:00', bytesPerSecond: 50_000_000 },
    ],
  })
  expect(bandwidthAt(spec, Date.parse('2026-11-23T02:00:00Z'))).toBe(1_000_000)
  expect(bandwidthAt(spec, Date.parse('2026-11-23T12:00:00Z'))).toBe(50_000_000)
  expect(bandwidthAt(policySpec.parse({ rpo: '1h' }), 0)).toBeNull()
  expect([stricterLimit(null, 5), stricterLimit(3, 5), stricterLimit(3, null)]).toEqual([5, 3, 3])
})

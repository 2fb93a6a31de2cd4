import { describe, expect, test } from 'vitest'
import { makePoolId } from '@openmaas/kernel/ids'
import { SeededRandom } from '@openmaas/kernel/random'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { CONTROL_PREFIXES, idPattern, makeControlId } from './ids.ts'
import type { ControlKind } from './ids.ts'

describe('ids of control', () => {
  test('have the form of the ids of the kernel, of the same time and randomness', () => {
    const clock = new FakeClock()
    const own = makeControlId('source', clock, new SeededRandom(1))
    const kernel = makePoolId(clock, new SeededRandom(1))
    expect(own.slice(4)).toBe(kernel.slice(4))
    expect(idPattern('pool').test(kernel)).toBe(true)
  })

  test('sort by time, and each kind knows its own', () => {
    const clock = new FakeClock()
    const random = new SeededRandom(2)
    const made = Array.from({ length: 50 }, () => {
      clock.advance(1)
      return makeControlId('job', clock, random)
    })
    expect(made.toSorted()).toEqual(made)
    for (const kind of Object.keys(CONTROL_PREFIXES) as ControlKind[]) {
      const id = makeControlId(kind, clock, random)
      expect(idPattern(kind).test(id), id).toBe(true)
      expect(idPattern(kind === 'job' ? 'user' : 'job').test(id), id).toBe(false)
    }
    expect(new Set(Object.values(CONTROL_PREFIXES)).size).toBe(
      Object.values(CONTROL_PREFIXES).length,
    )
  })
})

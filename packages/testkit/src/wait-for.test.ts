import { expect, test } from 'vitest'
import { FakeClock } from './fake-clock.ts'
import { missing } from './requires.ts'
import { waitFor } from './wait-for.ts'

test('waits until the condition holds and gives its value', async () => {
  let asked = 0
  expect(await waitFor('the third asking', () => ((asked += 1) >= 3 ? 'ok' : undefined))).toBe('ok')
  expect(asked).toBe(3)
})

test('says what it waited for, and the last error of the condition', async () => {
  const cause = new Error('not yet')
  const waiting = waitFor('it works', () => Promise.reject(cause), { timeoutMs: 5 })
  await expect(waiting).rejects.toMatchObject({ message: 'waited 0.005 s until it works', cause })
})

test('names what a machine lacks', () => {
  const needs = { programs: ['sh', 'no-such-program'], paths: ['/', '/no/such/path'] }
  expect(missing(needs)).toEqual(['/no/such/path', 'no-such-program'])
})

test('a fake clock moves by hand: time passes on both clocks, a jump only on the wall', () => {
  const clock = new FakeClock(1000)
  clock.advance(5)
  clock.jump(90)
  expect([clock.wallMs(), clock.monotonicMs()]).toEqual([90, 5])
})

import { describe, expect, test } from 'vitest'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { JUMP_MS, PoolTime } from './pool-time.ts'

const HOUR = 3_600_000
const start = (clock: FakeClock) => ({
  poolTimeMs: 1000,
  wallMs: clock.wallMs(),
  frozen: false,
  locked: false,
})

describe('pool time', () => {
  test('passes as both clocks pass', () => {
    const clock = new FakeClock()
    const time = new PoolTime(clock, start(clock))
    clock.advance(5 * HOUR)
    expect(time.now()).toBe(1000 + 5 * HOUR)
  })

  test('does not follow a wall clock that is set forward', () => {
    const clock = new FakeClock()
    const time = new PoolTime(clock, start(clock))
    clock.jump(clock.wallMs() + 20 * HOUR)
    expect(time.now()).toBe(1000)
    expect(time.frozen).toBe(false)
  })

  test.each([
    ['forward', JUMP_MS + HOUR],
    ['backwards', -HOUR],
  ])('freezes when the wall clock jumps %s', (_, step) => {
    const clock = new FakeClock()
    const time = new PoolTime(clock, start(clock))
    clock.jump(clock.wallMs() + step)
    expect(time.frozen).toBe(true)
    clock.advance(HOUR)
    expect(time.now()).toBe(1000)
    expect(() => time.requireRunning()).toThrowError(
      expect.objectContaining({ code: 'POOL_TIME_FROZEN' }),
    )
    time.unfreeze()
    clock.advance(HOUR)
    expect(time.now()).toBe(1000 + HOUR)
  })

  test('counts at most 26 hours without an owner, and none of them under a lock', () => {
    const clock = new FakeClock()
    const before = start(clock)
    clock.jump(clock.wallMs() + 7 * 24 * HOUR)
    expect(new PoolTime(clock, before).now()).toBe(1000 + JUMP_MS)
    expect(new PoolTime(clock, { ...before, locked: true }).now()).toBe(1000)
    expect(new PoolTime(clock, { ...before, wallMs: clock.wallMs() + HOUR }).frozen).toBe(true)
  })
})

import { FakeClock } from '@openmaas/testkit/fake-clock'
import { describe, expect, test } from 'vitest'
import { ProgressMeter } from './progress.ts'

describe('progress', () => {
  test('of a steady work shows its rate at once, and the time that remains', () => {
    const clock = new FakeClock()
    const meter = new ProgressMeter(clock)
    for (let second = 1; second <= 20; second += 1) {
      clock.advance(1000)
      const reading = meter.read(second * 100, 4000)
      expect(reading.ratePerSecond).toBeCloseTo(100, 6)
      expect(reading.remainingMs).toBeCloseTo((4000 - second * 100) * 10, 3)
      expect(reading.fraction).toBe(second / 40)
    }
  })

  test('does not depend on how often it is read', () => {
    const rate = (pauseMs: number) => {
      const clock = new FakeClock()
      const meter = new ProgressMeter(clock)
      let ratePerSecond = 0
      for (let ms = pauseMs; ms <= 12_000; ms += pauseMs) {
        clock.advance(pauseMs)
        // 1 unit a millisecond for 6 s, then 3.
        const done = ms <= 6000 ? ms : 6000 + (ms - 6000) * 3
        ratePerSecond = meter.read(done).ratePerSecond
      }
      return ratePerSecond
    }
    expect(rate(3000)).toBeCloseTo(rate(100), 6)
  })

  test('follows a change by half in five seconds', () => {
    const clock = new FakeClock()
    const meter = new ProgressMeter(clock)
    clock.advance(1_000_000)
    meter.read(1_000_000)
    clock.advance(5000)
    expect(meter.read(1_000_000 + 15_000).ratePerSecond).toBeCloseTo(2000, 0)
  })

  test('promises no time without a total or a rate', () => {
    const clock = new FakeClock()
    const meter = new ProgressMeter(clock)
    expect(meter.read(0, 100)).toMatchObject({ ratePerSecond: 0, remainingMs: undefined })
    clock.advance(1000)
    expect(meter.read(10)).toMatchObject({ fraction: undefined, remainingMs: undefined })
    expect(meter.read(10, 10 ** 9).remainingMs).toBeUndefined()
    expect(meter.read(10, 10)).toMatchObject({ fraction: 1, remainingMs: 0 })
    expect(meter.read(10, 0)).toMatchObject({ fraction: 1, remainingMs: 0 })
  })

  test('says when nothing has moved for half a minute', () => {
    const clock = new FakeClock()
    const meter = new ProgressMeter(clock)
    clock.advance(1000)
    meter.read(5)
    clock.advance(29_999)
    expect(meter.read(5).stalledMs).toBeUndefined()
    clock.advance(1)
    expect(meter.read(5).stalledMs).toBe(30_000)
    expect(meter.read(6).stalledMs).toBeUndefined()
  })

  test('takes a count that sinks for a bug', () => {
    const clock = new FakeClock()
    const meter = new ProgressMeter(clock)
    clock.advance(1)
    meter.read(5)
    expect(() => meter.read(4)).toThrow('what is done does not become undone')
  })
})

import { MaasError } from '@openmaas/kernel/errors'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { waitFor } from '@openmaas/testkit/wait-for'
import { describe, expect, test } from 'vitest'
import { FRAME_SIZE_MAX, hostFrame, parseFrame } from './frames.ts'
import type { HostFrame } from './frames.ts'
import { LIGHT_AT_ONCE, OrderRunner } from './order-runner.ts'
import type { OrderHandlers } from './orders.ts'

function run(handlers: OrderHandlers) {
  const frames: HostFrame[] = []
  const clock = new FakeClock()
  const emit = (frame: string) => void frames.push(parseFrame(hostFrame, frame, FRAME_SIZE_MAX))
  return { frames, clock, runner: new OrderRunner({ handlers, clock, emit }) }
}
const order = (key: string, path = '/') => ({ key, verb: 'host.list', params: { path } })
const empty = { entries: [], more: false }

describe('a runner of orders', () => {
  test('does a key once, however often it is asked for', async () => {
    let calls = 0
    const { frames, runner } = run({
      'host.list': () => {
        calls += 1
        return Promise.resolve(empty)
      },
    })
    runner.take(order('k'))
    runner.take(order('k'))
    await waitFor('it is done', () => frames.length > 0)
    runner.take(order('k'))
    expect(frames).toEqual([
      { type: 'result', key: 'k', result: empty },
      { type: 'result', key: 'k', result: empty },
    ])
    expect(calls).toBe(1)
  })

  test('does again what sees to it that something is there, whatever it answered', async () => {
    let calls = 0
    const { frames, runner } = run({
      'medium.attach': () => {
        calls += 1
        return Promise.resolve({ device: `/dev/loop${calls}`, mountPath: null })
      },
    })
    const params = { mediumId: 'mdm_1', readOnly: false, mountPath: null, nbd: null }
    for (const count of [1, 2]) {
      runner.take({ key: 'k', verb: 'medium.attach', params })
      await waitFor('it is done', () => frames.length === count)
    }
    const devices = frames.map((frame) => frame.type === 'result' && frame.result)
    expect(devices).toMatchObject([{ device: '/dev/loop1' }, { device: '/dev/loop2' }])
  })

  test('answers what it does not know, what is malformed and what fails', async () => {
    const { frames, runner } = run({
      'host.list': () => Promise.reject(new MaasError('FS_DENIED', 'no', { path: '/x' })),
    })
    runner.take({ key: '1', verb: 'host.exec', params: {} })
    runner.take({ key: '2', verb: 'constructor', params: {} })
    runner.take({ key: '3', verb: 'pool.list', params: {} })
    runner.take({ key: '4', verb: 'host.list', params: { path: 7 } })
    runner.take(order('5'))
    await waitFor('all are answered', () => frames.length === 5)
    const codes = frames.map((frame) => frame.type === 'failure' && frame.error.code)
    const unknown = 'ORDER_UNKNOWN'
    expect(codes).toEqual([unknown, unknown, unknown, 'ORDER_INVALID', 'FS_DENIED'])
  })

  test('does so many at once and keeps the rest waiting, in order', async () => {
    const begun: string[] = []
    const ends: (() => void)[] = []
    const { frames, runner } = run({
      'host.list': ({ path }) => {
        begun.push(path)
        return new Promise((resolve) => ends.push(() => resolve(empty)))
      },
    })
    for (let n = 0; n < LIGHT_AT_ONCE + 2; n += 1) runner.take(order(`k${n}`, `/${n}`))
    expect(begun).toHaveLength(LIGHT_AT_ONCE)
    runner.cancel(`k${LIGHT_AT_ONCE}`)
    expect(frames).toMatchObject([{ type: 'failure', error: { code: 'CANCELLED' } }])
    ends[0]!()
    await waitFor('the last begins', () => begun.length === LIGHT_AT_ONCE + 1)
    expect(begun.at(-1)).toBe(`/${LIGHT_AT_ONCE + 1}`)
  })

  test('stops what is cancelled, and says so', async () => {
    const { frames, runner } = run({
      'host.list': (_params, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        }),
    })
    runner.take(order('a'))
    runner.take(order('b'))
    runner.cancel('a')
    await waitFor('it stopped', () => frames.length === 1)
    await runner.stop()
    expect(frames).toMatchObject([
      { key: 'a', error: { code: 'CANCELLED' } },
      { key: 'b', error: { code: 'CANCELLED' } },
    ])
    expect(runner.runningCount).toBe(0)
  })

  test('tells progress twice a second at most', async () => {
    let tell: () => void = () => {}
    let end: () => void = () => {}
    const { frames, runner, clock } = run({
      'host.list': (_params, { progress }) => {
        tell = () => progress({ phase: 'x', bytesDone: 0, bytesTotal: null, itemsDone: 0 })
        return new Promise((resolve) => (end = () => resolve(empty)))
      },
    })
    runner.take(order('k'))
    for (let tenth = 0; tenth < 10; tenth += 1) {
      tell()
      clock.advance(100)
    }
    end()
    await waitFor('the end', () => frames.at(-1)?.type === 'result')
    tell()
    expect(frames.map(({ type }) => type)).toEqual(['progress', 'progress', 'result'])
  })

  test('fails an order whose answer is too long for a frame', async () => {
    const name = 'x'.repeat(5000)
    const entry = { name, kind: 'file', size: 0, mtimeMs: 0, mode: 0, owner: '' } as const
    const { frames, runner } = run({
      'host.list': () => Promise.resolve({ entries: Array(1000).fill(entry), more: false }),
    })
    runner.take(order('k'))
    await waitFor('the end', () => frames.length > 0)
    expect(frames).toMatchObject([{ type: 'failure', error: { code: 'CHANNEL_FRAME_TOO_LARGE' } }])
  })
})

import type { MaasError } from '@openmaas/kernel/errors'
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { describe, expect, test } from 'vitest'
import { CANCEL_WAIT_MAX_MS, GivenOrders, RECONNECT_WAIT_MAX_MS } from './given-orders.ts'
import type { GivenOrder } from './given-orders.ts'
import { ANSWER_KEPT_MS, ANSWERS_SIZE_MAX, TakenOrders } from './taken-orders.ts'

const order: GivenOrder = {
  key: 'j:1',
  verb: 'host.list',
  params: { path: '/' },
  timeoutMs: 60_000,
}
const frame = { type: 'order', ...order }
const result = { entries: [], more: false }

function waiter() {
  const ends: unknown[] = []
  return {
    ends,
    onProgress: (progress: unknown) => void ends.push(progress),
    resolve: (value: unknown) => void ends.push(value),
    reject: (error: MaasError) => void ends.push(error.code),
  }
}

describe('the book of orders given', () => {
  test('sends an order again after each reconnect, with its key', () => {
    const book = new GivenOrders(new FakeClock())
    const someone = waiter()
    expect(book.give(order, someone)).toEqual(frame)
    expect(book.connected()).toEqual([frame])
    book.disconnected()
    expect(book.connected()).toEqual([frame])
    book.receive({ type: 'result', key: 'j:1', result })
    expect(someone.ends).toEqual([result])
    expect(book.connected()).toEqual([])
  })

  test('lets two wait for one key, and tells both', () => {
    const book = new GivenOrders(new FakeClock())
    const [one, two] = [waiter(), waiter()]
    book.give(order, one)
    expect(book.give(order, two)).toBeUndefined()
    book.connected()
    expect(book.cancel('j:1', one)).toBeUndefined()
    expect(one.ends).toEqual(['CANCELLED'])
    const progress = { phase: 'x', bytesDone: 1, bytesTotal: null, itemsDone: 2 }
    book.receive({ type: 'progress', key: 'j:1', progress })
    expect(two.ends).toEqual([progress])
    book.receive({ type: 'result', key: 'j:1', result })
    expect(two.ends).toEqual([progress, result])
    expect(one.ends).toEqual(['CANCELLED'])
  })

  test('waits for the host to stop what is cancelled, but 5 s at most', () => {
    const clock = new FakeClock()
    const book = new GivenOrders(clock)
    const someone = waiter()
    book.give(order, someone)
    book.connected()
    expect(book.cancel('j:1', someone)).toEqual({ type: 'cancel', key: 'j:1' })
    clock.advance(CANCEL_WAIT_MAX_MS - 1)
    book.tick()
    expect(someone.ends).toEqual([])
    clock.advance(1)
    expect(book.tick()).toEqual([])
    expect(someone.ends).toEqual(['CANCELLED'])
    expect(book.size).toBe(0)
  })

  test('cancels at a host that was away when it comes back, unless it is wanted again', () => {
    const book = new GivenOrders(new FakeClock())
    const someone = waiter()
    for (const key of ['a', 'b']) {
      book.give({ ...order, key }, someone)
      expect(book.cancel(key, someone)).toBeUndefined()
    }
    expect(someone.ends).toEqual(['CANCELLED', 'CANCELLED'])
    book.give({ ...order, key: 'b' }, someone)
    expect(book.connected()).toEqual([
      { type: 'cancel', key: 'a' },
      { ...frame, key: 'b' },
    ])
  })

  test('refuses a key that is under way as something else', () => {
    const book = new GivenOrders(new FakeClock())
    book.give(order, waiter())
    expect(() => book.give({ ...order, verb: 'host.discover' }, waiter())).toThrowError(
      expect.objectContaining({ code: 'ORDER_INVALID' }),
    )
  })

  test('does not believe an answer that is not in its form', () => {
    const book = new GivenOrders(new FakeClock())
    const someone = waiter()
    book.give(order, someone)
    book.receive({ type: 'result', key: 'j:1', result: { entries: 'all' } })
    expect(someone.ends).toEqual(['ORDER_INVALID'])
  })

  test('ends an order whose time is over, and tells the host', () => {
    const clock = new FakeClock()
    const book = new GivenOrders(clock)
    const someone = waiter()
    book.give(order, someone)
    book.connected()
    clock.advance(60_000)
    expect(book.tick()).toEqual([{ type: 'cancel', key: 'j:1' }])
    expect(someone.ends).toEqual(['ORDER_TIMEOUT'])
  })

  test('waits two minutes for a lost host', () => {
    const clock = new FakeClock()
    const book = new GivenOrders(clock)
    const someone = waiter()
    book.give({ ...order, timeoutMs: 1e9 }, someone)
    book.connected()
    clock.advance(1e6)
    book.disconnected()
    clock.advance(RECONNECT_WAIT_MAX_MS - 1)
    book.disconnected()
    book.tick()
    expect(someone.ends).toEqual([])
    clock.advance(1)
    book.tick()
    expect(someone.ends).toEqual(['HOST_OFFLINE'])
  })

  test('does not take an order that fits no frame', () => {
    const book = new GivenOrders(new FakeClock())
    const params = { path: 'x'.repeat(5 << 20) }
    expect(() => book.give({ ...order, params }, waiter())).toThrowError(
      expect.objectContaining({ code: 'CHANNEL_FRAME_TOO_LARGE' }),
    )
    expect(book.connected()).toEqual([])
  })

  test('holds 256 orders', () => {
    const book = new GivenOrders(new FakeClock())
    for (let n = 0; n < 256; n += 1) book.give({ ...order, key: `j:${n}` }, waiter())
    expect(() => book.give({ ...order, key: 'more' }, waiter())).toThrowError(
      expect.objectContaining({ code: 'ORDERS_TOO_MANY' }),
    )
  })
})

describe('the book of orders taken', () => {
  test('begins a key once, and answers it for ten minutes', () => {
    const clock = new FakeClock()
    const book = new TakenOrders(clock)
    expect(book.take('k', 'host.list')).toEqual({ kind: 'begin' })
    expect(book.take('k', 'host.list')).toEqual({ kind: 'join' })
    book.finish('k', 'the answer', true)
    clock.advance(ANSWER_KEPT_MS - 1)
    expect(book.take('k', 'host.list')).toEqual({ kind: 'answer', frame: 'the answer' })
    clock.advance(1)
    expect(book.take('k', 'host.list')).toEqual({ kind: 'begin' })
  })

  test('begins a failed key again', () => {
    const book = new TakenOrders(new FakeClock())
    book.take('k', 'host.list')
    book.finish('k', 'a failure', false)
    expect(book.take('k', 'host.list')).toEqual({ kind: 'begin' })
  })

  test('forgets the oldest answers when they grow too many bytes', () => {
    const book = new TakenOrders(new FakeClock())
    const big = 'x'.repeat(ANSWERS_SIZE_MAX / 2)
    for (const key of ['a', 'b', 'c']) {
      book.take(key, 'host.list')
      book.finish(key, big, true)
    }
    expect(book.take('b', 'host.list').kind).toBe('answer')
    expect(book.take('a', 'host.list').kind).toBe('begin')
  })

  test('refuses a key of another verb, and the 257th order', () => {
    const book = new TakenOrders(new FakeClock())
    for (let n = 0; n < 256; n += 1) book.take(`k${n}`, 'host.list')
    const code = (key: string, verb: string) => {
      try {
        return book.take(key, verb).kind
      } catch (error) {
        return (error as MaasError).code
      }
    }
    expect(code('k1', 'host.discover')).toBe('ORDER_INVALID')
    expect(code('more', 'host.list')).toBe('ORDERS_TOO_MANY')
    expect(code('k1', 'host.list')).toBe('join')
  })
})

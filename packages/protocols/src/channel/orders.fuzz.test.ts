/**
 * Goal: whatever happens to a connection, to a host or to who waits, each order ends exactly
 * once; and as long as no process dies, its work is done once. Method: both books and the runner
 * joined by a line that breaks and loses what is on it, under a seeded schedule.
 */
import { FakeClock } from '@openmaas/testkit/fake-clock'
import { SeededRandom } from '@openmaas/kernel/random'
import { describe, expect, test } from 'vitest'
import { FRAME_SIZE_MAX, hostFrame, parseFrame } from './frames.ts'
import type { ControlFrame, HostFrame } from './frames.ts'
import { GivenOrders } from './given-orders.ts'
import type { Waiter } from './given-orders.ts'
import { OrderRunner } from './order-runner.ts'

const SEEDS = 300 * Number(process.env['OPENMAAS_FUZZ_FACTOR'] ?? 1)
const STEPS = 120
const empty = { entries: [], more: false }

interface Ended {
  readonly key: string
  readonly ends: string[]
}

class Line {
  readonly random: SeededRandom
  readonly clock = new FakeClock()
  readonly book = new GivenOrders(this.clock)
  readonly orders: Ended[] = []
  readonly waiters = new Map<string, Waiter>()
  /** How often the work of a key was begun, and how often it came to its end. */
  readonly begun = new Map<string, number>()
  readonly done = new Map<string, number>()
  kills = 0
  #up = false
  #down: ControlFrame[] = []
  #upward: HostFrame[] = []
  #open: (() => void)[] = []
  #runner = this.#makeRunner()

  constructor(seed: number) {
    this.random = new SeededRandom(seed)
  }

  #makeRunner(): OrderRunner {
    const life = this.kills
    const emit = (text: string): void => {
      if (this.#up && life === this.kills) {
        this.#upward.push(parseFrame(hostFrame, text, FRAME_SIZE_MAX))
      }
    }
    return new OrderRunner({
      clock: this.clock,
      emit,
      handlers: {
        'host.list': ({ path }, { signal }) => {
          this.begun.set(path, (this.begun.get(path) ?? 0) + 1)
          return new Promise((resolve, reject) => {
            signal.addEventListener('abort', () => reject(signal.reason as Error))
            this.#open.push(() => {
              this.done.set(path, (this.done.get(path) ?? 0) + 1)
              resolve(empty)
            })
          })
        },
      },
    })
  }

  give(): void {
    const key = `k${this.orders.length}`
    const row: Ended = { key, ends: [] }
    this.orders.push(row)
    const waiter: Waiter = {
      resolve: () => void row.ends.push('result'),
      reject: ({ code }) => void row.ends.push(code),
    }
    this.waiters.set(key, waiter)
    const order = {
      key,
      verb: 'host.list',
      params: { path: key, limit: 1 },
      timeoutMs: 1e9,
    } as const
    const frame = this.book.give(order, waiter)
    if (frame !== undefined && this.#up) this.#down.push(frame)
  }

  cancelOne(): void {
    const { key } = this.orders[this.random.below(this.orders.length)]!
    const frame = this.book.cancel(key, this.waiters.get(key)!)
    if (frame !== undefined && this.#up) this.#down.push(frame)
  }

  connect(): void {
    if (this.#up) return
    this.#up = true
    this.#down.push(...this.book.connected())
  }

  /** What is on the line is lost. */
  break(): void {
    this.#up = false
    this.#down = []
    this.#upward = []
    this.book.disconnected()
  }

  killHost(): void {
    this.break()
    this.kills += 1
    this.#open = []
    this.#runner = this.#makeRunner()
  }

  deliver(): void {
    const down = this.#down.shift()
    if (down?.type === 'order') this.#runner.take(down)
    if (down?.type === 'cancel') this.#runner.cancel(down.key)
    const up = this.#upward.shift()
    if (up?.type === 'result' || up?.type === 'failure') this.book.receive(up)
  }

  finishOne(): void {
    const at = this.random.below(Math.max(1, this.#open.length))
    this.#open.splice(at, 1)[0]?.()
  }

  get isIdle(): boolean {
    return this.#down.length + this.#upward.length + this.#open.length === 0
  }
}

/** @param kills whether the host may die, too */
async function play(seed: number, kills: boolean): Promise<Line> {
  const line = new Line(seed)
  line.give()
  const weights: [number, () => void][] = [
    [20, () => line.give()],
    [6, () => line.cancelOne()],
    [10, () => line.connect()],
    [6, () => line.break()],
    [kills ? 3 : 0, () => line.killHost()],
    [35, () => line.deliver()],
    [20, () => line.finishOne()],
  ]
  const total = weights.reduce((sum, [weight]) => sum + weight, 0)
  for (let step = 0; step < STEPS; step += 1) {
    let draw = line.random.below(total)
    const chosen = weights.find(([weight]) => (draw -= weight) < 0)
    chosen?.[1]()
    await Promise.resolve()
  }
  line.connect()
  for (let quiet = 0; quiet < 20;) {
    line.deliver()
    line.finishOne()
    // A handler's end takes a few turns until it is a frame.
    await new Promise((resolve) => setImmediate(resolve))
    quiet = line.isIdle ? quiet + 1 : 0
  }
  line.clock.advance(5_000)
  line.book.tick()
  return line
}

describe('orders over a line that breaks', () => {
  test.each([
    ['while no process dies, are done once', false],
    ['end once, also when hosts die', true],
  ])('%s', async (_title, kills) => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const line = await play(seed, kills)
      for (const { key, ends } of line.orders) {
        const where = `seed ${seed} ${key}`
        expect(ends, where).toHaveLength(1)
        expect(['result', 'CANCELLED'], where).toContain(ends[0])
        if (ends[0] === 'result') expect(line.done.get(key), where).toBeGreaterThan(0)
        if (!kills) expect(line.done.get(key) ?? 0, where).toBeLessThanOrEqual(1)
      }
      expect(line.book.size, `seed ${seed}`).toBe(0)
    }
  })
})

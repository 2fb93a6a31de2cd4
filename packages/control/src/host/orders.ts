/**
 * One giver of orders for all of control. A host is reached over its channel, or in this very
 * process when `serve` embeds it: same vocabulary, same checks, same keys.
 */
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import {
  FRAME_SIZE_MAX,
  hostFrame,
  LOST_AFTER_MS,
  parseFrame,
} from '@openmaas/protocols/channel/frames'
import type { ControlFrame, HostFrame } from '@openmaas/protocols/channel/frames'
import { GivenOrders } from '@openmaas/protocols/channel/given-orders'
import type { Waiter } from '@openmaas/protocols/channel/given-orders'
import { OrderRunner } from '@openmaas/protocols/channel/order-runner'
import { ORDERS } from '@openmaas/protocols/channel/orders'
import type {
  OrderGiver,
  OrderHandlers,
  Params,
  Result,
  Verb,
} from '@openmaas/protocols/channel/orders'

type Answer = Extract<HostFrame, { type: 'progress' | 'result' | 'failure' }>
type OrderOptions = Parameters<OrderGiver['order']>[3]
export type SendFrame = (frame: ControlFrame) => void

interface Line {
  readonly book: GivenOrders
  /** Undefined while the host is not connected. */
  send: SendFrame | undefined
  /** Monotonic; a host that was just lost still gets orders, which wait for it. */
  lostMs: number
  /** Of an embedded host: what does the orders. */
  readonly runner?: OrderRunner
}

export class Orders implements OrderGiver, AsyncDisposable {
  readonly #clock: Clock
  readonly #lines = new Map<string, Line>()
  readonly #timer: NodeJS.Timeout

  constructor(options: { readonly clock: Clock }) {
    this.#clock = options.clock
    this.#timer = setInterval(() => this.tick(), 1000)
    this.#timer.unref()
  }

  /** Orders to that host are done here, by these. */
  embed(
    hostId: string,
    handlers: OrderHandlers,
    options: { readonly heavyAtOnce?: number } = {},
  ): void {
    const book = new GivenOrders(this.#clock)
    const emit = (text: string): void => {
      const frame = parseFrame(hostFrame, text, FRAME_SIZE_MAX)
      // Later: whoever gives an order must hold its promise before it can be settled.
      queueMicrotask(() => book.receive(frame as Answer))
    }
    const runner = new OrderRunner({ handlers, clock: this.#clock, emit, ...options })
    const send: SendFrame = (frame) => {
      if (frame.type === 'order') runner.take(frame)
      else if (frame.type === 'cancel') runner.cancel(frame.key)
    }
    book.connected()
    this.#lines.set(hostId, { book, send, lostMs: 0, runner })
  }

  /** A host that was there before the server started: orders wait for it, as after a break. */
  expect(hostId: string): void {
    if (!this.#lines.has(hostId)) this.#makeLine(hostId)
  }

  /** The host said hello: what is in flight goes out again. */
  connect(hostId: string, send: SendFrame): void {
    const line = this.#lines.get(hostId) ?? this.#makeLine(hostId)
    line.send = send
    for (const frame of line.book.connected()) send(frame)
  }

  /** @param send the connection that ended: a newer one may have taken its place */
  disconnect(hostId: string, send: SendFrame): void {
    const line = this.#lines.get(hostId)
    if (line?.send !== send) return
    line.send = undefined
    line.lostMs = this.#clock.monotonicMs()
    line.book.disconnected()
  }

  receive(hostId: string, answer: Answer): void {
    this.#lines.get(hostId)?.book.receive(answer)
  }

  /** A host that is cut off: nothing of it is waited for. */
  forget(hostId: string, reason: MaasError): void {
    const line = this.#lines.get(hostId)
    if (line === undefined || line.runner !== undefined) return
    this.#lines.delete(hostId)
    line.book.rejectAll(reason)
  }

  isConnected(hostId: string): boolean {
    return this.#lines.get(hostId)?.send !== undefined
  }

  async order<V extends Verb>(
    hostId: string,
    verb: V,
    params: Params<V>,
    options: OrderOptions,
  ): Promise<Result<V>> {
    options.signal?.throwIfAborted()
    const checked = ORDERS[verb].params.safeParse(params)
    if (!checked.success) {
      const [issue] = checked.error.issues
      const where = issue?.path.join('.') ?? ''
      throw new MaasError('ORDER_INVALID', `${verb}: ${where}: ${issue?.message}`, { verb, where })
    }
    const line = this.#lines.get(hostId)
    if (line === undefined || !this.#isReachable(line)) {
      throw new MaasError('HOST_OFFLINE', `${hostId} is not connected`, { hostId, verb })
    }
    const { key, timeoutMs } = options
    const order = { key, verb, params: checked.data as unknown, timeoutMs }
    // The book checks the result with the schema of the verb.
    return (await this.#wait(line, order, options)) as Result<V>
  }

  #wait(
    line: Line,
    order: { readonly key: string; verb: Verb; params: unknown; timeoutMs: number },
    { signal, onProgress }: OrderOptions,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        const cancel = line.book.cancel(order.key, waiter)
        if (cancel !== undefined) line.send?.(cancel)
      }
      const end = (): void => signal?.removeEventListener('abort', leave)
      const waiter: Waiter = {
        onProgress,
        resolve: (result) => {
          end()
          resolve(result)
        },
        reject: (error) => {
          end()
          reject(error)
        },
      }
      const frame = line.book.give(order, waiter)
      signal?.addEventListener('abort', leave, { once: true })
      if (frame !== undefined) line.send?.(frame)
    })
  }

  /** Connected, or lost for so short a time that it may only be reconnecting. */
  #isReachable(line: Line): boolean {
    return line.send !== undefined || this.#clock.monotonicMs() - line.lostMs < LOST_AFTER_MS
  }

  #makeLine(hostId: string): Line {
    const lostMs = this.#clock.monotonicMs()
    const line: Line = { book: new GivenOrders(this.#clock), send: undefined, lostMs }
    this.#lines.set(hostId, line)
    return line
  }

  /** Once a second, by itself; a test with a clock of its own calls it. */
  tick(): void {
    for (const [hostId, line] of this.#lines) {
      for (const frame of line.book.tick()) line.send?.(frame)
      const idle = line.book.size === 0 && line.send === undefined
      if (idle && this.#clock.monotonicMs() - line.lostMs >= LOST_AFTER_MS) {
        this.#lines.delete(hostId)
      }
    }
  }

  /** Embedded work is stopped and waited for; hosts go on with theirs, and keep the answers. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    const stopping = new MaasError('HOST_OFFLINE', 'the server is stopping')
    for (const line of this.#lines.values()) {
      line.book.rejectAll(stopping)
      await line.runner?.stop()
    }
    this.#lines.clear()
  }
}

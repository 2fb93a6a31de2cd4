/**
 * The orders control has given to one host and not yet heard the end of. The book outlives
 * connections: after each welcome everything in it is sent again with its old key, and the host
 * joins it to what it is doing. No I/O: the owner sends the frames and settles the promises.
 *
 *   give ──▶ in flight ──result, failure──▶ settled
 *               └──timeout, cancel, host gone──▶ settled, and `cancel` sent when connected
 */
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import { fromWireError, ORDERS_IN_FLIGHT_MAX } from './frames.ts'
import type { ControlFrame, HostFrame } from './frames.ts'
import { ORDERS } from './orders.ts'
import type { OrderProgress, Verb } from './orders.ts'

/** How long an order waits for a host that was lost: a restart of either end fits in. */
export const RECONNECT_WAIT_MAX_MS = 120_000

export interface GivenOrder {
  readonly key: string
  readonly verb: Verb
  readonly params: unknown
  readonly timeoutMs: number
}

/** Who waits for an order; called once with an end, after any number of progresses. */
export interface Waiter {
  readonly onProgress?: ((progress: OrderProgress) => void) | undefined
  readonly resolve: (result: unknown) => void
  readonly reject: (error: MaasError) => void
}

interface Row {
  readonly order: GivenOrder
  readonly waiters: Set<Waiter>
  readonly deadlineMs: number
}

type Answer = Extract<HostFrame, { type: 'progress' | 'result' | 'failure' }>

export class GivenOrders {
  readonly #clock: Clock
  readonly #rows = new Map<string, Row>()
  /** Monotonic time since which the host is not connected; undefined while it is. */
  #lostMs: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#lostMs = clock.monotonicMs()
  }

  get size(): number {
    return this.#rows.size
  }

  /**
   * Two givers of one key wait for the same work.
   *
   * @returns the frame to send when the host is connected; none when it is under way already
   * @throws MaasError ORDERS_TOO_MANY, ORDER_INVALID
   */
  give(order: GivenOrder, waiter: Waiter): ControlFrame | undefined {
    const known = this.#rows.get(order.key)
    if (known !== undefined) {
      if (known.order.verb !== order.verb) {
        const message = `the key ${order.key} is under way as ${known.order.verb}`
        throw new MaasError('ORDER_INVALID', message, { key: order.key, verb: order.verb })
      }
      known.waiters.add(waiter)
      return undefined
    }
    if (this.#rows.size >= ORDERS_IN_FLIGHT_MAX) {
      const count = this.#rows.size
      throw new MaasError('ORDERS_TOO_MANY', `${count} orders are in flight`, { count })
    }
    const deadlineMs = this.#clock.monotonicMs() + order.timeoutMs
    this.#rows.set(order.key, { order, waiters: new Set([waiter]), deadlineMs })
    return toFrame(order)
  }

  /** Somebody waits no longer. The last one to leave cancels the work. */
  leave(key: string, waiter: Waiter): ControlFrame | undefined {
    const row = this.#rows.get(key)
    if (row === undefined || !row.waiters.delete(waiter) || row.waiters.size > 0) return undefined
    this.#rows.delete(key)
    return { type: 'cancel', key }
  }

  /** The host is there: everything in flight goes out again. */
  connected(): ControlFrame[] {
    this.#lostMs = undefined
    return [...this.#rows.values()].map(({ order }) => toFrame(order))
  }

  disconnected(): void {
    this.#lostMs ??= this.#clock.monotonicMs()
  }

  /** An answer to a key that nobody waits for any more is dropped. */
  receive(answer: Answer): void {
    const row = this.#rows.get(answer.key)
    if (row === undefined) return
    if (answer.type === 'progress') {
      for (const waiter of row.waiters) waiter.onProgress?.(answer.progress)
      return
    }
    this.#rows.delete(answer.key)
    if (answer.type === 'failure') return rejectAll(row, fromWireError(answer.error))
    const checked = ORDERS[row.order.verb].result.safeParse(answer.result)
    if (checked.success) {
      for (const waiter of row.waiters) waiter.resolve(checked.data)
      return
    }
    const [issue] = checked.error.issues
    const where = issue?.path.join('.') ?? ''
    const message = `the answer to ${row.order.verb} is not in its form: ${where}`
    rejectAll(row, new MaasError('ORDER_INVALID', message, { verb: row.order.verb, where }))
  }

  /** Ends what has run out of time; call it once a second. */
  tick(): ControlFrame[] {
    const nowMs = this.#clock.monotonicMs()
    const gone = this.#lostMs !== undefined && nowMs - this.#lostMs >= RECONNECT_WAIT_MAX_MS
    const cancels: ControlFrame[] = []
    for (const [key, row] of this.#rows) {
      const { verb, timeoutMs } = row.order
      if (nowMs >= row.deadlineMs) {
        const message = `${verb} took longer than ${timeoutMs / 1000} s`
        rejectAll(row, new MaasError('ORDER_TIMEOUT', message, { verb, timeoutMs }))
        cancels.push({ type: 'cancel', key })
      } else if (gone) {
        rejectAll(row, new MaasError('HOST_OFFLINE', `the host was lost during ${verb}`, { verb }))
      } else continue
      this.#rows.delete(key)
    }
    return cancels
  }

  /** The host is removed, or control stops. */
  rejectAll(error: MaasError): void {
    const rows = [...this.#rows.values()]
    this.#rows.clear()
    for (const row of rows) rejectAll(row, error)
  }
}

function toFrame({ key, verb, params, timeoutMs }: GivenOrder): ControlFrame {
  return { type: 'order', key, verb, params, timeoutMs }
}

function rejectAll(row: Row, error: MaasError): void {
  for (const waiter of row.waiters) waiter.reject(error)
}

/**
 * The orders control has given to one host and not yet heard the end of. The book outlives
 * connections: after each welcome everything in it is sent again with its old key, and the host
 * joins it to what it is doing. No I/O: the owner sends the frames and settles the promises.
 *
 *   give ──▶ in flight ──result, failure──────────────────────▶ settled
 *               ├──timeout: `cancel` sent───────────────────────▶ settled
 *               ├──host lost for 120 s─────────────────────────▶ settled
 *               └──cancel──▶ ending ──the host's answer, or 5 s──▶ settled
 *
 * What is cancelled while the host is away is cancelled when it comes back.
 */
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import { encodeFrame, fromWireError, ORDERS_IN_FLIGHT_MAX } from './frames.ts'
import type { ControlFrame, HostFrame } from './frames.ts'
import { ORDERS } from './orders.ts'
import type { OrderProgress, Verb } from './orders.ts'
import { ANSWER_KEPT_MS } from './taken-orders.ts'

/** How long an order waits for a host that was lost: a restart of either end fits in. */
export const RECONNECT_WAIT_MAX_MS = 120_000
/** Hosts tell twice a second; one that tells more must not make work for the catalog. */
const PROGRESS_INTERVAL_MIN_MS = 200
/** A host stops a capture within this; whoever cancelled is not kept longer. */
export const CANCEL_WAIT_MAX_MS = 5_000

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
  deadlineMs: number
  ending: boolean
  progressMs: number
}

type Answer = Extract<HostFrame, { type: 'progress' | 'result' | 'failure' }>

export class GivenOrders {
  readonly #clock: Clock
  readonly #rows = new Map<string, Row>()
  /** Cancelled while the host was away, and when that is forgotten. Oldest first. */
  readonly #owedCancels = new Map<string, number>()
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
   * @throws MaasError ORDERS_TOO_MANY, ORDER_INVALID, CHANNEL_FRAME_TOO_LARGE
   */
  give(order: GivenOrder, waiter: Waiter): ControlFrame | undefined {
    const known = this.#rows.get(order.key)
    if (known !== undefined) {
      if (known.order.verb !== order.verb || known.ending) {
        const what = known.ending ? 'being cancelled' : `under way as ${known.order.verb}`
        const message = `the key ${order.key} is ${what}`
        throw new MaasError('ORDER_INVALID', message, { key: order.key, verb: order.verb })
      }
      known.waiters.add(waiter)
      return undefined
    }
    if (this.#rows.size >= ORDERS_IN_FLIGHT_MAX) {
      const count = this.#rows.size
      throw new MaasError('ORDERS_TOO_MANY', `${count} orders are in flight`, { count })
    }
    // Before it is in the book: it would fail again at each reconnect.
    encodeFrame(toFrame(order))
    this.#owedCancels.delete(order.key)
    const deadlineMs = this.#clock.monotonicMs() + order.timeoutMs
    const waiters = new Set([waiter])
    const row: Row = { order, waiters, deadlineMs, ending: false, progressMs: -Infinity }
    this.#rows.set(order.key, row)
    return toFrame(order)
  }

  /**
   * Somebody wants it no longer. Where others still do, he just leaves; else the host is told,
   * and he waits for its answer: when this settles, the work has stopped.
   */
  cancel(key: string, waiter: Waiter): ControlFrame | undefined {
    const row = this.#rows.get(key)
    if (row === undefined || !row.waiters.has(waiter) || row.ending) return undefined
    if (row.waiters.size > 1 || this.#lostMs !== undefined) {
      row.waiters.delete(waiter)
      waiter.reject(cancelled(row))
      if (row.waiters.size > 0) return undefined
      this.#rows.delete(key)
      this.#owe(key)
      return undefined
    }
    row.ending = true
    row.deadlineMs = this.#clock.monotonicMs() + CANCEL_WAIT_MAX_MS
    return { type: 'cancel', key }
  }

  /** The host is there: what it missed goes out, and everything in flight again. */
  connected(): ControlFrame[] {
    this.#lostMs = undefined
    const frames: ControlFrame[] = []
    for (const key of this.#owedCancels.keys()) frames.push({ type: 'cancel', key })
    this.#owedCancels.clear()
    for (const { order, ending } of this.#rows.values()) {
      frames.push(ending ? { type: 'cancel', key: order.key } : toFrame(order))
    }
    return frames
  }

  disconnected(): void {
    this.#lostMs ??= this.#clock.monotonicMs()
  }

  /** An answer to a key that nobody waits for any more is dropped. */
  receive(answer: Answer): void {
    const row = this.#rows.get(answer.key)
    if (row === undefined) return
    if (answer.type === 'progress') {
      const nowMs = this.#clock.monotonicMs()
      if (nowMs - row.progressMs < PROGRESS_INTERVAL_MIN_MS) return
      row.progressMs = nowMs
      for (const waiter of row.waiters) waiter.onProgress?.(answer.progress)
      return
    }
    this.#rows.delete(answer.key)
    if (answer.type === 'failure') return rejectRow(row, fromWireError(answer.error))
    const checked = ORDERS[row.order.verb].result.safeParse(answer.result)
    if (checked.success) {
      for (const waiter of row.waiters) waiter.resolve(checked.data)
      return
    }
    const [issue] = checked.error.issues
    const where = issue?.path.join('.') ?? ''
    const message = `the answer to ${row.order.verb} is not in its form: ${where}`
    rejectRow(row, new MaasError('ORDER_INVALID', message, { verb: row.order.verb, where }))
  }

  /** Ends what has run out of time; call it once a second. @returns what to send if connected */
  tick(): ControlFrame[] {
    const nowMs = this.#clock.monotonicMs()
    const gone = this.#lostMs !== undefined && nowMs - this.#lostMs >= RECONNECT_WAIT_MAX_MS
    const cancels: ControlFrame[] = []
    for (const [key, row] of this.#rows) {
      const { verb, timeoutMs } = row.order
      if (row.ending && nowMs >= row.deadlineMs) rejectRow(row, cancelled(row))
      else if (nowMs >= row.deadlineMs) {
        const message = `${verb} took longer than ${timeoutMs / 1000} s`
        rejectRow(row, new MaasError('ORDER_TIMEOUT', message, { verb, timeoutMs }))
        if (this.#lostMs === undefined) cancels.push({ type: 'cancel', key })
        else this.#owe(key)
      } else if (gone) {
        rejectRow(row, new MaasError('HOST_OFFLINE', `the host was lost during ${verb}`, { verb }))
      } else continue
      this.#rows.delete(key)
    }
    for (const [key, untilMs] of this.#owedCancels) {
      if (nowMs >= untilMs) this.#owedCancels.delete(key)
    }
    return cancels
  }

  /** The host is removed, or control stops. */
  rejectAll(error: MaasError): void {
    const rows = [...this.#rows.values()]
    this.#rows.clear()
    for (const row of rows) rejectRow(row, error)
  }

  #owe(key: string): void {
    this.#owedCancels.set(key, this.#clock.monotonicMs() + ANSWER_KEPT_MS)
    const [oldest] = this.#owedCancels.keys()
    if (this.#owedCancels.size > ORDERS_IN_FLIGHT_MAX) this.#owedCancels.delete(oldest!)
  }
}

function toFrame({ key, verb, params, timeoutMs }: GivenOrder): ControlFrame {
  return { type: 'order', key, verb, params, timeoutMs }
}

function cancelled({ order: { verb, key } }: Row): MaasError {
  return new MaasError('CANCELLED', `${verb} was cancelled`, { verb, key })
}

function rejectRow(row: Row, error: MaasError): void {
  for (const waiter of row.waiters) waiter.reject(error)
}

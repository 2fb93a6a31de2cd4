/**
 * Does orders: checks parameters, begins at most so many at once, joins repeated keys, stops what
 * is cancelled, and emits frames. The same for an agent behind a socket and for what `serve`
 * embeds; it knows neither. An emitted frame may be lost: control asks again, and a result is
 * kept (taken-orders.ts).
 */
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import { encodeFrame, toWireError } from './frames.ts'
import type { HostFrame } from './frames.ts'
import { orderProgress, ORDERS, STANDING_VERBS } from './orders.ts'
import type { CheckedParams, OrderHandlers, OrderProgress, Result, Verb } from './orders.ts'
import { TakenOrders } from './taken-orders.ts'

/** Orders that take minutes and a machine's whole disk; the rest is quick. */
const HEAVY: ReadonlySet<Verb> = new Set<Verb>([
  'source.capture',
  'point.restore',
  'pool.gc',
  'pool.check',
  'catalog.store',
])
/** Two captures at once use a machine's cores and disks; more only slow each other down. */
export const HEAVY_AT_ONCE = 2
/** Quick orders at once: they wait for a disk or a kernel more than they work. */
export const LIGHT_AT_ONCE = 16
/** Progress is told at most so often. */
const PROGRESS_INTERVAL_MS = 500

export interface OrderRunnerOptions {
  readonly handlers: OrderHandlers
  readonly clock: Clock
  /** Sends a frame when somebody listens. Must not throw. */
  readonly emit: (frame: string) => void
  readonly heavyAtOnce?: number
}

interface Order {
  readonly key: string
  readonly verb: string
  readonly params: unknown
}

interface Run {
  readonly order: Order
  readonly verb: Verb
  readonly abort: AbortController
  progressMs: number
}

type Handler = (
  params: CheckedParams<Verb>,
  context: { readonly signal: AbortSignal; readonly progress: (progress: OrderProgress) => void },
) => Promise<Result<Verb>>

export class OrderRunner {
  readonly #options: OrderRunnerOptions
  readonly #book: TakenOrders
  readonly #runs = new Map<string, Run>()
  readonly #waiting: Run[] = []
  #heavy = 0
  #light = 0
  #idle: (() => void)[] = []

  constructor(options: OrderRunnerOptions) {
    this.#options = options
    this.#book = new TakenOrders(options.clock)
  }

  /** The verbs there are handlers for. */
  get verbs(): Verb[] {
    const verbs = Object.keys(ORDERS) as Verb[]
    return verbs.filter((verb) => this.#options.handlers[verb] !== undefined)
  }

  get runningCount(): number {
    return this.#book.runningCount
  }

  take(order: Order): void {
    const { key } = order
    try {
      const verb = this.#checkVerb(order.verb)
      const taken = this.#book.take(key, verb)
      if (taken.kind === 'answer') this.#options.emit(taken.frame)
      if (taken.kind !== 'begin') return
      const run: Run = { order, verb, abort: new AbortController(), progressMs: -Infinity }
      this.#runs.set(key, run)
      this.#waiting.push(run)
    } catch (error) {
      this.#options.emit(encodeFrame({ type: 'failure', key, error: toWireError(error) }))
    }
    this.#beginNext()
  }

  /** It then ends by itself, with a failure or with the result it had already. */
  cancel(key: string): void {
    const run = this.#runs.get(key)
    if (run === undefined) return
    run.abort.abort(cancelled(run))
    const place = this.#waiting.indexOf(run)
    if (place === -1) return
    this.#waiting.splice(place, 1)
    this.#end(run, failure(key, cancelled(run)), false)
  }

  /** Stops everything and waits until it has stopped. */
  async stop(): Promise<void> {
    for (const key of this.#runs.keys()) this.cancel(key)
    if (this.#runs.size === 0) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #checkVerb(verb: string): Verb {
    const known = Object.hasOwn(ORDERS, verb) && Object.hasOwn(this.#options.handlers, verb)
    if (!known) throw new MaasError('ORDER_UNKNOWN', `this host knows no ${verb}`, { verb })
    return verb as Verb
  }

  #beginNext(): void {
    for (let place = 0; place < this.#waiting.length;) {
      const run = this.#waiting[place]!
      if (!this.#hasRoom(run.verb)) {
        place += 1
        continue
      }
      this.#waiting.splice(place, 1)
      this.#count(run.verb, 1)
      void this.#run(run)
    }
  }

  #hasRoom(verb: Verb): boolean {
    if (!HEAVY.has(verb)) return this.#light < LIGHT_AT_ONCE
    return this.#heavy < (this.#options.heavyAtOnce ?? HEAVY_AT_ONCE)
  }

  #count(verb: Verb, by: number): void {
    if (HEAVY.has(verb)) this.#heavy += by
    else this.#light += by
  }

  /** Never rejects: whatever a handler throws is the answer. */
  async #run(run: Run): Promise<void> {
    const { key } = run.order
    let frame: string
    let keep = !STANDING_VERBS.has(run.verb)
    try {
      const result = await this.#handle(run)
      frame = encodeFrame({ type: 'result', key, result })
    } catch (error) {
      keep = false
      frame = failure(key, error)
    }
    this.#count(run.verb, -1)
    this.#end(run, frame, keep)
    this.#beginNext()
  }

  async #handle(run: Run): Promise<unknown> {
    const { verb, order, abort } = run
    const checked = ORDERS[verb].params.safeParse(order.params)
    if (!checked.success) {
      const [issue] = checked.error.issues
      const where = issue?.path.join('.') ?? ''
      throw new MaasError('ORDER_INVALID', `${verb}: ${where}: ${issue?.message}`, { verb, where })
    }
    const progress = (now: OrderProgress): void => this.#tell(run, now)
    const handler = this.#options.handlers[verb] as Handler
    return handler(checked.data, { signal: abort.signal, progress })
  }

  #tell(run: Run, progress: OrderProgress): void {
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs - run.progressMs < PROGRESS_INTERVAL_MS || !this.#runs.has(run.order.key)) return
    // A number that is none would cost the connection, and progress is not worth that.
    const checked = orderProgress.safeParse(progress)
    if (!checked.success) return
    run.progressMs = nowMs
    const frame: HostFrame = { type: 'progress', key: run.order.key, progress: checked.data }
    this.#options.emit(encodeFrame(frame))
  }

  #end(run: Run, frame: string, keep: boolean): void {
    this.#runs.delete(run.order.key)
    this.#book.finish(run.order.key, frame, keep)
    this.#options.emit(frame)
    if (this.#runs.size > 0) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }
}

function failure(key: string, error: unknown): string {
  return encodeFrame({ type: 'failure', key, error: toWireError(error) })
}

function cancelled({ verb, order: { key } }: Run): MaasError {
  return new MaasError('CANCELLED', `${verb} was cancelled`, { verb, key })
}

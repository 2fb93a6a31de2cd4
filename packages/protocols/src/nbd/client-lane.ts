/**
 * A lane of the client: one connection at a time, and the requests that belong to it.
 *
 *   idle ──request──▶ connecting ──negotiated──▶ open ──lost, requests pending──▶ connecting
 *    ▲  ▲                │                        └──lost, none pending──▶ idle
 *    │  └──deadline──────┘ (the requests fail with NBD_UNREACHABLE)
 *    └── closed is the end: by `close`, or by `fail` for good
 *
 * Requests without a reply when a connection is lost are sent again on the next one, in their old
 * order. All of them may be repeated: the caller has not been told anything yet, and issues no
 * second request for the same bytes before the first has ended. What was acknowledged and not yet
 * flushed is NOT repeated: it is the server's device that must survive.
 */
import type { Clock } from '@openmaas/kernel/clock'
import { assert } from '@openmaas/kernel/assert'
import { MaasError, isMaasError } from '@openmaas/kernel/errors'
import type { ErrorCode } from '@openmaas/kernel/errors'
import type { BufferPool } from './buffer-pool.ts'
import { ClientConnection } from './client-connection.ts'
import type { NbdTarget } from './client-connection.ts'
import type { ClientAgreement } from './client-handshake.ts'
import type { ClientRequest } from './session.ts'

/** Requests sent and not answered on one connection; the server takes as many (transmission.ts). */
export const LANE_IN_FLIGHT_MAX = 256
/** Requests that wait for a place. Callers bound their own work; more is a runaway. */
const WAITING_MAX = 65_536
const BACKOFF_FIRST_MS = 5
/** A server that restarts is found again within this. */
const BACKOFF_MAX_MS = 500

/** Failures that another attempt will not cure. */
const FATAL: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'NBD_EXPORT_CHANGED',
  'NBD_PROTOCOL_VIOLATION',
  'NBD_SERVER_UNSUPPORTED',
  'NBD_TLS_REQUIRED',
  'SERVER_NOT_TRUSTED',
  'CANCELLED',
])

export interface LaneOptions {
  readonly target: NbdTarget
  readonly pool: BufferPool
  readonly clock: Clock
  readonly reconnectTimeoutMs: number
  readonly signal: AbortSignal
  /** Checks a new connection. @throws MaasError NBD_EXPORT_CHANGED */
  readonly check: (agreement: ClientAgreement) => void
  /** No lane can go on. */
  readonly failed: (error: unknown) => void
}

export class ClientLane {
  readonly #options: LaneOptions
  readonly #waiting: ClientRequest[] = []
  #connection: ClientConnection | undefined
  #connecting = false
  /** Set for good when the lane takes no more requests. */
  #failure: unknown
  #drained: (() => void) | undefined

  constructor(options: LaneOptions) {
    this.#options = options
  }

  /** Requests that are not settled. */
  get load(): number {
    return this.#waiting.length + (this.#connection?.session.inFlight ?? 0)
  }

  get isOpen(): boolean {
    return this.#connection !== undefined
  }

  /** The first connection, without a second attempt. @throws as ClientConnection.open */
  async open(): Promise<ClientAgreement> {
    const { target, pool, signal } = this.#options
    const watcher = {
      settled: () => this.#advance(),
      lost: (connection: ClientConnection, reason: unknown) => this.#lose(connection, reason),
    }
    const connection = await ClientConnection.open(target, pool, watcher, signal)
    try {
      if (connection.ended) throw new MaasError('NBD_UNREACHABLE', 'the server hung up')
      this.#options.check(connection.agreement)
    } catch (error) {
      connection.destroy(error)
      throw error
    }
    this.#connection = connection
    return connection.agreement
  }

  submit(request: ClientRequest): void {
    if (this.#failure !== undefined) {
      request.reject(this.#failure)
      return
    }
    assert(this.#waiting.length < WAITING_MAX, 'callers bound the requests they make')
    this.#waiting.push(request)
    this.#advance()
  }

  /** Waits for what is in flight, then leaves in order. */
  async close(): Promise<void> {
    if (this.load > 0) await new Promise<void>((resolve) => (this.#drained = resolve))
    this.#failure ??= new MaasError('CANCELLED', 'the NBD client is closed')
    this.#connection?.close()
    this.#connection = undefined
  }

  /** Gives up for good: all requests, now and later, end with this error. */
  fail(error: unknown): void {
    this.#failure ??= error
    const connection = this.#connection
    this.#connection = undefined
    const requests = [...(connection?.session.takePending() ?? []), ...this.#waiting.splice(0)]
    connection?.destroy(error)
    for (const request of requests) request.reject(error)
  }

  /** Sends what may be sent; connects when there is something to send and no connection. */
  #advance(): void {
    if (this.#drained !== undefined && this.load === 0) this.#drained()
    if (this.#waiting.length === 0) return
    const session = this.#connection?.session
    if (session === undefined) {
      if (!this.#connecting) void this.#reconnect()
      return
    }
    while (this.#waiting.length > 0 && session.inFlight < LANE_IN_FLIGHT_MAX) {
      session.submit(this.#waiting.shift()!)
    }
  }

  #lose(connection: ClientConnection, reason: unknown): void {
    if (connection !== this.#connection) return
    this.#connection = undefined
    this.#waiting.unshift(...connection.session.takePending())
    if (isFatal(reason)) this.#options.failed(reason)
    else this.#advance()
  }

  /** Tries until it works, the deadline has passed, or there is no point. Never rejects. */
  async #reconnect(): Promise<void> {
    const { clock, reconnectTimeoutMs, signal } = this.#options
    const beginMs = clock.monotonicMs()
    let backoffMs = BACKOFF_FIRST_MS
    this.#connecting = true
    for (;;) {
      try {
        await this.open()
        break
      } catch (error) {
        if (isFatal(error)) {
          this.#connecting = false
          this.#options.failed(error)
          return
        }
        if (clock.monotonicMs() - beginMs >= reconnectTimeoutMs) {
          this.#giveUp(error)
          return
        }
      }
      await sleep(backoffMs, signal)
      backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS)
    }
    this.#connecting = false
    if (this.#failure !== undefined) this.#connection?.destroy(this.#failure)
    else this.#advance()
  }

  /** What waits fails; the next request begins a new attempt. */
  #giveUp(cause: unknown): void {
    this.#connecting = false
    const details = { timeoutMs: this.#options.reconnectTimeoutMs }
    const message = 'the NBD server did not come back in time'
    const error = new MaasError('NBD_UNREACHABLE', message, details, { cause })
    for (const request of this.#waiting.splice(0)) request.reject(error)
    this.#advance()
  }
}

function isFatal(error: unknown): boolean {
  return isMaasError(error) && FATAL.has(error.code)
}

/** Ends early when aborted: the next attempt then says so. */
function sleep(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', wake)
      resolve()
    }
    const timer = setTimeout(wake, durationMs)
    signal.addEventListener('abort', wake, { once: true })
  })
}

/**
 * The agent's standing connection to control: dials out, says hello, does orders, renews its
 * certificate, and comes back after every break. A node's is the same with other handlers.
 *
 *   connecting ──welcome──▶ online ──break──▶ waiting ──1 s … 20 s, random──▶ connecting
 */
import { WebSocket } from 'ws'
import type { RawData } from 'ws'
import type { Clock } from '@openmaas/kernel/clock'
import { isMaasError, MaasError } from '@openmaas/kernel/errors'
import { makeLog } from '@openmaas/kernel/log'
import type { Random } from '@openmaas/kernel/random'
import { AgentConnection } from '@openmaas/protocols/channel/agent-connection'
import type { ControlSaid } from '@openmaas/protocols/channel/agent-connection'
import {
  CHANNEL_PATH,
  CHANNEL_PROTOCOL,
  CLOCK_SKEW_MAX_MS,
  encodeFrame,
  FRAME_SIZE_MAX,
} from '@openmaas/protocols/channel/frames'
import type { HostEngine, HostFrame } from '@openmaas/protocols/channel/frames'
import { OrderRunner } from '@openmaas/protocols/channel/order-runner'
import type { OrderHandlers } from '@openmaas/protocols/channel/orders'
import type { TicketKey } from '@openmaas/protocols/channel/ticket'
import { describeHost } from './about.ts'
import { CertificateRenewal } from './certificate-renewal.ts'
import { fingerprintOf, portTlsOf } from './identity.ts'
import type { Identity } from './identity.ts'
import { parseRefusal } from './join.ts'
import { nextDelayMs } from './reconnect.ts'
import { checkControl, explainTlsError } from './server-identity.ts'

const log = makeLog('openmaas:agent:session')

const HANDSHAKE_TIMEOUT_MS = 10_000
/** A server that takes nothing any more; progress is not worth more memory. Bytes. */
const UNSENT_MAX = 16 * 1024 * 1024
/** A connection that lasted so long was a good one: the next break starts with a short wait. */
const GOOD_AFTER_MS = 30_000
/** A page in place of a WebSocket is read so far, for its reason. Bytes. */
const REFUSAL_SIZE_MAX = 16 * 1024

export interface SessionOptions {
  readonly identity: Identity
  /** Where a renewed identity is saved. */
  readonly directory: string
  readonly handlers: OrderHandlers
  readonly software: string
  readonly clock: Clock
  readonly random: Random
  /** Of a node: where agents reach its data port and its NBD port, `host:port`. */
  readonly dataAddress?: string
  readonly nbdAddress?: string
  readonly heavyAtOnce?: number
  /** Of databases, that an agent has plug-ins for. */
  readonly engines?: readonly HostEngine[]
  /** After each renewal: what dials out with the certificate takes the new one. */
  readonly onIdentity?: (identity: Identity) => void
}

export type SessionState = 'connecting' | 'online' | 'waiting' | 'stopped'

interface Link {
  readonly socket: WebSocket
  readonly connection: AgentConnection
  readonly beganMs: number
}

export class AgentSession implements AsyncDisposable {
  readonly #options: SessionOptions
  readonly #runner: OrderRunner
  readonly #renewal: CertificateRenewal
  readonly #instance: string
  #state: SessionState = 'waiting'
  #link: Link | undefined
  #attempt = 0
  #retryAtMs: number
  #ticketKeys: readonly TicketKey[] = []
  #drained = false
  /** Control's wall clock minus our monotonic one; kept over breaks. */
  #controlOffsetMs: number | undefined
  #timer: NodeJS.Timeout | undefined
  #problem: MaasError | undefined

  constructor(options: SessionOptions) {
    this.#options = options
    const { handlers, clock, random, heavyAtOnce } = options
    this.#instance = random.bytes(8).toString('hex')
    this.#retryAtMs = clock.monotonicMs()
    const emit = (frame: string): void => this.#emit(frame)
    const limit = heavyAtOnce === undefined ? {} : { heavyAtOnce }
    this.#runner = new OrderRunner({ handlers, clock, emit, ...limit })
    this.#renewal = new CertificateRenewal(options)
  }

  /** Begins, and goes on until it is disposed of. */
  begin(): void {
    this.#timer ??= setInterval(() => this.#tick(), 1000)
    this.#tick()
  }

  get state(): SessionState {
    return this.#state
  }

  /** Why the last connection ended or none came about. */
  get problem(): MaasError | undefined {
    return this.#problem
  }

  /** For verifyTicket; empty before the first welcome. */
  get ticketKeys(): readonly TicketKey[] {
    return this.#ticketKeys
  }

  /** With the certificate in use now. */
  get identity(): Identity {
    return this.#renewal.identity
  }

  get drained(): boolean {
    return this.#drained
  }

  /** Control's time, by which tickets are judged; this host's own before the first welcome. */
  controlMs(): number {
    const { clock } = this.#options
    if (this.#controlOffsetMs === undefined) return clock.wallMs()
    return clock.monotonicMs() + this.#controlOffsetMs
  }

  /** Tells control what it did not ask for; lost when there is no connection. */
  tellEvent(event: string, data: Extract<HostFrame, { type: 'event' }>['data'] = {}): void {
    this.#emit(encodeFrame({ type: 'event', event, data }))
  }

  /**
   * Closes, then stops what is under way and waits for it. In this order: control did not cancel,
   * so it is not told that; it asks again when the host is back, as after a crash.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    this.#state = 'stopped'
    const socket = this.#link?.socket
    this.#link = undefined
    socket?.terminate()
    await this.#runner.stop()
  }

  #tick(): void {
    const { clock } = this.#options
    const link = this.#link
    if (link === undefined) {
      if (this.#state !== 'stopped' && clock.monotonicMs() >= this.#retryAtMs) this.#dial()
      return
    }
    if (link.connection.isOpen && this.#renewal.isDue(this.controlMs())) void this.#renew()
    const stuck = link.socket.bufferedAmount > UNSENT_MAX
    if (link.connection.isLost() || stuck) {
      this.#end(link, new MaasError('CHANNEL_UNREACHABLE', 'the server went silent'))
    }
  }

  #dial(): void {
    const { clock } = this.#options
    const { serverUrl, caCertificate, key, certificate } = this.#renewal.identity
    const url = new URL(CHANNEL_PATH, serverUrl)
    const socket = new WebSocket(url.href.replace(/^https/, 'wss'), CHANNEL_PROTOCOL, {
      ca: caCertificate,
      key,
      cert: certificate,
      // As in node:tls, which ws hands it to; its types say otherwise.
      checkServerIdentity: checkControl as unknown as () => boolean,
      minVersion: 'TLSv1.3',
      perMessageDeflate: false,
      maxPayload: FRAME_SIZE_MAX,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      followRedirects: false,
    })
    const link = { socket, connection: new AgentConnection(clock), beganMs: clock.monotonicMs() }
    this.#link = link
    this.#state = 'connecting'
    socket.on('open', () => this.#sayHello(link))
    socket.on('message', (bytes, isBinary) => this.#receive(link, bytes, isBinary))
    socket.on('unexpected-response', (_request, response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece: string) => (text = (text + piece).slice(0, REFUSAL_SIZE_MAX)))
      const done = (): void => this.#end(link, parseRefusal(text, response.statusCode ?? 0))
      response.on('end', done).on('error', done)
    })
    socket.on('error', (error) => this.#end(link, explainTlsError(url, error)))
    socket.on('close', () => {
      this.#end(link, new MaasError('CHANNEL_UNREACHABLE', 'the server closed the connection'))
    })
  }

  #sayHello({ socket, connection }: Link): void {
    const { identity, software, dataAddress = null, nbdAddress = null } = this.#options
    const { hostId, kind: role } = identity
    const verbs = this.#runner.verbs
    const about = describeHost(this.#options.engines)
    const who = { role, hostId, instance: this.#instance, software }
    const portFingerprint = role === 'node' ? fingerprintOf(portTlsOf(identity).certificate) : null
    const place = { dataAddress, nbdAddress, portFingerprint }
    socket.send(connection.begin({ ...who, verbs, about, ...place }))
  }

  #receive(link: Link, bytes: RawData, isBinary: boolean): void {
    if (this.#link !== link) return
    try {
      if (isBinary) throw new MaasError('CHANNEL_PROTOCOL_VIOLATION', 'a binary frame')
      this.#act(link, link.connection.receive((bytes as Buffer).toString('utf8')))
    } catch (error) {
      this.#end(link, error)
    }
  }

  #act(link: Link, said: ControlSaid): void {
    const { socket, connection } = link
    this.#trackTime(connection)
    if (said.kind === 'ping') return socket.send(said.reply)
    if (said.kind === 'welcome') {
      this.#state = 'online'
      this.#problem = undefined
      this.#ticketKeys = said.welcome.ticketKeys
      this.#drained = said.welcome.drained
      const { clock, identity } = this.#options
      const skewMs = Math.round(clock.wallMs() - this.controlMs())
      log.info('connected', { server: identity.serverUrl, hostId: identity.hostId })
      if (Math.abs(skewMs) > CLOCK_SKEW_MAX_MS) log.warn('the clock is wrong', { skewMs })
      return
    }
    const { frame } = said
    if (frame.type === 'order') this.#runner.take(frame)
    else if (frame.type === 'cancel') this.#runner.cancel(frame.key)
    else if (frame.type === 'certificate') this.#acceptCertificate(link, frame.certificate)
    else if (frame.type === 'renewFailure') log.warn('renewal refused', { error: frame.error })
  }

  /**
   * Connects anew with it, so that control knows which one is in use; orders go on meanwhile.
   * A disk that is full now has ten days to be emptied: the old certificate is good still.
   */
  #acceptCertificate(link: Link, certificate: string): void {
    try {
      if (!this.#renewal.accept(certificate)) return
      this.#link = undefined
      link.socket.terminate()
      this.#dial()
    } catch (error) {
      log.error('the new certificate could not be kept', { error })
    }
  }

  #trackTime(connection: AgentConnection): void {
    const { controlMs } = connection
    if (controlMs === undefined) return
    this.#controlOffsetMs = controlMs - this.#options.clock.monotonicMs()
  }

  async #renew(): Promise<void> {
    try {
      const csr = await this.#renewal.ask(this.controlMs())
      this.#emit(encodeFrame({ type: 'renew', csr }))
    } catch (error) {
      log.error('no key could be made for a new certificate', { error })
    }
  }

  #emit(frame: string): void {
    if (this.#link?.connection.isOpen === true) this.#link.socket.send(frame)
  }

  #end(link: Link, reason: unknown): void {
    if (this.#link !== link) return
    this.#link = undefined
    link.socket.terminate()
    const { clock, random, identity } = this.#options
    const problem = isMaasError(reason)
      ? reason
      : new MaasError('INTERNAL', String(reason), {}, { cause: reason })
    this.#problem = problem
    const nowMs = clock.monotonicMs()
    const wasGood = this.#state === 'online' && nowMs - link.beganMs >= GOOD_AFTER_MS
    this.#attempt = wasGood ? 1 : this.#attempt + 1
    const delayMs = nextDelayMs(this.#attempt, problem, random)
    this.#retryAtMs = nowMs + delayMs
    this.#state = 'waiting'
    log.warn('not connected', { server: identity.serverUrl, delayMs, error: problem })
  }
}

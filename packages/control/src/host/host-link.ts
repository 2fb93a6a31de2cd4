/** One WebSocket to one host: feeds the state machine, and tells the registry and the orders. */
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import { makeLog } from '@openmaas/kernel/log'
import { ControlConnection } from '@openmaas/protocols/channel/control-connection'
import type { HostSaid } from '@openmaas/protocols/channel/control-connection'
import { toWireError } from '@openmaas/protocols/channel/frames'
import type { ControlFrame, Hello, HostFrame } from '@openmaas/protocols/channel/frames'
import type { RawData, WebSocket } from 'ws'
import type { CertificateAuthority } from './ca.ts'
import type { Enrolment } from './enrolment.ts'
import type { HostRegistry, Peer } from './host-registry.ts'
import type { Orders } from './orders.ts'

const log = makeLog('openmaas:control:channel')

/** A host that takes nothing any more is dropped before its orders fill our memory. Bytes. */
export const UNSENT_MAX = 16 * 1024 * 1024
/** WebSocket close codes (RFC 6455, 7.4): policy violation, going away. */
const CLOSE_REFUSED = 1008

export interface HostEvent {
  readonly hostId: string
  readonly event: string
  readonly data: Readonly<Record<string, string | number | boolean | null>>
}

export interface LinkOwner {
  readonly clock: Clock
  readonly ca: CertificateAuthority
  readonly registry: HostRegistry
  readonly enrolment: Enrolment
  readonly orders: Orders
  readonly onEvent: (event: HostEvent) => void
  /** The host was admitted: an older link of the same host ends. */
  readonly onOpen: (link: HostLink) => void
  /** It ended, admitted or not; may be told twice. */
  readonly onClose: (link: HostLink) => void
}

export class HostLink {
  readonly hostId: string
  readonly #peer: Peer
  readonly #socket: WebSocket
  readonly #owner: LinkOwner
  readonly #connection: ControlConnection
  readonly #send = (frame: ControlFrame): void => this.#transmit(frame)
  #renewing = false
  #closed = false

  constructor(peer: Peer, socket: WebSocket, owner: LinkOwner) {
    this.hostId = peer.hostId
    this.#peer = peer
    this.#socket = socket
    this.#owner = owner
    this.#connection = new ControlConnection(peer.hostId, owner.clock)
    socket.on('message', (bytes, isBinary) => this.#receive(bytes, isBinary))
    socket.on('error', (error) => log.debug('socket failed', { hostId: this.hostId, error }))
    socket.on('close', () => this.#end())
  }

  /** Once a second. */
  tick(): void {
    const { send, lost } = this.#connection.tick()
    for (const text of send) this.#socket.send(text)
    if (lost || this.#socket.bufferedAmount > UNSENT_MAX) {
      log.info('host is lost', { hostId: this.hostId, unsent: this.#socket.bufferedAmount })
      this.#socket.terminate()
    }
  }

  /** Says why, then ends. */
  refuse(reason: unknown): void {
    if (this.#closed) return
    this.#socket.send(this.#connection.refuse(reason))
    this.#socket.close(CLOSE_REFUSED)
    this.#end()
    // A peer that ignores the close must not keep the socket.
    setTimeout(() => this.#socket.terminate(), 1000).unref()
  }

  /** Without a word: the host comes back by itself. */
  terminate(): void {
    this.#socket.terminate()
    this.#end()
  }

  #end(): void {
    if (this.#closed) return
    this.#closed = true
    this.#owner.orders.disconnect(this.hostId, this.#send)
    this.#owner.onClose(this)
  }

  #receive(bytes: RawData, isBinary: boolean): void {
    if (this.#closed) return
    try {
      if (isBinary) throw new MaasError('CHANNEL_PROTOCOL_VIOLATION', 'a binary frame')
      // ws gives one Buffer per message unless told otherwise.
      const said = this.#connection.receive((bytes as Buffer).toString('utf8'))
      this.#act(said).catch((error: unknown) => this.#fail(error))
    } catch (error) {
      this.#fail(error)
    }
  }

  #fail(error: unknown): void {
    log.warn('connection of a host refused', { hostId: this.hostId, error })
    this.refuse(error)
  }

  async #act(said: HostSaid): Promise<void> {
    if (said.kind === 'hello') return this.#open(said.hello, said.skewMs)
    if (said.kind === 'alive') return this.#noteSkew(said.skewMs)
    return this.#receiveFrame(said.frame)
  }

  async #open(hello: Hello, skewMs: number): Promise<void> {
    const { registry, orders, ca, onOpen, onClose } = this.#owner
    const row = await registry.connect(this.#peer, hello, skewMs)
    if (this.#closed) return onClose(this)
    onOpen(this)
    const { ticketKeys } = ca
    this.#socket.send(this.#connection.admit({ ticketKeys, drained: row.drained === 1 }))
    orders.connect(this.hostId, this.#send)
    log.info('host is online', { hostId: this.hostId, software: hello.software, skewMs })
  }

  /** A catalog that is away for a moment is no reason to lose every host. */
  async #noteSkew(skewMs: number): Promise<void> {
    try {
      await this.#owner.registry.alive(this.hostId, skewMs)
    } catch (error) {
      log.error('the clock skew could not be recorded', { hostId: this.hostId, error })
    }
  }

  async #receiveFrame(frame: Exclude<HostFrame, { type: 'hello' | 'pong' }>): Promise<void> {
    const { hostId } = this
    if (frame.type === 'renew') return this.#renew(frame.csr)
    if (frame.type === 'event') {
      this.#owner.onEvent({ hostId, event: frame.event, data: frame.data })
      return
    }
    this.#owner.orders.receive(hostId, frame)
  }

  async #renew(csr: string): Promise<void> {
    // One at a time: signing costs, and a host needs one certificate.
    if (this.#renewing) return
    this.#renewing = true
    try {
      const { pem } = await this.#owner.enrolment.renew(this.#peer, csr)
      this.#transmit({ type: 'certificate', certificate: pem })
    } catch (error) {
      log.warn('renewal refused', { hostId: this.hostId, error })
      this.#transmit({ type: 'renewFailure', error: toWireError(error) })
    } finally {
      this.#renewing = false
    }
  }

  #transmit(frame: ControlFrame): void {
    if (this.#closed || this.#connection.state !== 'open') return
    if (frame.type === 'welcome' || frame.type === 'refusal' || frame.type === 'ping') return
    this.#socket.send(this.#connection.send(frame))
  }
}

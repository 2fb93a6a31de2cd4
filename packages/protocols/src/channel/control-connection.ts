/**
 * Control's end of one connection, as a state machine without I/O.
 *
 *   hello ──hello──▶ admitting ──admit──▶ open ──silence, violation──▶ closed
 *     └──10 s, anything else──▶ closed  ◀──refuse──┘
 *
 * Between hello and admit the owner asks the catalog; frames that come meanwhile are a violation,
 * since a host waits for its welcome. The owner feeds frames and time, and sends what comes back.
 */
import { assert } from '@openmaas/kernel/assert'
import type { Clock } from '@openmaas/kernel/clock'
import { MaasError } from '@openmaas/kernel/errors'
import {
  CHANNEL_VERSION,
  encodeFrame,
  FRAME_SIZE_MAX,
  HEARTBEAT_MS,
  HELLO_SIZE_MAX,
  HELLO_TIMEOUT_MS,
  hostFrame,
  LOST_AFTER_MS,
  parseFrame,
  toWireError,
  violation,
} from './frames.ts'
import type { ControlFrame, Hello, HostFrame, Welcome } from './frames.ts'

/** What a frame meant to the owner. */
export type HostSaid =
  | { readonly kind: 'hello'; readonly hello: Hello; readonly skewMs: number }
  | { readonly kind: 'frame'; readonly frame: Exclude<HostFrame, { type: 'hello' | 'pong' }> }
  /** A pong: the host is there, and its clock differs by so much (positive: it is ahead). */
  | { readonly kind: 'alive'; readonly skewMs: number }

/** Events are for things nobody asked for; a host that floods them is broken. */
const EVENTS_PER_SECOND_MAX = 10

export class ControlConnection {
  readonly #hostId: string
  readonly #clock: Clock
  #state: 'hello' | 'admitting' | 'open' | 'closed' = 'hello'
  #heardMs: number
  #pingedMs: number
  #pingId = 0
  #pingSentMs = 0
  #eventSecond = 0
  #eventCount = 0

  /** @param hostId of the certificate that the peer has shown */
  constructor(hostId: string, clock: Clock) {
    this.#hostId = hostId
    this.#clock = clock
    this.#heardMs = clock.monotonicMs()
    this.#pingedMs = this.#heardMs
  }

  get state(): 'hello' | 'admitting' | 'open' | 'closed' {
    return this.#state
  }

  /** @throws MaasError CHANNEL_*: send the refusal and drop the connection */
  receive(text: string): HostSaid {
    assert(this.#state !== 'closed', 'a closed connection receives nothing')
    if (this.#state === 'hello') return this.#receiveHello(text)
    if (this.#state === 'admitting') throw violation('a frame before its welcome')
    const frame = parseFrame(hostFrame, text, FRAME_SIZE_MAX)
    this.#heardMs = this.#clock.monotonicMs()
    if (frame.type === 'hello') throw violation('a second hello')
    if (frame.type === 'pong') return this.#receivePong(frame)
    if (frame.type === 'event') this.#countEvent()
    return { kind: 'frame', frame }
  }

  #receiveHello(text: string): HostSaid {
    const frame = parseFrame(hostFrame, text, HELLO_SIZE_MAX)
    if (frame.type !== 'hello') throw violation(`${frame.type} in place of hello`)
    if (frame.version !== CHANNEL_VERSION) {
      const { version } = frame
      const message = `the host speaks version ${version} of the channel`
      throw new MaasError('CHANNEL_VERSION_UNSUPPORTED', message, { version })
    }
    if (frame.hostId !== this.#hostId) throw violation('the hello of another host')
    this.#heardMs = this.#clock.monotonicMs()
    this.#state = 'admitting'
    return { kind: 'hello', hello: frame, skewMs: frame.wallMs - this.#clock.wallMs() }
  }

  #receivePong({ id, wallMs }: { readonly id: number; readonly wallMs: number }): HostSaid {
    if (id !== this.#pingId) throw violation('a pong that answers nothing')
    // The host read its clock somewhere between ping and pong: the middle is the best guess.
    const nowMs = this.#clock.wallMs()
    const middleMs = nowMs - (this.#clock.monotonicMs() - this.#pingSentMs) / 2
    return { kind: 'alive', skewMs: Math.round(wallMs - middleMs) }
  }

  #countEvent(): void {
    const second = Math.floor(this.#clock.monotonicMs() / 1000)
    this.#eventCount = second === this.#eventSecond ? this.#eventCount + 1 : 1
    this.#eventSecond = second
    if (this.#eventCount > EVENTS_PER_SECOND_MAX) throw violation('a flood of events')
  }

  admit(welcome: Omit<Welcome, 'type' | 'wallMs'>): string {
    assert(this.#state === 'admitting', 'a host is admitted once, after its hello')
    this.#state = 'open'
    return encodeFrame({ type: 'welcome', wallMs: this.#clock.wallMs(), ...welcome })
  }

  /** The last frame of a connection. */
  refuse(reason: unknown): string {
    this.#state = 'closed'
    return encodeFrame({ type: 'refusal', error: toWireError(reason) })
  }

  send(frame: Exclude<ControlFrame, { type: 'welcome' | 'refusal' | 'ping' }>): string {
    assert(this.#state === 'open', 'orders go to an admitted host')
    return encodeFrame(frame)
  }

  /** Call it once a second. `lost`: drop the connection. */
  tick(): { readonly send: readonly string[]; readonly lost: boolean } {
    const nowMs = this.#clock.monotonicMs()
    const quietMs = nowMs - this.#heardMs
    if (this.#state === 'closed') return { send: [], lost: true }
    if (this.#state !== 'open') return { send: [], lost: quietMs >= HELLO_TIMEOUT_MS }
    if (quietMs >= LOST_AFTER_MS) return { send: [], lost: true }
    if (nowMs - this.#pingedMs < HEARTBEAT_MS) return { send: [], lost: false }
    this.#pingedMs = nowMs
    this.#pingSentMs = nowMs
    this.#pingId += 1
    const ping = { type: 'ping', id: this.#pingId, wallMs: this.#clock.wallMs() } as const
    return { send: [encodeFrame(ping)], lost: false }
  }
}

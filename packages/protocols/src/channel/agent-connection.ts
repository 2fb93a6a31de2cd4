/**
 * The host's end of one connection, as a state machine without I/O.
 *
 *   start ──hello sent──▶ waiting ──welcome──▶ open ──silence, violation──▶ closed
 *                            └──refusal──▶ closed
 */
import { assert } from '@openmaas/kernel/assert'
import type { Clock } from '@openmaas/kernel/clock'
import {
  CHANNEL_VERSION,
  controlFrame,
  encodeFrame,
  FRAME_SIZE_MAX,
  fromWireError,
  LOST_AFTER_MS,
  parseFrame,
  violation,
} from './frames.ts'
import type { ControlFrame, Hello, HostFrame, Welcome } from './frames.ts'

export type ControlSaid =
  | { readonly kind: 'welcome'; readonly welcome: Welcome }
  | { readonly kind: 'frame'; readonly frame: Exclude<ControlFrame, Welcome | { type: 'ping' }> }
  | { readonly kind: 'ping'; readonly reply: string }

export class AgentConnection {
  readonly #clock: Clock
  #state: 'start' | 'waiting' | 'open' | 'closed' = 'start'
  #heardMs: number
  /** Control's wall clock minus this host's monotonic one, by the newest frame that told. */
  #controlOffsetMs: number | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#heardMs = clock.monotonicMs()
  }

  get isOpen(): boolean {
    return this.#state === 'open'
  }

  /** Control's time now; the host's own wall clock may be wrong. Undefined before the welcome. */
  get controlMs(): number | undefined {
    if (this.#controlOffsetMs === undefined) return undefined
    return this.#clock.monotonicMs() + this.#controlOffsetMs
  }

  begin(about: Omit<Hello, 'type' | 'version' | 'wallMs'>): string {
    assert(this.#state === 'start', 'a connection begins once')
    this.#state = 'waiting'
    const wallMs = this.#clock.wallMs()
    return encodeFrame({ type: 'hello', version: CHANNEL_VERSION, wallMs, ...about })
  }

  /** @throws MaasError CHANNEL_*, or what control refused with: drop the connection */
  receive(text: string): ControlSaid {
    assert(this.#state !== 'closed', 'a closed connection receives nothing')
    const frame = parseFrame(controlFrame, text, FRAME_SIZE_MAX)
    this.#heardMs = this.#clock.monotonicMs()
    if (frame.type === 'refusal') {
      this.#state = 'closed'
      throw fromWireError(frame.error)
    }
    if (this.#state === 'waiting') {
      if (frame.type !== 'welcome') throw violation(`${frame.type} in place of welcome`)
      this.#state = 'open'
      this.#controlOffsetMs = frame.wallMs - this.#heardMs
      return { kind: 'welcome', welcome: frame }
    }
    if (frame.type === 'welcome') throw violation('a second welcome')
    if (frame.type === 'ping') {
      this.#controlOffsetMs = frame.wallMs - this.#heardMs
      const pong = { type: 'pong', id: frame.id, wallMs: this.#clock.wallMs() } as const
      return { kind: 'ping', reply: encodeFrame(pong) }
    }
    return { kind: 'frame', frame }
  }

  send(frame: Exclude<HostFrame, { type: 'hello' | 'pong' }>): string {
    assert(this.#state === 'open', 'frames go to a control that said welcome')
    return encodeFrame(frame)
  }

  /** Ask once a second: control pings every 10 s, so silence means it is gone. */
  isLost(): boolean {
    return this.#state === 'closed' || this.#clock.monotonicMs() - this.#heardMs >= LOST_AFTER_MS
  }
}

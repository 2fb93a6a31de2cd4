/**
 * The thread of one data connection on the agent: TLS to the node on one side, the two rings of a
 * lane on the other.
 *
 *   ring of the lane ──▶ socket (a full socket is waited for)
 *   socket ──▶ ring of the lane (a full ring stops the reading)
 */
import { connect, type TLSSocket } from 'node:tls'
import { parentPort, workerData } from 'node:worker_threads'
import { setTimeout as delay } from 'node:timers/promises'
import { assert } from '@openmaas/kernel/assert'
import { type ErrorMessage, errorToMessage } from '@openmaas/kernel/error-message'
import { type ErrorCode, ERRORS, MaasError } from '@openmaas/kernel/errors'
import { Throttle } from '@openmaas/kernel/throttle'
import {
  DATA_VERSION,
  dataViolation,
  encodeFrame,
  encodeJson,
  type Frame,
  FrameDecoder,
  FrameType,
} from '@openmaas/protocols/data/frames'
import {
  capturedSnapshot,
  decodeMessage,
  failure,
  welcome,
} from '@openmaas/protocols/data/messages'
import { hasFingerprint } from '@openmaas/protocols/data/peer'
import type { ChannelSetup, FromChannel, ToChannel } from './channel-messages.ts'
import { SharedRing } from './shared-ring.ts'

assert(parentPort !== null, 'this module runs in a worker thread')
const port = parentPort
const setup = workerData as ChannelSetup
const post = (message: FromChannel): void => port.postMessage(message)

const CONNECT_TIMEOUT_MS = 15_000
const KEEP_ALIVE_MS = 15_000
/** One write to the socket. */
const PIECE_SIZE = 256 * 1024
/** Bytes the socket may hold back before the ring is left alone. */
const SOCKET_BACKLOG_MAX = 1 << 20

class Channel {
  readonly #socket: TLSSocket
  readonly #out = new SharedRing(setup.memory.out)
  readonly #in = new SharedRing(setup.memory.in)
  readonly #decoder = new FrameDecoder()
  #frames: Promise<void> = Promise.resolve()
  #welcomed = false
  #over = false
  /** Ends the waits for a turn. */
  readonly #ended = new AbortController()
  readonly #throttle = setup.throttle && new Throttle(setup.throttle)
  #drained: () => void = () => undefined

  constructor() {
    const { host, port: to, identity } = setup
    this.#socket = connect({
      host,
      port: to,
      key: identity.key,
      cert: identity.certificate,
      minVersion: 'TLSv1.3',
      // The certificate is compared below, before anything is sent: that very one counts.
      rejectUnauthorized: false,
    })
    this.#socket.setNoDelay(true)
    this.#socket.setKeepAlive(true, KEEP_ALIVE_MS)
    const timer = setTimeout(() => {
      this.fail(new MaasError('DATA_UNREACHABLE', 'the node did not answer in time', { host }))
    }, CONNECT_TIMEOUT_MS)
    this.#socket.once('secureConnect', () => {
      clearTimeout(timer)
      this.#greet()
    })
    this.#socket.on('drain', () => this.#drained())
    let reason: unknown
    this.#socket.on('error', (error) => (reason = error))
    this.#socket.once('close', () => {
      clearTimeout(timer)
      this.#drained()
      // What the node said before it closed is dealt with first: it may be the reason.
      void this.#frames.then(() => {
        const details = { host, port: to }
        const message = 'the connection to the node is gone'
        this.fail(new MaasError('DATA_UNREACHABLE', message, details, { cause: reason }))
      })
    })
    this.#socket.on('data', (bytes: Buffer) => this.#receive(bytes))
  }

  /** Tells why, and ends both sides. Only the first reason counts. */
  fail(error: unknown): void {
    if (this.#over) return
    post({ kind: 'failed', error: errorToMessage(error) })
    this.end()
  }

  end(): void {
    this.#over = true
    this.#ended.abort()
    this.#out.end()
    this.#in.end()
    this.#socket.destroy()
    port.close()
  }

  /** After everything that lanes have written, which has ended. */
  async commit(body: unknown): Promise<void> {
    while (this.#out.filled > 0 && !this.#over) await delay(1)
    this.#socket.write(encodeJson(FrameType.commit, body))
  }

  #greet(): void {
    if (!hasFingerprint(this.#socket.getPeerCertificate(), setup.fingerprint)) {
      const message = 'the node shows another certificate than the one that control named'
      this.fail(new MaasError('SERVER_NOT_TRUSTED', message))
      return
    }
    this.#socket.write(encodeJson(FrameType.hello, setup.hello))
  }

  #receive(bytes: Buffer): void {
    this.#socket.pause()
    this.#frames = this.#frames
      .then(async () => {
        for (const frame of this.#decoder.receive(bytes)) await this.#handle(frame)
        if (!this.#over) this.#socket.resume()
      })
      .catch((error: unknown) => this.fail(error))
  }

  async #handle(frame: Frame): Promise<void> {
    const { type, payload } = frame
    if (this.#over) return
    if (type === FrameType.error) throw reviveFailure(payload)
    if (!this.#welcomed) {
      if (type !== FrameType.welcome) throw dataViolation('a HELLO is answered by WELCOME')
      const message = decodeMessage(welcome, payload)
      if (message.version !== DATA_VERSION) throw dataViolation(`version ${message.version}`)
      this.#welcomed = true
      post({ kind: 'welcome', welcome: message })
      void this.#pump().catch((error: unknown) => this.fail(error))
      return
    }
    if (type === FrameType.committed) {
      post({ kind: 'committed', snapshot: decodeMessage(capturedSnapshot, payload) })
      return
    }
    if (type !== FrameType.data && type !== FrameType.flushed) {
      throw dataViolation(`frame ${type} is not for an agent, or not now`)
    }
    const bytes = encodeFrame(type, payload)
    while (this.#in.size - this.#in.filled < bytes.length) {
      if (this.#over) return
      await this.#in.roomChanged(bytes.length)
    }
    this.#in.write(bytes)
    this.#in.publish(bytes.length)
  }

  /** From the lane's ring to the socket. */
  async #pump(): Promise<void> {
    while (!this.#over) {
      const count = Math.min(this.#out.filled, PIECE_SIZE)
      if (count === 0) {
        await this.#out.bytesChanged()
        continue
      }
      // A copy: the ring's memory is the lane's again at once.
      const piece = this.#out.peek(Buffer.allocUnsafeSlow(count))
      this.#out.release(count)
      await this.#throttle?.pass(count, this.#ended.signal)
      if (this.#over) return
      this.#socket.write(piece)
      if (this.#socket.writableLength > SOCKET_BACKLOG_MAX) {
        await new Promise<void>((resolve) => (this.#drained = resolve))
      }
    }
  }
}

/** A code that this version does not know is the node's trouble all the same. */
function reviveFailure(payload: Buffer): MaasError {
  const { code, message, details } = decodeMessage(failure, payload)
  const known = code in ERRORS ? (code as ErrorCode) : 'DATA_UNREACHABLE'
  return new MaasError(known, message, details as ErrorMessage['details'])
}

const channel = new Channel()
port.on('message', (message: ToChannel) => {
  if (message.kind === 'stop') channel.end()
  else void channel.commit(message.commit).catch((error: unknown) => channel.fail(error))
})

/** One data connection from the main thread: its socket on one side, its thread on the other. */
import type { TLSSocket } from 'node:tls'
import { Worker } from 'node:worker_threads'
import { unreachable } from '@openmaas/kernel/assert'
import { reviveError } from '@openmaas/kernel/error-message'
import { MaasError } from '@openmaas/kernel/errors'
import type { SealedPack } from '@openmaas/pool/pool/types'
import { encodeJson, FrameType } from '@openmaas/protocols/data/frames'
import type { Flushed } from '@openmaas/protocols/data/messages'
import type { FromLane, LaneSetup, ToLane } from './lane-messages.ts'
import type { VerifiedSnapshot } from './verify-snapshot.ts'

/** Bytes gathered for the thread at once: the socket gives 16 KiB at most at a time. */
const BATCH_SIZE = 256 * 1024
/** Bytes that the thread has not begun on; then the socket is not read. */
const BACKLOG_MAX = 4 << 20
/** How long the last frame may take to leave. */
const END_TIMEOUT_MS = 5_000

export interface LaneOwner {
  sealed(pack: SealedPack): void
  commit(lane: Lane, payload: Buffer): void
  /** The connection or its thread has ended, or broken a rule: the session is over. */
  failed(error: unknown): void
}

type VerifyRequest = Omit<Extract<ToLane, { kind: 'verify' }>, 'kind'>

export class Lane {
  readonly #socket: TLSSocket
  readonly #owner: LaneOwner
  readonly #worker: Worker
  readonly exited: Promise<void>
  /** What it has received, as of its last FLUSH; undefined while something is not flushed. */
  received: Int32Array | undefined = new Int32Array(4)
  report: Flushed = { newBytes: 0, storedBytes: 0, busyMs: 0 }
  #batch: Uint8Array<ArrayBuffer> | undefined
  #filled = 0
  #backlog = 0
  #verified: PromiseWithResolvers<VerifiedSnapshot> | undefined
  #over = false

  constructor(socket: TLSSocket, setup: LaneSetup, owner: LaneOwner) {
    this.#socket = socket
    this.#owner = owner
    this.#worker = new Worker(new URL('./lane-thread.ts', import.meta.url), { workerData: setup })
    this.#worker.on('message', (message: FromLane) => this.#receive(message))
    this.#worker.on('error', (error) => this.#fail(error))
    this.exited = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#fail(new MaasError('INTERNAL', 'a thread of the data port ended'))
        resolve()
      })
    })
  }

  /** Reads the socket from here on. @param rest bytes that came behind the HELLO */
  begin(rest: Buffer): void {
    const socket = this.#socket
    if (rest.length > 0) this.#take(rest)
    socket.on('data', (bytes: Buffer) => this.#take(bytes))
    socket.once('close', () => {
      this.#fail(new MaasError('DATA_UNREACHABLE', 'the agent closed a data connection'))
    })
    socket.resume()
  }

  send(frame: Buffer, sent?: () => void): void {
    if (!this.#socket.destroyed) this.#socket.write(frame, sent)
  }

  verify(request: VerifyRequest): Promise<VerifiedSnapshot> {
    this.#verified = Promise.withResolvers()
    this.#post({ kind: 'verify', ...request })
    return this.#verified.promise
  }

  /** Ends connection and thread; files are closed when `exited` resolves. */
  end(lastFrame?: Buffer): void {
    if (this.#over) return
    this.#over = true
    this.#verified?.reject(new MaasError('SESSION_CLOSED', 'the session is over'))
    if (lastFrame === undefined) this.#socket.end()
    else this.#socket.end(lastFrame)
    // Not for ever, when the agent does not read.
    setTimeout(() => this.#socket.destroy(), END_TIMEOUT_MS).unref()
    this.#post({ kind: 'stop' })
  }

  #take(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      this.#batch ??= new Uint8Array(BATCH_SIZE)
      const count = Math.min(BATCH_SIZE - this.#filled, bytes.length - at)
      this.#batch.set(bytes.subarray(at, at + count), this.#filled)
      this.#filled += count
      at += count
      if (this.#filled === BATCH_SIZE) this.#hand()
    }
    // While the thread has something to do, small pieces are gathered.
    if (this.#backlog === 0) this.#hand()
    if (this.#backlog > BACKLOG_MAX) this.#socket.pause()
  }

  #hand(): void {
    const batch = this.#batch
    if (batch === undefined || this.#filled === 0) return
    const bytes = batch.subarray(0, this.#filled)
    this.#backlog += this.#filled
    this.#batch = undefined
    this.#filled = 0
    this.#worker.postMessage({ kind: 'bytes', bytes } satisfies ToLane, [batch.buffer])
  }

  #post(message: ToLane): void {
    this.#worker.postMessage(message)
  }

  #receive(message: FromLane): void {
    switch (message.kind) {
      case 'taken':
        this.#backlog -= message.count
        if (this.#backlog === 0) this.#hand()
        if (this.#backlog <= BACKLOG_MAX) this.#socket.resume()
        return
      case 'answer': {
        const { bytes } = message
        this.send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), () =>
          this.#post({ kind: 'sent', count: bytes.byteLength }),
        )
        return
      }
      case 'sealed':
        this.#owner.sealed(message.pack)
        return
      case 'dirty':
        this.received = undefined
        return
      case 'flushed':
        this.received = message.received
        this.report = message.report
        this.send(encodeJson(FrameType.flushed, message.report))
        return
      case 'commit':
        this.#owner.commit(this, Buffer.from(message.payload))
        return
      case 'verified':
        this.#verified?.resolve(message.verified)
        return
      case 'failed':
        this.#fail(reviveError(message.error))
        return
      default:
        unreachable(message)
    }
  }

  #fail(error: unknown): void {
    if (this.#over) return
    this.#owner.failed(error)
  }
}

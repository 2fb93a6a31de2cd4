/**
 * The threads of an engine that serve FUSE, as one: they begin together, and stop together when
 * the stack under them changes. Requests wait in the kernel meanwhile.
 *
 *   idle ──serve──▶ serving ──stop──▶ idle        unmounted: all have ended
 */
import type { Worker } from 'node:worker_threads'
import { assert } from '@openmaas/kernel/assert'
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import { read, write } from '@openmaas/kernel/posix/files'
import { socketPair } from '@openmaas/kernel/posix/socket'
import type { StackHandoff } from '../stack/device-stack.ts'
import { FUSE_FD } from './keeper.ts'
import {
  CONTROL_WORDS,
  type FuseThreadMessage,
  type FuseThreadStart,
  SLOT,
} from './thread-messages.ts'
import { FUSE_THREADS, startFuseThread } from './warm-threads.ts'

export interface FuseThreadsOptions {
  /** Threads that were started ahead. */
  readonly warm: Worker[]
  /** Of a medium with a limit (kernel/throttle.ts). */
  readonly throttle: SharedArrayBuffer | undefined
  readonly onFailure: (operation: string, error: ErrorMessage) => void
  readonly onUnmounted: () => void
  /** A thread ended that should not have. */
  readonly onLost: (error: unknown) => void
}

export class FuseThreads {
  readonly #options: FuseThreadsOptions
  readonly #control = new Int32Array(new SharedArrayBuffer(CONTROL_WORDS * 4))
  readonly #workers: Worker[]
  /** A byte in it wakes the threads from their wait for requests. */
  readonly #wake = socketPair()
  #serving = 0
  #stopped: (() => void) | undefined
  #closing = false

  constructor(options: FuseThreadsOptions) {
    this.#options = options
    this.#workers = Array.from({ length: FUSE_THREADS }, () => {
      const worker = options.warm.pop() ?? startFuseThread()
      worker.on('message', (message: FuseThreadMessage) => this.#receive(message))
      worker.on('error', (error) => this.#lose(error))
      worker.on('exit', () => this.#lose(new Error('a FUSE thread ended without a reason')))
      return worker
    })
  }

  get requests(): number {
    return Atomics.load(this.#control, SLOT.requests)
  }

  get failures(): number {
    return Atomics.load(this.#control, SLOT.failures)
  }

  serve(stack: StackHandoff): void {
    assert(this.#serving === 0, 'the threads have stopped')
    Atomics.store(this.#control, SLOT.stop, 0)
    this.#serving = this.#workers.length
    const control = this.#control.buffer as SharedArrayBuffer
    const { throttle } = this.#options
    const limit = throttle === undefined ? {} : { throttle }
    const start: FuseThreadStart = { fd: FUSE_FD, wakeFd: this.#wake[0], stack, control, ...limit }
    for (const worker of this.#workers) worker.postMessage(start)
  }

  /** Resolves when no thread has a request under way, nor takes one. */
  async stop(): Promise<void> {
    if (this.#serving === 0) return
    Atomics.store(this.#control, SLOT.stop, 1)
    const byte = Buffer.alloc(1)
    write(this.#wake[1], byte)
    await new Promise<void>((resolve) => (this.#stopped = resolve))
    read(this.#wake[0], byte)
  }

  /** Ends them; they have stopped. */
  async close(): Promise<void> {
    this.#closing = true
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #receive(message: FuseThreadMessage): void {
    if (message.kind === 'failure') {
      this.#options.onFailure(message.operation, message.error)
      return
    }
    this.#serving -= 1
    if (message.reason === 'unmounted') this.#options.onUnmounted()
    if (this.#serving > 0) return
    this.#stopped?.()
    this.#stopped = undefined
  }

  #lose(error: unknown): void {
    if (!this.#closing) this.#options.onLost(error)
  }
}

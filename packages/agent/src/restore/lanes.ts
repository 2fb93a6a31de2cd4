/** The worker threads of a restore: each step is given to all of them and awaited. */
import { Worker } from 'node:worker_threads'
import { unreachable } from '@openmaas/kernel/assert'
import { reviveError } from '@openmaas/kernel/error-message'
import type { FromRestoreLane, RestoreSetup, ToRestoreLane } from './messages.ts'
import type { RestoreWarning } from './types.ts'

const STOP_WAIT_MS = 5_000

export class RestoreLanes {
  readonly #workers: Worker[] = []
  readonly #exits: Promise<void>[] = []
  readonly #control: Int32Array
  readonly warnings: RestoreWarning[] = []
  warningCount = 0
  #stopping = false
  #pending = 0
  #step: PromiseWithResolvers<void> | undefined
  #failure: Error | undefined

  constructor(setups: readonly RestoreSetup[]) {
    this.#control = new Int32Array(setups[0]!.control)
    for (const workerData of setups) {
      const worker = new Worker(new URL('./lane-worker.ts', import.meta.url), { workerData })
      worker.on('message', (message: FromRestoreLane) => this.#receive(message))
      worker.on('error', (error) => this.fail(error))
      this.#exits.push(
        new Promise((resolve) => {
          worker.once('exit', () => {
            if (!this.#stopping) this.fail(new Error('a lane ended before its time'))
            resolve()
          })
        }),
      )
      this.#workers.push(worker)
    }
  }

  /** Gives the step to all lanes. @throws what failed one of them */
  async run(message: ToRestoreLane): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#step = Promise.withResolvers()
    this.#pending = this.#workers.length
    for (const worker of this.#workers) worker.postMessage(message)
    await this.#step.promise
    this.#step = undefined
  }

  fail(error: Error): void {
    this.#failure ??= error
    Atomics.store(this.#control, 1, 1)
    this.#step?.reject(this.#failure)
  }

  /** Collects the warnings and ends the threads. */
  async stop(): Promise<void> {
    this.#stopping = true
    for (const worker of this.#workers) worker.postMessage({ kind: 'stop' })
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(() => late.resolve(), STOP_WAIT_MS)
    await Promise.race([Promise.all(this.#exits), late.promise])
    clearTimeout(timer)
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #receive(message: FromRestoreLane): void {
    switch (message.kind) {
      case 'done':
        this.#pending -= 1
        if (this.#pending === 0) this.#step?.resolve()
        return
      case 'warnings':
        this.warnings.push(...message.kept)
        this.warningCount += message.count
        return
      case 'failed':
        this.fail(reviveError(message.error))
        return
      default:
        unreachable(message)
    }
  }
}

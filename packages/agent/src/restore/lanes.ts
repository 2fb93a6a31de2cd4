/** The worker threads of a restore: each step is given to all of them and awaited. */
import type { Worker } from 'node:worker_threads'
import { unreachable } from '@openmaas/kernel/assert'
import { reviveError } from '@openmaas/kernel/error-message'
import type { FromRestoreLane, RestoreSetup, ToRestoreLane } from './messages.ts'
import type { RestoreWarning } from './types.ts'
import { WarmRestoreLanes } from './warm-lanes.ts'

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

  constructor(setups: readonly RestoreSetup[], warm = new WarmRestoreLanes(0)) {
    this.#control = new Int32Array(setups[0]!.control)
    for (const [i, worker] of warm.take(setups.length).entries()) {
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
      this.#send(worker, { kind: 'setup', setup: setups[i]! })
    }
  }

  /** Gives the step to all lanes. @throws what failed one of them */
  async run(message: ToRestoreLane): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#step = Promise.withResolvers()
    this.#pending = this.#workers.length
    for (const worker of this.#workers) this.#send(worker, message)
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
    for (const worker of this.#workers) this.#send(worker, { kind: 'stop' })
    const late = Promise.withResolvers<void>()
    const timer = setTimeout(() => late.resolve(), STOP_WAIT_MS)
    await Promise.race([Promise.all(this.#exits), late.promise])
    clearTimeout(timer)
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #send(worker: Worker, message: ToRestoreLane): void {
    worker.postMessage(message)
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

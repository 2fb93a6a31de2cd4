/**
 * Lane threads started ahead: they load their code while the caller unlocks the pool. Imports
 * nothing of the product, so that starting them is the first thing a command can do.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { endLane, takeEarlyLanes } from './early-lanes.ts'

export class WarmLanes implements AsyncDisposable {
  readonly #workers: Worker[]

  constructor(count = availableParallelism()) {
    // May be more than are wanted: those wait with the others for the end.
    this.#workers = takeEarlyLanes()
    while (this.#workers.length < count) this.#workers.push(startLane())
  }

  get count(): number {
    return this.#workers.length
  }

  /** Hands over that many threads, new ones where too few are warm. */
  take(count: number): Worker[] {
    const taken = this.#workers.splice(0, count)
    while (taken.length < count) taken.push(startLane())
    return taken
  }

  /** Ends the threads that nobody has taken. @throws what kept one of them from loading */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#workers.splice(0).map((worker) => endLane(worker)))
  }
}

export function startLane(): Worker {
  return new Worker(new URL('./lane-worker.ts', import.meta.url))
}

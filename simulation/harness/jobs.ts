/** What a worker process is asked to simulate, and what it answers. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { Patch } from './patches.ts'

export type WorldKind = 'pool' | 'overlay'

/** The first message: which patches the process loads the product with. */
export interface WorkerSetup {
  readonly patches: readonly Patch[]
}

export interface Job {
  readonly kind: WorldKind
  readonly firstSeed: number
  readonly seedCount: number
  /** Steps of each world. */
  readonly operations: number
  /** Ends the job at the first seed that fails: a mutant is dead then. */
  readonly stopAtFailure: boolean
}

export interface Failure {
  readonly kind: WorldKind
  readonly seed: number
  readonly message: string
  readonly stack: string
}

export interface JobResult {
  readonly job: Job
  readonly seedsRun: number
  readonly counts: Readonly<Record<string, number>>
  readonly failures: readonly Failure[]
}

/** A process that runs one job at a time. */
export class Worker {
  readonly #child: ChildProcess

  constructor(setup: WorkerSetup) {
    this.#child = fork(join(import.meta.dirname, 'worker.ts'), {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    })
    this.#child.send(setup)
  }

  run(job: Job): Promise<JobResult> {
    const child = this.#child
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null): void => {
        reject(new Error(`a simulation process ended with ${code}, in ${JSON.stringify(job)}`))
      }
      child.once('exit', onExit)
      child.once('message', (result) => {
        child.off('exit', onExit)
        resolve(result as JobResult)
      })
      child.send(job)
    })
  }

  close(): void {
    this.#child.kill()
  }
}

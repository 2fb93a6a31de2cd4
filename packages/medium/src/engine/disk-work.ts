/** The engine's side of its disk thread, which is started when it is first needed. */
import { Worker } from 'node:worker_threads'
import { reviveError } from '@openmaas/kernel/error-message'
import type { DiskAnswer, DiskOrder, DiskTask, LoadedPoint } from './disk-thread.ts'

export class DiskWork {
  readonly #brick: string
  #worker: Worker | undefined

  constructor(brick: string) {
    this.#brick = brick
  }

  /** One task at a time. @throws MaasError of the task */
  async perform(task: DiskTask): Promise<LoadedPoint | undefined> {
    this.#worker ??= new Worker(new URL('disk-thread.ts', import.meta.url))
    const worker = this.#worker
    const { promise, resolve, reject } = Promise.withResolvers<DiskAnswer>()
    const ended = (): void => {
      this.#worker = undefined
      reject(new Error('the disk thread ended without an answer'))
    }
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', ended)
    try {
      worker.postMessage({ ...task, brick: this.#brick } satisfies DiskOrder)
      const answer = await promise
      if ('error' in answer) throw reviveError(answer.error)
      return answer.loaded
    } finally {
      worker.off('message', resolve)
      worker.off('error', reject)
      worker.off('exit', ended)
    }
  }

  async close(): Promise<void> {
    await this.#worker?.terminate()
  }
}

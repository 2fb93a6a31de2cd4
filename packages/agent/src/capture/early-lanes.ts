/**
 * Lane threads that the launcher of the command (tools/bundle.ts) has started before it loads the
 * command: of the kind that the command wants, or none. Imports nothing of the product.
 */
import type { Worker } from 'node:worker_threads'

const HOLDER = Symbol.for('openmaas.lanes')

/** Whoever takes them ends them. */
export function takeEarlyLanes(): Worker[] {
  const holder = globalThis as { [HOLDER]?: Worker[] }
  const workers = holder[HOLDER] ?? []
  delete holder[HOLDER]
  return workers
}

/**
 * Asked, not terminated: to terminate a thread that is loading a native module aborts us all.
 *
 * @throws what kept the thread from loading
 */
export function endLane(worker: Worker): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  worker.once('error', reject)
  worker.once('exit', () => resolve())
  worker.postMessage({ kind: 'stop' })
  return promise
}

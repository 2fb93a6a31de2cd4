/**
 * FUSE threads that are started before there is anything to serve: they load their code while the
 * engine loads its own and opens the pool. Imports nothing of the product, so that starting them
 * is the first thing an engine can do.
 */
import { Worker } from 'node:worker_threads'

/** Threads that serve FUSE. More than two help only where reads wait for a slow disk. */
export const FUSE_THREADS = 2

/** The thread waits for a FuseThreadStart. */
export function startFuseThread(): Worker {
  return new Worker(new URL('fuse-thread.ts', import.meta.url))
}

export function warmFuseThreads(): Worker[] {
  return Array.from({ length: FUSE_THREADS }, startFuseThread)
}

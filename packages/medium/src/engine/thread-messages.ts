/** What the engine's main thread and its FUSE threads say to each other. */
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import type { StackHandoff } from '../stack/device-stack.ts'

/** Words of the shared control block. */
export const SLOT = { stop: 0, requests: 1, failures: 2 } as const
export const CONTROL_WORDS = 3

/** To a thread, which answers `end` when it serves no more: `stop` was set, or it is unmounted. */
export interface FuseThreadStart {
  readonly fd: number
  /** Readable while the threads are to stop: they wait for it beside the requests. */
  readonly wakeFd: number
  readonly stack: StackHandoff
  /** CONTROL_WORDS Int32 words, shared by all threads. */
  readonly control: SharedArrayBuffer
  /** Of a medium with a limit (kernel/throttle.ts), shared with everything that serves it. */
  readonly throttle?: SharedArrayBuffer
}

export type FuseThreadMessage =
  | { readonly kind: 'failure'; readonly operation: string; readonly error: ErrorMessage }
  | { readonly kind: 'end'; readonly reason: 'unmounted' | 'stopped' }

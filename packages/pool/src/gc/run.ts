/** One run of the garbage collector: what it is given and what it tells. */
import { MaasError } from '@openmaas/kernel/errors'
import type { ChunkReader } from '../pool/chunk-reader.ts'
import type { PoolCore } from '../pool/core.ts'

/** Pack numbers in one log record: 4,096 of at most 8 digits fit it many times. */
export const PACKS_PER_RECORD = 4096

export interface GcOptions {
  /** The second approval. */
  readonly approve?: boolean
  /** 0 rewrites nothing, 1 every pack with garbage in it; default a half. */
  readonly compactBelow?: number
  readonly compactBytesMax?: number
  /** Pool time between CONDEMN and DELETE; default none: sessions and pins decide alone. */
  readonly delayMs?: number
  /** Reports what would be done and changes nothing. */
  readonly dryRun?: boolean
}

export interface GcReport {
  readonly snapshots: number
  readonly chunksMarked: number
  /** Packs without any reference, and packs to be rewritten. */
  readonly garbagePacks: number
  readonly garbageBytes: number
  readonly sparsePacks: number
  readonly sparseBytes: number
  /** Why an approval is needed; empty when it is not. */
  readonly needsApproval: readonly string[]
  readonly condemnedPacks: number
  readonly copiedBytes: number
  readonly deletedPacks: number
  readonly deletedBytes: number
  /** Condemned packs that still wait for sessions, pins or the delay. */
  readonly waitingPacks: number
}

export interface GcProgress {
  readonly phase: 'mark' | 'compact' | 'verify' | 'delete'
  readonly done: number
  readonly total: number
}

export interface GcRun {
  readonly core: PoolCore
  readonly reader: ChunkReader
  /** Per brick; a collection may use the reserve. */
  readonly reserves: readonly number[]
  readonly options: GcOptions
  readonly onProgress: (progress: GcProgress) => void
  readonly signal: AbortSignal | undefined
}

export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted !== true) return
  throw new MaasError('CANCELLED', 'the garbage collection was cancelled')
}

export function aborted(snapshot: string, cause: unknown): MaasError {
  const what = 'the garbage collection stopped: a snapshot could not be read whole'
  return new MaasError('GC_ABORTED', what, { snapshot }, { cause })
}

/** What coordinator and lanes say to each other. Everything is structured-cloneable. */
import type { ErrorMessage } from '@openmaas/kernel/error-message'
import type { ChunkSink } from '@openmaas/pool/chunk/chunk'
import type { ReaderHandoff } from '@openmaas/pool/pool/chunk-reader'
import type { LaneHandoff } from '@openmaas/pool/pool/lane'
import type { SealedPack } from '@openmaas/pool/pool/types'
import type { BuiltDirectory } from '@openmaas/pool/tree/directory-builder'
import type { EntryStat, TreeEntry } from '@openmaas/pool/tree/entry'
import type { XattrPair } from '@openmaas/pool/tree/footprint'
import type { Weights } from '@openmaas/pool/tree/weights'
import type { ChannelMemory } from '../remote/remote-lane.ts'
import type { LinkBatch } from './link-collector.ts'
import type { CaptureRules, CaptureWarning } from './types.ts'

/** A directory that some lane has to capture. */
export interface DirectoryTask {
  /** From the source's directory, bytes as latin1 characters; empty for itself. */
  readonly path: string
  /** The entry of the parent snapshot at the same path. */
  readonly oldEntry: Uint8Array | undefined
}

/** What a directory has become; undefined when it could not be read. */
export interface DirectoryResult {
  readonly stat: EntryStat
  readonly built: BuiltDirectory
  readonly xattrs: readonly XattrPair[]
}

/** A large file whose segments any idle lane may capture; see large-file.ts. */
export interface LargeFileOffer {
  readonly path: string
  /** The file that the owner has open: another may have taken its name. */
  readonly file: DeviceInode
  readonly size: number
  readonly fixed: boolean
  readonly sparse: boolean
  readonly memory: SharedArrayBuffer
  /** The entry it had in the parent snapshot. */
  readonly old?: Uint8Array
}

export type ToLane =
  /** The first message. */
  | { readonly kind: 'setup'; readonly data: LaneWorkerData }
  | { readonly kind: 'task'; readonly task: DirectoryTask; readonly ticket: number }
  | {
      readonly kind: 'result'
      readonly ticket: number
      readonly result: DirectoryResult | undefined
    }
  | { readonly kind: 'help'; readonly offer: LargeFileOffer }
  /** Seal what is open and tell what is left to tell; only when no lane has work. */
  | { readonly kind: 'end'; readonly finish: FinishRequest | undefined }
  /** The run has failed: close files and end. */
  | { readonly kind: 'stop' }

export type FromLane =
  /** `handled` counts the messages taken, so that an older word is not believed. */
  | { readonly kind: 'idle'; readonly handled: number }
  /** A task for another lane; the result comes back with the ticket of the offering lane. */
  | { readonly kind: 'offer'; readonly task: DirectoryTask; readonly ticket: number }
  | {
      readonly kind: 'result'
      readonly ticket: number
      readonly result: DirectoryResult | undefined
    }
  | { readonly kind: 'helpWanted'; readonly offer: LargeFileOffer }
  | { readonly kind: 'ended'; readonly report: LaneReport; readonly root: RootResult | undefined }
  | { readonly kind: 'sealed'; readonly pack: SealedPack }
  | { readonly kind: 'failed'; readonly error: ErrorMessage }

export interface LaneReport {
  readonly links: LinkBatch
  readonly warnings: readonly CaptureWarning[]
  readonly warningCount: number
  readonly uids: readonly number[]
  readonly gids: readonly number[]
  /** Milliseconds it waited for the line to a node. */
  readonly waitedMs?: number
}

/** The last lane to end writes the link table and the root record. */
export interface FinishRequest {
  readonly root: DirectoryResult
  readonly links: readonly LinkBatch[]
}

export interface RootResult {
  readonly id: Uint8Array
  /** Of the whole snapshot. */
  readonly weights: Weights
}

/** What a lane needs to know of the run. */
export interface LaneSetup {
  readonly lane: number
  readonly path: string
  readonly rules: CaptureRules
  readonly parentRoot: Uint8Array | undefined
  /** Directories never gone into: the pool's own. */
  readonly skip: readonly DeviceInode[]
  readonly counters: SharedArrayBuffer
  /** Int32: [0] how many idle lanes nobody has promised work to, [1] 1 when the run is over. */
  readonly hungry: SharedArrayBuffer
  /** Of a capture with a limit (kernel/throttle.ts), where the line does not keep it. */
  readonly throttle?: SharedArrayBuffer
}

/** What the worker thread of a lane is set up with: a pool of this process, or a node's. */
export type LaneWorkerData = { readonly setup: LaneSetup } & (
  | { readonly session: LaneHandoff; readonly reader: ReaderHandoff }
  | { readonly remote: RemoteHandoff }
)

/** The keys that a node hands out for a session, and the channel of one lane. */
export interface RemoteHandoff {
  readonly memory: ChannelMemory
  readonly chunkIdKey: Uint8Array
  readonly chunkerKey: Uint8Array
}

/** Where a lane puts chunks. */
export interface CaptureSink extends ChunkSink {
  /** A file has changed: what stood in it before need not be sent again, where that costs. */
  expect?(old: TreeEntry): void
}

export interface DeviceInode {
  readonly deviceMajor: number
  readonly deviceMinor: number
  readonly inoLow: number
  readonly inoHigh: number
}

/** Structured clone turns Buffers into plain byte arrays: makes them Buffers again, in place. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function reviveResult(result: DirectoryResult | undefined): DirectoryResult | undefined {
  if (result === undefined) return undefined
  return {
    stat: result.stat,
    built: { ...result.built, node: asBuffer(result.built.node) },
    xattrs: result.xattrs.map(({ name, value }) => ({
      name: asBuffer(name),
      value: asBuffer(value),
    })),
  }
}

/**
 * What a change of the medium does on its disk, in a thread: the engine's main thread serves NBD
 * meanwhile, and must not wait for a sync.
 */
import { parentPort } from 'node:worker_threads'
import { assert, unreachable } from '@openmaas/kernel/assert'
import { type ErrorMessage, errorToMessage } from '@openmaas/kernel/error-message'
import type { LayerId } from '@openmaas/kernel/ids'
import { NodeFs } from '@openmaas/kernel/node-fs'
import type { ReaderHandoff } from '@openmaas/pool/pool/chunk-reader'
import { PoolReader } from '@openmaas/pool/pool/reader'
import { mediaDirectory, type MediumRecord, saveMedium } from '../media/record.ts'
import { LayerStore } from '../overlay/layer-store.ts'
import type { OverlayHandoff } from '../overlay/overlay.ts'
import { flushOverlay } from '../overlay/prepare.ts'
import type { SnapshotDescription } from '../stack/build-stack.ts'
import { describeSnapshot } from '../stack/prepare-stack.ts'
import { type Frozen, settleFrozen } from '../stack/settle.ts'

export type DiskTask =
  /** Most of what a freeze has to make durable, before anyone waits for it. */
  | { readonly kind: 'flush'; readonly overlay: OverlayHandoff }
  | { readonly kind: 'save'; readonly record: MediumRecord }
  | { readonly kind: 'create'; readonly id: LayerId; readonly size: number }
  | { readonly kind: 'settle'; readonly frozen: Frozen }
  /** The pool as it is now, for what the medium is to stand on. */
  | { readonly kind: 'load'; readonly masterKey: Uint8Array; readonly record: MediumRecord }

/** What a medium is to stand on, and how threads read it. */
export interface LoadedPoint {
  readonly reader: ReaderHandoff
  readonly snapshot: SnapshotDescription
}

export type DiskOrder = DiskTask & { readonly brick: string }
export type DiskAnswer = { readonly error: ErrorMessage } | { readonly loaded?: LoadedPoint }

const port = parentPort
assert(port !== null, 'the disk thread is started as a worker')
const fs = new NodeFs()

async function perform(order: DiskOrder): Promise<LoadedPoint | undefined> {
  const store = new LayerStore(fs, mediaDirectory(order.brick))
  switch (order.kind) {
    case 'flush':
      flushOverlay(fs, order.overlay)
      return undefined
    case 'save':
      saveMedium(fs, order.brick, order.record)
      return undefined
    case 'create':
      store.create(order.id, order.size)
      return undefined
    case 'settle':
      settleFrozen(fs, store, order.frozen)
      return undefined
    case 'load':
      return load(order)
    default:
      return unreachable(order)
  }
}

async function load(order: Extract<DiskOrder, { kind: 'load' }>): Promise<LoadedPoint> {
  const { brick, masterKey, record } = order
  const reader = await PoolReader.open({ path: brick, unlock: { masterKey }, fs })
  try {
    return { reader: reader.handoff(), snapshot: describeSnapshot(reader, record) }
  } finally {
    reader.close() // What was handed off stays readable.
  }
}

port.on('message', (order: DiskOrder) => {
  perform(order).then(
    (loaded) => port.postMessage((loaded === undefined ? {} : { loaded }) satisfies DiskAnswer),
    (error: unknown) => port.postMessage({ error: errorToMessage(error) } satisfies DiskAnswer),
  )
})

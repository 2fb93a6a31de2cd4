/**
 * What a change of the medium does on its disk, in a thread: the engine's main thread serves NBD
 * meanwhile, and must not wait for a sync.
 */
import { parentPort } from 'node:worker_threads'
import { assert, unreachable } from '@openmaas/kernel/assert'
import { type ErrorMessage, errorToMessage } from '@openmaas/kernel/error-message'
import type { LayerId } from '@openmaas/kernel/ids'
import { NodeFs } from '@openmaas/kernel/node-fs'
import { mediaDirectory, type MediumRecord, saveMedium } from '../media/record.ts'
import { LayerStore } from '../overlay/layer-store.ts'
import type { OverlayHandoff } from '../overlay/overlay.ts'
import { flushOverlay } from '../overlay/prepare.ts'
import { type Frozen, settleFrozen } from '../stack/settle.ts'

export type DiskTask =
  /** Most of what a freeze has to make durable, before anyone waits for it. */
  | { readonly kind: 'flush'; readonly overlay: OverlayHandoff }
  | { readonly kind: 'save'; readonly record: MediumRecord }
  | { readonly kind: 'create'; readonly id: LayerId; readonly size: number }
  | { readonly kind: 'settle'; readonly frozen: Frozen }

export type DiskOrder = DiskTask & { readonly brick: string }
export type DiskAnswer = { readonly error?: ErrorMessage }

const port = parentPort
assert(port !== null, 'the disk thread is started as a worker')
const fs = new NodeFs()

function perform(order: DiskOrder): void {
  const store = new LayerStore(fs, mediaDirectory(order.brick))
  switch (order.kind) {
    case 'flush':
      return flushOverlay(fs, order.overlay)
    case 'save':
      return saveMedium(fs, order.brick, order.record)
    case 'create':
      return store.create(order.id, order.size)
    case 'settle':
      return settleFrozen(fs, store, order.frozen)
    default:
      return unreachable(order)
  }
}

port.on('message', (order: DiskOrder) => {
  let answer: DiskAnswer = {}
  try {
    perform(order)
  } catch (error) {
    answer = { error: errorToMessage(error) }
  }
  port.postMessage(answer)
})

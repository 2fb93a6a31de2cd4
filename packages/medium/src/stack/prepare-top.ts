/** The layer of a medium that takes the writes: made when it is new, recovered when it is not. */
import { MaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import type { LayerId } from '@openmaas/kernel/ids'
import type { LayerStore } from '../overlay/layer-store.ts'
import { type PreparedOverlay, prepareOverlay } from '../overlay/prepare.ts'

export interface PrepareTopOptions {
  readonly fs: Fs
  readonly store: LayerStore
  readonly id: LayerId
  readonly size: number
  readonly bootId: string
  readonly quotaBytes: number
}

/** @throws MaasError MEDIUM_BUSY, OVERLAY_INVALID, FS_* */
export function prepareTop(options: PrepareTopOptions): PreparedOverlay {
  const { fs, store, id, size, bootId: boot, quotaBytes } = options
  const known = store.load(id)
  if (known?.frozen === true) {
    throw new MaasError('OVERLAY_INVALID', 'the top layer of the medium is frozen', { id })
  }
  if (known === undefined) store.create(id, size)
  const overlay = prepareOverlay({ fs, directory: store.pathOf(id), bootId: boot, quotaBytes })
  if (overlay.handoff.size === size) return overlay
  overlay.close()
  throw new MaasError('OVERLAY_INVALID', 'the overlay is not of the size of its base', { size })
}

/**
 * The part of a freeze that waits for the disk. Until it is done, flushes of the layer above wait
 * for the commit lock, which was taken when that layer was put on top.
 */
import type { Fs } from '@openmaas/kernel/fs'
import type { LayerId } from '@openmaas/kernel/ids'
import type { LayerStore } from '../overlay/layer-store.ts'
import type { OverlayHandoff } from '../overlay/overlay.ts'
import { settlePrepared } from '../overlay/prepare.ts'
import { CONTROL, SharedState } from '../overlay/shared-state.ts'

/** Cloneable: any thread of the engine may settle it. */
export interface Frozen {
  readonly id: LayerId
  readonly overlay: OverlayHandoff
  /** Shared state of the layer above. */
  readonly above: SharedArrayBuffer
}

/**
 * Makes what was frozen durable, and lets the flushes of the layer above go on.
 *
 * @throws MaasError OVERLAY_FAILED, FS_*: then the layer above only reads, for a flush of it would
 *   promise what does not hold
 */
export function settleFrozen(fs: Fs, store: LayerStore, { id, overlay, above }: Frozen): void {
  const state = new SharedState(above)
  try {
    settlePrepared(fs, overlay)
    store.markFrozen(id)
  } catch (error) {
    Atomics.store(state.control, CONTROL.failed, 1)
    throw error
  } finally {
    state.unlock(CONTROL.commitLock)
  }
}

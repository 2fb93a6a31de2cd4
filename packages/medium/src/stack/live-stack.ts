/**
 * The stack that an engine serves, and how it changes under the threads that serve it:
 *
 *   freeze   the overlay becomes the topmost frozen layer, an empty one takes the writes
 *   rebase   the point below is another, which holds the lowest layers already
 *
 * Either gives a new handoff, which every thread opens in place of the one it has. For a freeze
 * they all stand still between the two; a rebase changes no byte, so they may follow one by one.
 */
import { assert } from '@openmaas/kernel/assert'
import type { Fs } from '@openmaas/kernel/fs'
import type { LayerId } from '@openmaas/kernel/ids'
import type { ReaderHandoff } from '@openmaas/pool/pool/chunk-reader'
import { GrainMap } from '../overlay/grain-map.ts'
import { GRAIN_SIZE } from '../overlay/format.ts'
import { addLayer, type FrozenLayer, mergeLayers } from '../overlay/layered-device.ts'
import type { LayerStore } from '../overlay/layer-store.ts'
import type { OverlayHandoff } from '../overlay/overlay.ts'
import type { PreparedOverlay } from '../overlay/prepare.ts'
import { CONTROL, SharedState } from '../overlay/shared-state.ts'
import type { SnapshotDescription, StackDescription } from './build-stack.ts'
import { DeviceStack, type StackHandoff } from './device-stack.ts'
import { prepareTop } from './prepare-top.ts'
import type { Frozen } from './settle.ts'

export interface LiveStackParts {
  readonly fs: Fs
  readonly store: LayerStore
  readonly reader: ReaderHandoff
  readonly bootId: string
  readonly description: StackDescription
  readonly frozen: readonly FrozenLayer[]
  readonly overlay: PreparedOverlay | undefined
  /** By default a DeviceStack. */
  readonly open?: (handoff: StackHandoff) => LiveDevice
}

/** What the owner of the stack needs of its own device. */
export type LiveDevice = Pick<DeviceStack, 'size' | 'overlayBytes' | 'flush' | 'close'>

/** An empty layer, ready to take the writes. */
export interface NextTop {
  readonly overlay: PreparedOverlay
}

export class LiveStack {
  readonly #fs: Fs
  readonly #store: LayerStore
  readonly #bootId: string
  #description: StackDescription
  #reader: ReaderHandoff
  #frozen: readonly FrozenLayer[]
  #overlay: PreparedOverlay | undefined
  #device: LiveDevice
  readonly #open: (handoff: StackHandoff) => LiveDevice

  constructor(parts: LiveStackParts) {
    this.#fs = parts.fs
    this.#store = parts.store
    this.#bootId = parts.bootId
    this.#description = parts.description
    this.#reader = parts.reader
    this.#frozen = parts.frozen
    this.#overlay = parts.overlay
    this.#open = parts.open ?? ((handoff) => DeviceStack.open(handoff, { fs: parts.fs }))
    this.#device = this.#open(this.handoff)
  }

  /** What each thread opens (device-stack.ts). */
  get handoff(): StackHandoff {
    return { ...this.#description, reader: this.#reader }
  }

  get size(): number {
    return this.#device.size
  }

  /** Bytes that the layer on top has taken. */
  overlayBytes(): number {
    return this.#device.overlayBytes
  }

  /** What takes the writes. */
  get overlay(): OverlayHandoff {
    assert(this.#overlay !== undefined, 'a medium that is written to has an overlay')
    return this.#overlay.handoff
  }

  /** Everything completed is durable afterwards. @throws MaasError OVERLAY_FAILED, FS_* */
  flush(): void {
    this.#device.flush()
  }

  /**
   * Makes the layer ready that will be on top, while the threads go on serving.
   *
   * @param size of the device from then on
   */
  prepareTop(id: LayerId, size: number): NextTop {
    assert(size >= this.size && this.#overlay !== undefined, 'a writable device does not shrink')
    const { quotaBytes } = this.#overlay.handoff
    const [fs, store, boot] = [this.#fs, this.#store, this.#bootId]
    return { overlay: prepareTop({ fs, store, id, size, bootId: boot, quotaBytes }) }
  }

  /**
   * Puts the new layer on top. No thread has a request under way; each opens `handoff` before its
   * next one.
   *
   * @param id of the layer that was on top
   * @returns what is to be settled (settle.ts), and `release` for afterwards
   */
  freeze({ overlay }: NextTop, id: LayerId): { frozen: Frozen; release: () => void } {
    const before = this.#overlay
    assert(before !== undefined, 'a medium that is written to has an overlay')
    const { directory, map, size } = before.handoff
    const layer = { directory, map: new GrainMap(Math.ceil(size / GRAIN_SIZE), map) }
    const { state } = overlay.handoff
    new SharedState(state).lock(CONTROL.commitLock)
    const { snapshot, layers: below } = this.#description
    const { size: sizeNow } = overlay.handoff
    const layers = addLayer(below, layer, sizeNow)
    this.#change({ snapshot, size: sizeNow, layers, overlay: overlay.handoff })
    this.#frozen = [...this.#frozen, layer]
    this.#overlay = overlay
    const frozen: Frozen = { id, overlay: before.handoff, above: state }
    return { frozen, release: () => before.close() }
  }

  /**
   * Makes the stack over the new point ready, while the threads go on serving.
   *
   * @param count how many of the lowest layers the point holds
   * @returns the change itself: no thread has a request under way
   */
  prepareRebase(reader: ReaderHandoff, snapshot: SnapshotDescription, count: number): () => void {
    assert(count <= this.#frozen.length, 'what was sealed was frozen')
    const { size } = this
    const frozen = this.#frozen.slice(count)
    const layers = mergeLayers(frozen, size)
    const overlay = this.#overlay?.handoff
    const description = { snapshot, size, ...(layers && { layers }), ...(overlay && { overlay }) }
    return () => {
      this.#reader = reader
      this.#change(description)
      this.#frozen = frozen
    }
  }

  #change(description: StackDescription): void {
    const device = this.#open({ ...description, reader: this.#reader })
    this.#device.close()
    this.#device = device
    this.#description = description
  }

  /** Releases the overlay. All threads have closed their stacks before. */
  close(): void {
    this.#device.close()
    this.#overlay?.close()
  }
}

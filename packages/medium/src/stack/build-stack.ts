/**
 * The devices of a medium, one on the other:
 *
 *   overlay (this medium's writes)          absent when read-only
 *   frozen layers, merged                   absent when there are none
 *   zeros behind the snapshot's end         absent unless the volume has grown
 *   volume map, when the point is a volume
 *   ext4 view of a tree snapshot            absent when the volume has no base
 *
 * Every thread of an engine builds its own from one cloneable handoff; what they share (grain
 * maps, commit state) lies in shared memory.
 */
import { assert } from '@openmaas/kernel/assert'
import type { SyncBlockDevice } from '@openmaas/kernel/block-device'
import type { Fs } from '@openmaas/kernel/fs'
import type { ChunkSource } from '@openmaas/pool/chunk/chunk'
import { readVolumeRoot } from '@openmaas/pool/volume/root'
import { VolumeView } from '@openmaas/pool/volume/view'
import { Ext4View } from '../ext4/ext4-view.ts'
import { LayeredDevice, type LayersHandoff } from '../overlay/layered-device.ts'
import { GrownDevice } from './grown-device.ts'
import { Overlay, type OverlayDeps, type OverlayHandoff } from '../overlay/overlay.ts'

/** Which snapshot, and how it becomes a device. */
export interface SnapshotDescription {
  readonly kind: 'tree' | 'volume'
  /** Chunk id of the root, 64 hex digits. */
  readonly root: string
  /** Of the ext4 view of a tree; a volume over a tree brings its own. */
  readonly freeBytes?: number
}

export interface StackDescription {
  readonly snapshot: SnapshotDescription
  /** Bytes of the device, when it is larger than the snapshot. */
  readonly size?: number
  readonly layers?: LayersHandoff
  readonly overlay?: OverlayHandoff
}

export interface StackDeps extends OverlayDeps {
  readonly fs: Fs
  readonly source: ChunkSource
}

export interface BuiltStack {
  /** What is served. */
  readonly top: SyncBlockDevice
  readonly layered: LayeredDevice | undefined
  readonly overlay: Overlay | undefined
  close(): void
}

/**
 * The snapshot alone, as a device. Reads one or two root records.
 *
 * @throws MaasError VOLUME_INVALID, TREE_INVALID, CHUNK_MISSING…
 */
export function openSnapshot(source: ChunkSource, snapshot: SnapshotDescription): SyncBlockDevice {
  const root = Buffer.from(snapshot.root, 'hex')
  if (snapshot.kind === 'tree') return openTree(source, root, snapshot.freeBytes)
  const { base } = readVolumeRoot(source, root)
  if (base === undefined) return new VolumeView(source, root)
  return new VolumeView(source, root, openTree(source, base.root, base.freeBytes))
}

function openTree(source: ChunkSource, root: Buffer, freeBytes: number | undefined): Ext4View {
  return new Ext4View(source, root, freeBytes === undefined ? {} : { freeBytes })
}

/** @throws MaasError of the snapshot, OVERLAY_INVALID, FS_* */
export function buildStack(description: StackDescription, deps: StackDeps): BuiltStack {
  const opened: SyncBlockDevice[] = []
  const close = (): void => {
    for (const device of opened.splice(0).toReversed()) device.close()
  }
  try {
    let top = openSnapshot(deps.source, description.snapshot)
    opened.push(top)
    if (description.size !== undefined && description.size > top.size) {
      top = new GrownDevice(top, description.size) // Closing is the snapshot's.
    }
    let layered: LayeredDevice | undefined
    if (description.layers !== undefined) {
      layered = new LayeredDevice(description.layers, top, deps.fs)
      opened.push(layered)
      top = layered
    }
    let overlay: Overlay | undefined
    if (description.overlay !== undefined) {
      overlay = new Overlay(description.overlay, top, deps)
      opened.push(overlay)
      top = overlay
    }
    assert(top.size > 0, 'a device holds something')
    return { top, layered, overlay, close }
  } catch (error) {
    close()
    throw error
  }
}

/**
 * Makes a medium's stack ready to be served: finds the snapshot, freezes and merges the layers
 * below, makes or recovers the overlay on top. Runs in one thread; the threads that serve open
 * `handoff` (device-stack.ts).
 */
import { MaasError } from '@openmaas/kernel/errors'
import type { Fs } from '@openmaas/kernel/fs'
import type { LayerId, SnapshotId } from '@openmaas/kernel/ids'
import { bootId } from '@openmaas/kernel/sysinfo'
import type { ChunkSource } from '@openmaas/pool/chunk/chunk'
import { ChunkReader } from '@openmaas/pool/pool/chunk-reader'
import type { PoolReader } from '@openmaas/pool/pool/reader'
import { mediaDirectory } from '../media/record.ts'
import { prepareLayers } from '../overlay/layered-device.ts'
import { LAYERS_MAX } from '../overlay/layer-map.ts'
import { LayerStore } from '../overlay/layer-store.ts'
import { type PreparedOverlay, prepareOverlay } from '../overlay/prepare.ts'
import { openSnapshot, type SnapshotDescription, type StackDescription } from './build-stack.ts'
import { DeviceStack, type StackHandoff } from './device-stack.ts'

/** What of a medium's record decides its stack. */
export interface MediumStack {
  readonly snapshotId: SnapshotId
  readonly readOnly: boolean
  /** The oldest first; the last takes the writes. Empty when read-only. */
  readonly layers: readonly LayerId[]
  readonly quotaBytes?: number
  readonly freeBytes?: number
}

export interface PrepareStackOptions {
  readonly fs: Fs
  /** Path of brick 0. */
  readonly brick: string
  readonly reader: PoolReader
  readonly record: MediumStack
}

export interface PreparedStack {
  readonly handoff: StackHandoff
  /** Bytes the medium has written of its own. */
  overlayBytes(): number
  /** Everything completed is durable afterwards. @throws MaasError OVERLAY_FAILED, FS_* */
  flush(): void
  /** Releases the overlay. All threads have closed their stacks before. */
  close(): void
}

/**
 * @throws MaasError SNAPSHOT_NOT_FOUND, MEDIUM_BUSY, OVERLAY_INVALID, FS_*, and of the pool
 */
export function prepareStack(options: PrepareStackOptions): PreparedStack {
  const { fs, brick, reader, record } = options
  const snapshot = describeSnapshot(reader, record)
  const readerHandoff = reader.handoff()
  const store = new LayerStore(fs, mediaDirectory(brick))
  const source = new ChunkReader(readerHandoff, { fs })
  let prepared
  try {
    prepared = prepareDescription({ fs, store, source, snapshot, record, bootId: bootId() })
  } finally {
    source.close() // Only the root records were read by it.
  }
  const { description, overlay } = prepared
  try {
    const handoff: StackHandoff = { ...description, reader: readerHandoff }
    const device = DeviceStack.open(handoff, { fs })
    return {
      handoff,
      overlayBytes: () => device.overlayBytes,
      flush: () => device.flush(),
      close: () => {
        device.close()
        overlay?.close()
      },
    }
  } catch (error) {
    overlay?.close()
    throw error
  }
}

function describeSnapshot(reader: PoolReader, record: MediumStack): SnapshotDescription {
  // A pin keeps a point readable after it has been deleted.
  const row =
    reader.snapshots().find(({ id }) => id === record.snapshotId) ??
    reader.state.pinnedSnapshots().find(({ id }) => id === record.snapshotId)
  if (row === undefined) {
    const details = { id: record.snapshotId }
    throw new MaasError('SNAPSHOT_NOT_FOUND', 'the point of the medium is gone', details)
  }
  const { freeBytes } = record
  return { kind: row.kind, root: row.root, ...(freeBytes !== undefined && { freeBytes }) }
}

export interface PrepareDescriptionOptions {
  readonly fs: Fs
  readonly store: LayerStore
  readonly source: ChunkSource
  readonly snapshot: SnapshotDescription
  readonly record: Pick<MediumStack, 'readOnly' | 'layers' | 'quotaBytes'>
  readonly bootId: string
}

/** The part of the preparation that needs no pool. */
export function prepareDescription(options: PrepareDescriptionOptions): {
  description: StackDescription
  overlay: PreparedOverlay | undefined
} {
  const { fs, store, source, snapshot, record, bootId: boot } = options
  if (record.layers.length > LAYERS_MAX) {
    const details = { layers: record.layers.length, max: LAYERS_MAX }
    throw new MaasError('OVERLAY_INVALID', 'the medium stands on too many layers', details)
  }
  const { size } = openSnapshot(source, snapshot)
  const below = record.readOnly ? record.layers : record.layers.slice(0, -1)
  for (const id of below) store.freeze(id, boot)
  const directories = below.map((id) => store.pathOf(id))
  const layers = below.length === 0 ? undefined : prepareLayers(fs, directories, size)
  const top = record.readOnly ? undefined : record.layers.at(-1)
  let overlay: PreparedOverlay | undefined
  if (top !== undefined) {
    const known = store.load(top)
    if (known?.frozen === true) {
      throw new MaasError('OVERLAY_INVALID', 'the top layer of the medium is frozen', { id: top })
    }
    if (known === undefined) store.create(top, size)
    const quotaBytes = record.quotaBytes ?? 0
    overlay = prepareOverlay({ fs, directory: store.pathOf(top), bootId: boot, quotaBytes })
    if (overlay.handoff.size !== size) {
      overlay.close()
      throw new MaasError('OVERLAY_INVALID', 'the overlay is not of the size of its base', { size })
    }
  }
  const description: StackDescription = {
    snapshot,
    ...(layers !== undefined && { layers }),
    ...(overlay !== undefined && { overlay: overlay.handoff }),
  }
  return { description, overlay }
}

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
import { type FrozenLayer, loadLayers, mergeLayers } from '../overlay/layered-device.ts'
import { LAYERS_MAX } from '../overlay/layer-map.ts'
import { LayerStore } from '../overlay/layer-store.ts'
import type { PreparedOverlay } from '../overlay/prepare.ts'
import { openSnapshot, type SnapshotDescription, type StackDescription } from './build-stack.ts'
import { LiveStack } from './live-stack.ts'
import { prepareTop } from './prepare-top.ts'

/** What of a medium's record decides its stack. */
export interface MediumStack {
  readonly snapshotId: SnapshotId
  readonly readOnly: boolean
  /** The oldest first; the last takes the writes. Empty when read-only. */
  readonly layers: readonly LayerId[]
  readonly quotaBytes?: number
  readonly freeBytes?: number
  /** Bytes of the device, when it has grown since the point. */
  readonly sizeBytes?: number
}

export interface PrepareStackOptions {
  readonly fs: Fs
  /** Path of brick 0. */
  readonly brick: string
  readonly reader: PoolReader
  readonly record: MediumStack
}

/**
 * @throws MaasError SNAPSHOT_NOT_FOUND, MEDIUM_BUSY, OVERLAY_INVALID, FS_*, and of the pool
 */
export function prepareStack(options: PrepareStackOptions): LiveStack {
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
  try {
    return new LiveStack({ ...prepared, fs, store, reader: readerHandoff, bootId: bootId() })
  } catch (error) {
    prepared.overlay?.close()
    throw error
  }
}

/** @throws MaasError SNAPSHOT_NOT_FOUND */
export function describeSnapshot(reader: PoolReader, record: MediumStack): SnapshotDescription {
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
  readonly record: Pick<MediumStack, 'readOnly' | 'layers' | 'quotaBytes' | 'sizeBytes'>
  readonly bootId: string
}

export interface PreparedParts {
  readonly description: StackDescription
  /** Below the overlay, the oldest first. */
  readonly frozen: readonly FrozenLayer[]
  readonly overlay: PreparedOverlay | undefined
}

/** The part of the preparation that needs no pool. */
export function prepareDescription(options: PrepareDescriptionOptions): PreparedParts {
  const { fs, store, source, snapshot, record, bootId: boot } = options
  if (record.layers.length > LAYERS_MAX) {
    const details = { layers: record.layers.length, max: LAYERS_MAX }
    throw new MaasError('OVERLAY_INVALID', 'the medium stands on too many layers', details)
  }
  const size = Math.max(openSnapshot(source, snapshot).size, record.sizeBytes ?? 0)
  const below = record.readOnly ? record.layers : record.layers.slice(0, -1)
  for (const id of below) store.freeze(id, boot)
  const frozen = loadLayers(
    fs,
    below.map((id) => store.pathOf(id)),
    size,
  )
  const layers = mergeLayers(frozen, size)
  const top = record.readOnly ? undefined : record.layers.at(-1)
  const { quotaBytes = 0 } = record
  const overlay = top && prepareTop({ fs, store, id: top, size, bootId: boot, quotaBytes })
  const description: StackDescription = {
    snapshot,
    size,
    ...(layers !== undefined && { layers }),
    ...(overlay !== undefined && { overlay: overlay.handoff }),
  }
  return { description, frozen, overlay }
}

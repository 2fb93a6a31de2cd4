/**
 * Sealing a medium: what was written on it becomes a volume snapshot over the same base, by the
 * pool's commit. The writes must be in frozen layers (engine `freeze`), so that they stand still
 * while the medium goes on above them.
 */
import type { Fs } from '@openmaas/kernel/fs'
import type { ChunkSink, ChunkSource } from '@openmaas/pool/chunk/chunk'
import { readVolumeRoot, type VolumeBase } from '@openmaas/pool/volume/root'
import { type SealedVolume, sealVolume } from '@openmaas/pool/volume/seal'
import { loadLayers, mergeLayers } from '../overlay/layered-device.ts'
import { buildStack, type SnapshotDescription } from './build-stack.ts'

export interface SealMediumOptions {
  readonly fs: Fs
  readonly source: ChunkSource
  /** The point the medium was plugged from. */
  readonly snapshot: SnapshotDescription
  /** Directories of the frozen layers, the oldest first. */
  readonly directories: readonly string[]
  /** Bytes of the device when it was frozen: that of the last layer. */
  readonly size: number
  readonly onGrain?: (bytes: number) => void
}

/**
 * Reads only volume grains that hold a written grain.
 *
 * @returns the root for the manifest of a snapshot of kind volume; its session must hold the
 *   point of the medium as parent, whose chunks the new one refers to
 * @throws MaasError of the layers, the source and the sink
 */
export function sealMedium(sink: ChunkSink, options: SealMediumOptions): SealedVolume {
  const { fs, source, snapshot } = options
  const { directories, size } = options
  const layers = mergeLayers(loadLayers(fs, directories, size), size)
  const stack = buildStack({ snapshot, size, ...(layers && { layers }) }, { fs, source })
  try {
    const root = Buffer.from(snapshot.root, 'hex')
    const over =
      snapshot.kind === 'tree'
        ? { base: treeBase(root, snapshot.freeBytes) }
        : { base: readVolumeRoot(source, root).base, parent: { source, root } }
    return sealVolume(sink, {
      ...over,
      ...(snapshot.kind === 'volume' && { grainSize: readVolumeRoot(source, root).grainSize }),
      ...(options.onGrain !== undefined && { onGrain: options.onGrain }),
      device: stack.top,
      changed: stack.layered?.changedRanges() ?? [],
    })
  } finally {
    stack.close()
  }
}

function treeBase(root: Buffer, freeBytes: number | undefined): VolumeBase {
  return { kind: 'tree', root, ...(freeBytes !== undefined && { freeBytes }) }
}

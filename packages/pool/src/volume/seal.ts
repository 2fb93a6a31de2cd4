/**
 * Sealing: what was written over a snapshot becomes a volume snapshot over the same base. Only
 * grains that hold a change are read; a grain that changed in part is completed from the device.
 */
import { assert } from '@openmaas/kernel/assert'
import type { SyncBlockDevice } from '@openmaas/kernel/block-device'
import { type ChunkSink, FIXED_CHUNK_SIZE } from '../chunk/chunk.ts'
import { VolumeBuilder, type VolumeBuilderOptions } from './builder.ts'
import type { VolumeRoot } from './root.ts'

export interface SealOptions {
  /** The whole device as it reads now; nothing writes to it meanwhile. */
  readonly device: SyncBlockDevice
  /** Ranges that differ from the base, in bytes, ascending and disjoint. */
  readonly changed: Iterable<{ readonly offset: number; readonly length: number; zero?: boolean }>
  /** The tree snapshot, or the volume snapshot, that the device stands on. */
  readonly base?: VolumeBuilderOptions['base']
  readonly parent?: VolumeBuilderOptions['parent']
  readonly grainSize?: number
  /** Called per grain read. @throws to cancel */
  readonly onGrain?: (bytes: number) => void
}

export interface SealedVolume {
  readonly id: Buffer
  readonly root: VolumeRoot
  /** Bytes read from the device. */
  readonly readBytes: number
}

/** @throws MaasError of the device and of the sink */
export function sealVolume(sink: ChunkSink, options: SealOptions): SealedVolume {
  const { device, grainSize = FIXED_CHUNK_SIZE, base, parent } = options
  const builder = new VolumeBuilder(sink, { size: device.size, grainSize, base, parent })
  const buffer = Buffer.alloc(grainSize)
  let next = 0 // First grain not yet put.
  let readBytes = 0
  const putGrain = (grain: number): void => {
    const length = Math.min(grainSize, device.size - grain * grainSize)
    const bytes = buffer.subarray(0, length)
    device.read(grain * grainSize, bytes)
    readBytes += length
    options.onGrain?.(length)
    builder.put(grain, bytes)
    next = grain + 1
  }
  for (const range of options.changed) {
    const stop = range.offset + range.length
    assert(stop <= device.size, 'a changed range lies in the device')
    const first = Math.max(next, Math.floor(range.offset / grainSize))
    const end = Math.ceil(stop / grainSize)
    // Whole grains of a zeroed range are not read.
    const zeroFirst = Math.max(first, Math.ceil(range.offset / grainSize))
    const zeroEnd = stop === device.size ? end : Math.floor(stop / grainSize)
    const zeroes = range.zero === true && zeroFirst < zeroEnd
    for (let grain = first; grain < (zeroes ? zeroFirst : end); grain += 1) putGrain(grain)
    if (!zeroes) continue
    builder.putZero(zeroFirst, zeroEnd - zeroFirst)
    next = zeroEnd
    for (let grain = zeroEnd; grain < end; grain += 1) putGrain(grain)
  }
  const { id, root } = builder.finish()
  return { id, root, readBytes }
}

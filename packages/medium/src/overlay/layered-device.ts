/** Frozen overlays over a base, as one read-only device: every read goes to one layer. */
import { assert } from '@openmaas/kernel/assert'
import type { BlockExtent, SyncBlockDevice } from '@openmaas/kernel/block-device'
import { MaasError } from '@openmaas/kernel/errors'
import type { FileHandle, Fs } from '@openmaas/kernel/fs'
import { pushExtent } from './extents.ts'
import { overlayPath } from './files.ts'
import { GRAIN_SIZE } from './format.ts'
import type { GrainMap } from './grain-map.ts'
import {
  LAYER_ABSENT,
  LAYER_FIRST,
  LAYER_ZERO,
  LayerMap,
  type LayerMapHandoff,
} from './layer-map.ts'
import { loadFrozenStates } from './prepare.ts'

/** Cloneable; made once, opened by every thread. */
export interface LayersHandoff {
  /** The oldest first. */
  readonly directories: readonly string[]
  readonly map: LayerMapHandoff
}

/** A frozen overlay that is part of a stack. */
export interface FrozenLayer {
  readonly directory: string
  /** Nobody changes it any more. */
  readonly map: GrainMap
}

/**
 * Reads the journals of frozen layers, the oldest first.
 *
 * @param size of the device: that of every layer, or more than that of those made before it grew
 * @throws MaasError OVERLAY_INVALID, FS_*
 */
export function loadLayers(fs: Fs, directories: readonly string[], size: number): FrozenLayer[] {
  return directories.map((directory) => {
    const frozen = loadFrozenStates(fs, directory)
    const grown = frozen.size < size && frozen.size % GRAIN_SIZE === 0
    if (frozen.size !== size && !grown) {
      const message = 'a layer is not of the size of its base'
      throw new MaasError('OVERLAY_INVALID', message, { directory, size: frozen.size })
    }
    return { directory, map: frozen.map }
  })
}

/** @returns undefined when there are none */
export function mergeLayers(
  layers: readonly FrozenLayer[],
  size: number,
): LayersHandoff | undefined {
  if (layers.length === 0) return undefined
  const states = layers.map(({ map }) => map)
  const { handoff } = LayerMap.merge(Math.ceil(size / GRAIN_SIZE), states)
  return { directories: layers.map(({ directory }) => directory), map: handoff }
}

/** As mergeLayers, with one layer more than there was. */
export function addLayer(
  before: LayersHandoff | undefined,
  layer: FrozenLayer,
  size: number,
): LayersHandoff {
  if (before === undefined) return mergeLayers([layer], size)!
  const { directories, map } = before
  const grainCount = Math.ceil(size / GRAIN_SIZE)
  const { handoff } = new LayerMap(map).with(grainCount, layer.map, directories.length)
  return { directories: [...directories, layer.directory], map: handoff }
}

export class LayeredDevice implements SyncBlockDevice {
  readonly size: number
  readonly blockSize = GRAIN_SIZE
  readonly readOnly = true
  readonly #base: SyncBlockDevice
  readonly #fs: Fs
  readonly #map: LayerMap
  readonly #files: FileHandle[] = []

  /** The base must outlive it; `close` leaves it open. */
  constructor(handoff: LayersHandoff, base: SyncBlockDevice, fs: Fs) {
    this.size = base.size
    this.#base = base
    this.#fs = fs
    this.#map = new LayerMap(handoff.map)
    try {
      for (const directory of handoff.directories) {
        this.#files.push(fs.open(overlayPath.data(directory), 'read'))
      }
    } catch (error) {
      this.close()
      throw error
    }
  }

  read(offset: number, target: Buffer): void {
    this.#checkRange(offset, target.length)
    const end = offset + target.length
    const endGrain = Math.ceil(end / GRAIN_SIZE)
    let at = offset
    while (at < end) {
      const grain = Math.floor(at / GRAIN_SIZE)
      const value = this.#map.value(grain)
      const stop = Math.min(end, this.#map.runEnd(grain, endGrain) * GRAIN_SIZE)
      const part = target.subarray(at - offset, stop - offset)
      if (value === LAYER_ABSENT) this.#base.read(at, part)
      else if (value === LAYER_ZERO) part.fill(0)
      else this.#readLayer(value - LAYER_FIRST, at, part)
      at = stop
    }
  }

  #readLayer(layer: number, offset: number, target: Buffer): void {
    const count = this.#fs.read(this.#files[layer]!, target, offset)
    if (count < target.length) {
      throw new MaasError('OVERLAY_INVALID', 'a layer is shorter than the device', { offset })
    }
  }

  blockStatus(offset: number, length: number): BlockExtent[] {
    this.#checkRange(offset, length)
    const extents: BlockExtent[] = []
    const end = offset + length
    const endGrain = Math.ceil(end / GRAIN_SIZE)
    let at = offset
    while (at < end) {
      const grain = Math.floor(at / GRAIN_SIZE)
      const value = this.#map.value(grain)
      const stop = Math.min(end, this.#map.runEnd(grain, endGrain) * GRAIN_SIZE)
      if (value === LAYER_ABSENT) {
        for (const extent of this.#base.blockStatus(at, stop - at)) pushExtent(extents, extent)
      } else {
        const zero = value === LAYER_ZERO
        pushExtent(extents, { offset: at, length: stop - at, hole: zero, zero })
      }
      at = stop
    }
    return extents
  }

  /** Ranges in which some layer stands over the base, in bytes. */
  *changedRanges(): Generator<{ offset: number; length: number; zero: boolean }> {
    const grainCount = Math.ceil(this.size / GRAIN_SIZE)
    let grain = 0
    while (grain < grainCount) {
      const value = this.#map.value(grain)
      const end = this.#map.runEnd(grain, grainCount)
      const offset = grain * GRAIN_SIZE
      const length = Math.min(end * GRAIN_SIZE, this.size) - offset
      if (value !== LAYER_ABSENT) yield { offset, length, zero: value === LAYER_ZERO }
      grain = end
    }
  }

  write(): void {
    throw frozen()
  }
  trim(): void {
    throw frozen()
  }
  writeZeroes(): void {
    throw frozen()
  }
  flush(): void {}

  close(): void {
    for (const file of this.#files.splice(0)) this.#fs.close(file)
  }

  #checkRange(offset: number, length: number): void {
    assert(offset >= 0 && length >= 0 && offset + length <= this.size, 'the range is in the device')
  }
}

const frozen = (): MaasError => new MaasError('DEVICE_READ_ONLY', 'frozen layers are never written')

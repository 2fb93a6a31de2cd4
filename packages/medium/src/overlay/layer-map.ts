/**
 * Which of a stack of frozen overlays a grain is read from: one map for all layers, so that depth
 * costs nothing per read. Built once, never changed, shared by the threads of the engine.
 *
 *   directory[leaf]   n > 0: bytes of leaf n-1 of `leaves`; else minus the value of the whole leaf
 *   value             0 absent, 1 zero, 2 + i written in layer i (0 is the oldest)
 *
 * Memory: 8 KiB for each 32 MiB in which the layers differ, 4 bytes for each uniform 32 MiB.
 */
import { assert } from '@openmaas/kernel/assert'
import { GrainState, LEAF_GRAINS } from './format.ts'
import type { GrainMap } from './grain-map.ts'

/** A value is a byte; far more than anyone clones in a chain. */
export const LAYERS_MAX = 250

export const LAYER_ABSENT = 0
export const LAYER_ZERO = 1
/** Value of a grain written in layer 0. */
export const LAYER_FIRST = 2

export interface LayerMapHandoff {
  readonly grainCount: number
  readonly directory: SharedArrayBuffer
  readonly leaves: SharedArrayBuffer
}

export class LayerMap {
  readonly handoff: LayerMapHandoff
  readonly #directory: Int32Array
  readonly #leaves: Uint8Array

  constructor(handoff: LayerMapHandoff) {
    this.handoff = handoff
    this.#directory = new Int32Array(handoff.directory)
    this.#leaves = new Uint8Array(handoff.leaves)
  }

  /** @param layers states of the layers, the oldest first */
  static merge(grainCount: number, layers: Iterable<GrainMap>): LayerMap {
    const directory = new Int32Array(Math.ceil(grainCount / LEAF_GRAINS))
    const leaves: Uint8Array[] = []
    let value = LAYER_FIRST
    for (const layer of layers) {
      addLayer(directory, leaves, { grainCount, layer, value })
      value += 1
    }
    return new LayerMap(flatten(grainCount, directory, leaves))
  }

  /**
   * One layer more on top, of a device that may have grown. Cost: a copy of this map, and the runs
   * of the layer; nothing for the layers below.
   *
   * @param count of the layers that this map merges
   */
  with(grainCount: number, layer: GrainMap, count: number): LayerMap {
    const directory = new Int32Array(Math.ceil(grainCount / LEAF_GRAINS))
    const leaves: Uint8Array[] = []
    for (const [leaf, entry] of this.#directory.entries()) {
      if (entry <= 0) directory[leaf] = entry
      else {
        const start = (entry - 1) * LEAF_GRAINS
        leaves.push(this.#leaves.slice(start, start + LEAF_GRAINS))
        directory[leaf] = leaves.length
      }
    }
    addLayer(directory, leaves, { grainCount, layer, value: LAYER_FIRST + count })
    return new LayerMap(flatten(grainCount, directory, leaves))
  }

  value(grain: number): number {
    const leaf = Math.floor(grain / LEAF_GRAINS)
    const entry = this.#directory[leaf]!
    if (entry <= 0) return -entry
    return this.#leaves[(entry - 1) * LEAF_GRAINS + grain - leaf * LEAF_GRAINS]!
  }

  /** First grain behind `grain` with another value, at most `limit`. */
  runEnd(grain: number, limit: number): number {
    const value = this.value(grain)
    let at = grain
    while (at < limit) {
      const leaf = Math.floor(at / LEAF_GRAINS)
      const stop = Math.min(limit, (leaf + 1) * LEAF_GRAINS)
      const entry = this.#directory[leaf]!
      if (entry <= 0) {
        if (-entry !== value) return at
        at = stop
        continue
      }
      const shift = (entry - 1) * LEAF_GRAINS - leaf * LEAF_GRAINS
      while (at < stop && this.#leaves[at + shift] === value) at += 1
      if (at < stop) return at
    }
    return limit
  }
}

interface Added {
  readonly grainCount: number
  readonly layer: GrainMap
  /** Of its written grains. */
  readonly value: number
}

function addLayer(
  directory: Int32Array,
  leaves: Uint8Array[],
  { grainCount, layer, value }: Added,
): void {
  assert(value - LAYER_FIRST < LAYERS_MAX, 'the stack of layers is within its limit')
  assert(layer.grainCount <= grainCount, 'a layer is not larger than the device')
  for (const run of layer.runs()) {
    if (run.state === GrainState.absent) continue
    const fill = run.state === GrainState.zero ? LAYER_ZERO : value
    setRun(directory, leaves, { first: run.first, end: run.first + run.count, fill })
  }
}

interface Fill {
  readonly first: number
  readonly end: number
  readonly fill: number
}

function setRun(directory: Int32Array, leaves: Uint8Array[], run: Fill): void {
  let at = run.first
  while (at < run.end) {
    const leaf = Math.floor(at / LEAF_GRAINS)
    const start = leaf * LEAF_GRAINS
    const stop = Math.min(run.end, start + LEAF_GRAINS)
    if (at === start && stop === start + LEAF_GRAINS) directory[leaf] = -run.fill
    else {
      if (directory[leaf]! <= 0) {
        leaves.push(new Uint8Array(LEAF_GRAINS).fill(-directory[leaf]!))
        directory[leaf] = leaves.length
      }
      leaves[directory[leaf]! - 1]!.fill(run.fill, at - start, stop - start)
    }
    at = stop
  }
}

/** Drops leaves that a later layer covered whole. */
function flatten(grainCount: number, directory: Int32Array, leaves: Uint8Array[]): LayerMapHandoff {
  const used = directory.reduce((count, entry) => count + (entry > 0 ? 1 : 0), 0)
  const handoff = {
    grainCount,
    directory: new SharedArrayBuffer(directory.byteLength),
    leaves: new SharedArrayBuffer(used * LEAF_GRAINS),
  }
  const sharedDirectory = new Int32Array(handoff.directory)
  const sharedLeaves = new Uint8Array(handoff.leaves)
  let next = 0
  for (const [leaf, entry] of directory.entries()) {
    if (entry <= 0) sharedDirectory[leaf] = entry
    else {
      sharedLeaves.set(leaves[entry - 1]!, next * LEAF_GRAINS)
      next += 1
      sharedDirectory[leaf] = next
    }
  }
  return handoff
}

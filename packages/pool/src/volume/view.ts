/** A volume snapshot as a read-only device, over its base where the map is absent. */
import { assert } from '@openmaas/kernel/assert'
import type { BlockExtent, SyncBlockDevice } from '@openmaas/kernel/block-device'
import { MaasError } from '@openmaas/kernel/errors'
import { type ChunkSource, readChunkPart } from '../chunk/chunk.ts'
import { MapReader } from './map-reader.ts'
import { EntryState, invalidVolume } from './node.ts'
import { readVolumeRoot, type VolumeRoot } from './root.ts'

export class VolumeView implements SyncBlockDevice {
  readonly size: number
  readonly blockSize: number
  readonly readOnly = true
  readonly root: VolumeRoot
  readonly #source: ChunkSource
  readonly #map: MapReader
  readonly #base: SyncBlockDevice | undefined

  /**
   * Reads the root record only.
   *
   * @param base what the root names as base (`readVolumeRoot` says which), as a device
   * @throws MaasError VOLUME_INVALID, CHUNK_MISSING…
   */
  constructor(source: ChunkSource, rootId: Buffer, base?: SyncBlockDevice) {
    this.root = readVolumeRoot(source, rootId)
    assert((base !== undefined) === (this.root.base !== undefined), "the base is the root's")
    assert(base === undefined || base.size === this.root.size, 'the base is of the same size')
    this.size = this.root.size
    this.blockSize = this.root.grainSize
    this.#source = source
    this.#map = new MapReader(source, this.root)
    this.#base = base
  }

  read(offset: number, target: Buffer): void {
    this.#checkRange(offset, target.length)
    const { grainSize } = this.root
    const end = offset + target.length
    const endGrain = Math.ceil(end / grainSize)
    let at = offset
    while (at < end) {
      const run = this.#map.run(Math.floor(at / grainSize), endGrain)
      const stop = Math.min(end, (run.first + run.count) * grainSize)
      const part = target.subarray(at - offset, stop - offset)
      if (run.state === EntryState.chunk) {
        this.#readChunk(run.id!, at - run.first * grainSize, part)
      } else if (run.state === EntryState.absent && this.#base !== undefined) {
        this.#base.read(at, part)
      } else part.fill(0)
      at = stop
    }
  }

  #readChunk(id: Buffer, start: number, target: Buffer): void {
    const length = readChunkPart(this.#source, id, start, target)
    if (length > this.root.grainSize) throw invalidVolume('a chunk is longer than its grain')
    target.fill(0, Math.min(target.length, Math.max(0, length - start)))
  }

  blockStatus(offset: number, length: number): BlockExtent[] {
    this.#checkRange(offset, length)
    const { grainSize } = this.root
    const extents: BlockExtent[] = []
    const end = offset + length
    let at = offset
    while (at < end) {
      const run = this.#map.run(Math.floor(at / grainSize), Math.ceil(end / grainSize))
      const stop = Math.min(end, (run.first + run.count) * grainSize)
      if (run.state === EntryState.absent && this.#base !== undefined) {
        for (const extent of this.#base.blockStatus(at, stop - at)) pushExtent(extents, extent)
      } else {
        const zero = run.state !== EntryState.chunk
        pushExtent(extents, { offset: at, length: stop - at, hole: zero, zero })
      }
      at = stop
    }
    return extents
  }

  write(): void {
    throw readOnly()
  }
  trim(): void {
    throw readOnly()
  }
  writeZeroes(): void {
    throw readOnly()
  }
  flush(): void {}
  close(): void {}

  #checkRange(offset: number, length: number): void {
    assert(offset >= 0 && length >= 0 && offset + length <= this.size, 'the range is in the device')
  }
}

const readOnly = (): MaasError =>
  new MaasError('DEVICE_READ_ONLY', 'a volume snapshot is never written')

function pushExtent(extents: BlockExtent[], extent: BlockExtent): void {
  const last = extents.at(-1)
  const continues = last !== undefined && last.hole === extent.hole && last.zero === extent.zero
  if (continues) extents[extents.length - 1] = { ...last, length: last.length + extent.length }
  else extents.push(extent)
}

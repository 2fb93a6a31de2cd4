/**
 * One task of a disk capture: 64 MiB of the image become data chunks and one map node. Runs in a
 * worker thread over the lane of that thread; the results are put together by `assembleVolume`
 * in any thread. Segments do not depend on each other, so the result does not depend on the
 * number of threads.
 */
import { assert } from '@openmaas/kernel/assert'
import { MiB } from '@openmaas/kernel/units'
import { type ChunkSink, ChunkType, FIXED_CHUNK_SIZE } from '@openmaas/pool/chunk/chunk'
import { isZero, VolumeBuilder } from '@openmaas/pool/volume/builder'
import { EntryState, MapNode, NODE_ENTRIES, ZERO } from '@openmaas/pool/volume/node'
import { entryCountOf, type VolumeRoot } from '@openmaas/pool/volume/root'
import type { DiskImage } from './image.ts'

/** What one node of the map covers. */
export const SEGMENT_SIZE = NODE_ENTRIES * FIXED_CHUNK_SIZE
/** Read in one call; a multiple of the grain. */
const READ_SIZE = 1 * MiB
const GRAINS_PER_READ = READ_SIZE / FIXED_CHUNK_SIZE

/** Cloneable: goes from the worker to the coordinator. */
export interface SegmentResult {
  /** Offset divided by SEGMENT_SIZE. */
  readonly index: number
  /** Chunk id of the map node in hex; absent when all of it is zeros. */
  readonly node?: string
  /** Grains that are not zeros. */
  readonly chunkCount: number
  readonly readBytes: number
}

/**
 * Segments that may hold data, ascending; all others are zeros. For a sparse image this reads
 * only the extent map of the file system.
 */
export function* planSegments(image: DiskImage): Generator<number> {
  let next = 0
  for (const range of image.dataRanges(0, image.size)) {
    const last = Math.floor((range.offset + range.length - 1) / SEGMENT_SIZE)
    const first = Math.max(next, Math.floor(range.offset / SEGMENT_SIZE))
    for (let index = first; index <= last; index += 1) yield index
    next = Math.max(next, last + 1)
  }
}

export interface SegmentDeps {
  readonly sink: ChunkSink
  /** At least READ_SIZE; reused between calls. */
  readonly buffer?: Buffer
  /** Called per read. @throws to cancel */
  readonly onRead?: (bytes: number) => void
}

/** @throws MaasError SOURCE_UNREADABLE, and of the sink */
export function captureSegment(image: DiskImage, index: number, deps: SegmentDeps): SegmentResult {
  const { sink, buffer = Buffer.allocUnsafe(READ_SIZE) } = deps
  assert(buffer.length >= READ_SIZE, 'the buffer holds one read')
  const start = index * SEGMENT_SIZE
  const end = Math.min(start + SEGMENT_SIZE, image.size)
  assert(index >= 0 && start < image.size, 'the segment lies in the image')
  const geometry = { size: image.size, grainSize: FIXED_CHUNK_SIZE }
  const grains = entryCountOf(geometry, 0, index)
  const node = new MapNode(0)
  node.fill(EntryState.zero, grains)
  let chunkCount = 0
  let readBytes = 0
  let next = 0 // First grain of the segment not yet read.
  for (const range of image.dataRanges(start, end)) {
    let grain = Math.max(next, Math.floor((range.offset - start) / FIXED_CHUNK_SIZE))
    const stop = Math.ceil((range.offset + range.length - start) / FIXED_CHUNK_SIZE)
    while (grain < stop) {
      const count = Math.min(GRAINS_PER_READ, stop - grain)
      const offset = start + grain * FIXED_CHUNK_SIZE
      const bytes = buffer.subarray(0, Math.min(count * FIXED_CHUNK_SIZE, end - offset))
      image.read(offset, bytes)
      readBytes += bytes.length
      deps.onRead?.(bytes.length)
      for (let at = 0; at < bytes.length; at += FIXED_CHUNK_SIZE) {
        const part = bytes.subarray(at, Math.min(at + FIXED_CHUNK_SIZE, bytes.length))
        if (isZero(part)) continue
        const id = sink.put(ChunkType.data, part)
        node.set(grain + at / FIXED_CHUNK_SIZE, { state: EntryState.chunk, id })
        chunkCount += 1
      }
      grain += count
    }
    next = Math.max(next, stop)
  }
  image.checkSize()
  if (chunkCount === 0) return { index, chunkCount, readBytes }
  const id = sink.put(ChunkType.volumeMap, node.encode())
  return { index, node: id.toString('hex'), chunkCount, readBytes }
}

/**
 * The root of the volume snapshot. Whatever has no result is zeros. The nodes in between are few:
 * one per 64 GiB and one per 64 TiB.
 *
 * @param results in any order, one per planned segment
 */
export function assembleVolume(
  sink: ChunkSink,
  size: number,
  results: readonly SegmentResult[],
): { readonly id: Buffer; readonly root: VolumeRoot } {
  const builder = new VolumeBuilder(sink, { size })
  const leaves = Math.ceil(size / SEGMENT_SIZE)
  let next = 0
  const putZeroLeaves = (until: number): void => {
    if (until <= next) return
    const grains = Math.min(until * NODE_ENTRIES, Math.ceil(size / FIXED_CHUNK_SIZE))
    builder.putZero(next * NODE_ENTRIES, grains - next * NODE_ENTRIES)
  }
  for (const result of results.toSorted((a, b) => a.index - b.index)) {
    assert(result.index >= next && result.index < leaves, 'a segment has one result')
    putZeroLeaves(result.index)
    const counts = { chunks: result.chunkCount, nodes: 1 }
    const entry =
      result.node === undefined
        ? ZERO
        : { state: EntryState.chunk, id: Buffer.from(result.node, 'hex'), counts }
    builder.putLeaf(result.index, entry)
    next = result.index + 1
  }
  putZeroLeaves(leaves)
  return builder.finish()
}

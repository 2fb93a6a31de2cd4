/**
 * Reads file content, cuts it and puts it into the pool: synchronous, on one reused buffer.
 *
 * A file is taken in segments of SEGMENT_SIZE. Chunks end at segment borders, so segments can be
 * captured by different lanes and the result is the same.
 */
import { assert } from '@openmaas/kernel/assert'
import { E } from '@openmaas/kernel/posix/constants'
import { pread, seekData, seekHole } from '@openmaas/kernel/posix/files'
import { KiB, MiB } from '@openmaas/kernel/units'
import { type ChunkSink, ChunkType, FIXED_CHUNK_SIZE } from '@openmaas/pool/chunk/chunk'
import { CUT_COUNT_MAX, type Chunker } from '@openmaas/pool/chunker/chunker'

export const SEGMENT_SIZE = 16 * MiB
/** One read: what is cut and hashed next is still in the processor's cache. */
const READ_SIZE = 1 * MiB
/** Shorter holes are read as the zeros they are; file systems do not make them smaller. */
const HOLE_SIZE_MIN = 4 * KiB

/** Receives the pieces of a segment in order. ContentListBuilder is one. */
export interface ContentTarget {
  addChunk(id: Buffer, length: number): void
  addHole(length: number): void
}

export interface SegmentRequest {
  readonly fd: number
  readonly start: number
  readonly end: number
  readonly fixed: boolean
  /** Look for holes. */
  readonly sparse: boolean
}

export class ContentCapture {
  readonly #sink: ChunkSink
  readonly #chunker: Chunker
  readonly #lengths = new Uint32Array(CUT_COUNT_MAX)
  readonly #zeros = Buffer.alloc(FIXED_CHUNK_SIZE)
  #zeroId: Buffer | undefined
  /** Bytes read so far, by this lane. */
  bytesRead = 0

  constructor(sink: ChunkSink, chunker: Chunker) {
    this.#sink = sink
    this.#chunker = chunker
  }

  /** Where a whole small file may be read to. */
  get input(): Buffer {
    return this.#chunker.input
  }

  /** Captures bytes that already stand at the front of `input`. */
  addBytes(length: number, target: ContentTarget): void {
    this.#cut(length, target, true)
  }

  /**
   * @returns the bytes captured, fewer than asked for when the file has become shorter; or minus
   *   errno of a read that failed
   */
  addSegment(request: SegmentRequest, target: ContentTarget): number {
    const { fd, start, end, sparse } = request
    if (!sparse) return this.#addRange(request, start, end, target)
    let position = start
    while (position < end) {
      const data = seekData(fd, position)
      // No data behind: a hole up to the end. Not seekable or not supported: all is data.
      const dataStart = data === -E.ENXIO ? end : data < 0 ? position : Math.min(data, end)
      const hole = dataStart - position
      if (hole >= HOLE_SIZE_MIN || dataStart === end) {
        target.addHole(hole)
        position = dataStart
      }
      if (dataStart >= end) break
      const next = seekHole(fd, dataStart)
      const stop = next < 0 ? end : Math.min(next, end)
      if (stop <= position) return position - start
      const count = this.#addRange(request, position, stop, target)
      if (count < 0) return count
      position += count
      if (position < stop) break
    }
    return position - start
  }

  #addRange(request: SegmentRequest, start: number, end: number, target: ContentTarget): number {
    const { input } = this.#chunker
    let position = start
    /** Bytes at the front of the input that belong to a chunk not yet ended. */
    let carry = 0
    while (position < end) {
      const wanted = Math.min(READ_SIZE, end - position)
      const count = pread(request.fd, input.subarray(carry, carry + wanted), position)
      if (count < 0) return count
      this.bytesRead += count
      position += count
      const isEnd = position === end || count === 0
      const filled = carry + count
      const used = request.fixed
        ? this.#cutFixed(filled, position - filled, isEnd, target)
        : this.#cut(filled, target, isEnd)
      carry = filled - used
      assert(!isEnd || carry === 0, 'the end of a range leaves nothing over')
      if (carry > 0) input.copyWithin(0, used, filled)
      if (count === 0) break
    }
    return position - start
  }

  #cut(length: number, target: ContentTarget, isEnd: boolean): number {
    const { input } = this.#chunker
    const count = this.#chunker.cut(input, length, this.#lengths, isEnd)
    let offset = 0
    for (let i = 0; i < count; i += 1) {
      const size = this.#lengths[i]!
      target.addChunk(this.#sink.put(ChunkType.data, input.subarray(offset, offset + size)), size)
      offset += size
    }
    return offset
  }

  /** Chunks end at multiples of FIXED_CHUNK_SIZE of the file. */
  #cutFixed(length: number, fileOffset: number, isEnd: boolean, target: ContentTarget): number {
    const { input } = this.#chunker
    let offset = 0
    while (offset < length) {
      const border = FIXED_CHUNK_SIZE - ((fileOffset + offset) % FIXED_CHUNK_SIZE)
      if (!isEnd && offset + border > length) break
      const size = Math.min(border, length - offset)
      const chunk = input.subarray(offset, offset + size)
      target.addChunk(this.#putFixed(chunk), size)
      offset += size
    }
    return offset
  }

  /** Runs of zeros are frequent in images: they are compared (50 GB/s), not hashed again. */
  #putFixed(chunk: Buffer): Buffer {
    const zero = chunk[0] === 0 && chunk.length === FIXED_CHUNK_SIZE && chunk.equals(this.#zeros)
    if (!zero) return this.#sink.put(ChunkType.data, chunk)
    this.#zeroId ??= this.#sink.put(ChunkType.data, chunk)
    return this.#zeroId
  }
}

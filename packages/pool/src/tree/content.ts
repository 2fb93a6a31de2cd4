/** Reading the bytes of a file through its content reference. */
import { assert } from '@openmaas/kernel/assert'
import { MaasError } from '@openmaas/kernel/errors'
import type { ChunkSource } from '../chunk/chunk.ts'
import { ContentListView } from './content-list.ts'
import type { ContentRef } from './entry.ts'

/** A run of content: `id` is undefined for a hole. Offsets are in the file. */
export interface ContentExtent {
  readonly offset: number
  readonly length: number
  readonly id: Buffer | undefined
}

/** What of an entry is needed to read it. */
export interface Content {
  readonly size: number
  readonly content: ContentRef | undefined
}

function wrongSize(expected: number, found: number): MaasError {
  return new MaasError('TREE_INVALID', 'content is not as long as its entry says', {
    expected,
    found,
  })
}

/** @throws MaasError TREE_INVALID when the node is not the one its parent speaks of */
function readList(source: ChunkSource, id: Buffer, level: number, size: number): ContentListView {
  const list = new ContentListView(source.read(id))
  if (list.level !== level) throw new MaasError('TREE_INVALID', 'a content list has a wrong level')
  if (list.size !== size) throw wrongSize(size, list.size)
  return list
}

/**
 * The chunks and holes from an offset on, in order and without gaps, up to the end of the file.
 *
 * @throws MaasError TREE_INVALID, CHUNK_MISSING…
 */
export function* iterateContent(
  source: ChunkSource,
  { size, content }: Content,
  offset = 0,
): Generator<ContentExtent> {
  if (content === undefined || offset >= size) return
  if (content.kind === 'single') {
    yield { offset: 0, length: size, id: content.id }
    return
  }
  yield* iterateList(source, { id: content.id, level: content.level, start: 0, size }, offset)
}

interface ListPlace {
  readonly id: Buffer
  readonly level: number
  /** Where the list begins in the file, and what it spans. */
  readonly start: number
  readonly size: number
}

function* iterateList(
  source: ChunkSource,
  place: ListPlace,
  offset: number,
): Generator<ContentExtent> {
  const list = readList(source, place.id, place.level, place.size)
  for (let i = list.indexOf(Math.max(0, offset - place.start)); i < list.count; i += 1) {
    const start = list.startAt(i)
    const length = list.endAt(i) - start
    if (list.level === 0) {
      const id = list.isHoleAt(i) ? undefined : list.idAt(i)
      yield { offset: place.start + start, length, id }
    } else {
      const below = {
        id: list.idAt(i),
        level: place.level - 1,
        start: place.start + start,
        size: length,
      }
      yield* iterateList(source, below, offset)
    }
  }
}

/** The chunk or hole that holds the offset, which lies below the size; by descent, O(levels). */
export function findExtent(source: ChunkSource, file: Content, offset: number): ContentExtent {
  assert(
    file.content !== undefined && offset >= 0 && offset < file.size,
    'the offset is in the file',
  )
  const { content } = file
  if (content.kind === 'single') return { offset: 0, length: file.size, id: content.id }
  let { id, level } = content
  let start = 0
  let size = file.size
  for (;;) {
    const list = readList(source, id, level, size)
    const index = list.indexOf(offset - start)
    size = list.endAt(index) - list.startAt(index)
    start += list.startAt(index)
    if (level === 0) {
      return {
        offset: start,
        length: size,
        id: list.isHoleAt(index) ? undefined : list.idAt(index),
      }
    }
    id = list.idAt(index)
    level -= 1
  }
}

/**
 * Fills the target from the offset; what lies behind the end of the file is left as it was.
 *
 * @returns the bytes filled
 * @throws MaasError TREE_INVALID, CHUNK_MISSING…
 */
export function readContent(
  source: ChunkSource,
  file: Content,
  offset: number,
  target: Buffer,
): number {
  const end = Math.min(file.size, offset + target.length)
  let position = offset
  for (const extent of iterateContent(source, file, offset)) {
    if (position >= end) break
    const extentEnd = extent.offset + extent.length
    const stop = Math.min(end, extentEnd)
    const at = position - offset
    if (extent.id === undefined) target.fill(0, at, at + stop - position)
    else {
      const chunk = source.read(extent.id)
      if (chunk.length !== extent.length) throw wrongSize(extent.length, chunk.length)
      chunk.copy(target, at, position - extent.offset, stop - extent.offset)
    }
    position = stop
  }
  return Math.max(0, position - offset)
}

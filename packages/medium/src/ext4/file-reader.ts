/**
 * Reads the bytes of one file at any offset. Keeps the content lists on the way to the last place
 * it read, so that a read near it, or the next one in sequence, costs a binary search in memory
 * and one chunk. Reads elsewhere find their lists in a cache that all files share.
 */
import { MaasError } from '@openmaas/kernel/errors'
import { type ChunkSource, readChunkPart } from '@openmaas/pool/chunk/chunk'
import type { Content } from '@openmaas/pool/tree/content'
import { ContentListView } from '@openmaas/pool/tree/content-list'
import { ByteLru } from './byte-lru.ts'

/** Content lists of any files by chunk id. */
export class ListCache {
  readonly #source: ChunkSource
  readonly #lists: ByteLru<string, ContentListView>

  constructor(source: ChunkSource, budget: number) {
    this.#source = source
    this.#lists = new ByteLru(budget)
  }

  read(id: Buffer): ContentListView {
    const key = id.toString('latin1')
    const known = this.#lists.get(key)
    if (known !== undefined) return known
    // A copy: the source may reuse its buffer for the next chunk.
    const list = new ContentListView(Buffer.from(this.#source.read(id)))
    this.#lists.set(key, list, list.bytes.length + 512)
    return list
  }

  clear(): void {
    this.#lists.clear()
  }
}

/** A list, and where its content begins in the file. */
interface OpenList {
  readonly list: ContentListView
  readonly start: number
}

function wrong(what: string, details: { readonly [key: string]: number }): MaasError {
  return new MaasError('TREE_INVALID', `content ${what}`, details)
}

export class FileReader {
  readonly #source: ChunkSource
  readonly #lists: ListCache
  readonly #file: Content
  /** From the root list down to a leaf; empty until the first read. */
  readonly #path: OpenList[] = []

  constructor(source: ChunkSource, lists: ListCache, file: Content) {
    this.#source = source
    this.#lists = lists
    this.#file = file
  }

  /**
   * Fills the target. Bytes behind the end of the file are zero.
   *
   * @throws MaasError TREE_INVALID, CHUNK_MISSING…
   */
  read(offset: number, target: Buffer): void {
    const { size, content } = this.#file
    const end = Math.min(size, offset + target.length)
    let position = offset
    while (position < end && content !== undefined) {
      const at = position - offset
      position =
        content.kind === 'single'
          ? this.#copy({ id: content.id, start: 0, end: size }, position, target.subarray(at))
          : this.#copyItem(position, target.subarray(at))
    }
    if (position - offset < target.length) target.fill(0, Math.max(0, position - offset))
  }

  #copyItem(position: number, target: Buffer): number {
    const { list, start } = this.#leafAt(position)
    const index = list.indexOf(position - start)
    const itemStart = start + list.startAt(index)
    const itemEnd = start + list.endAt(index)
    if (!list.isHoleAt(index)) {
      const item = { id: list.idAt(index), start: itemStart, end: itemEnd }
      return this.#copy(item, position, target)
    }
    const stop = Math.min(itemEnd, position + target.length)
    target.fill(0, 0, stop - position)
    return stop
  }

  /** @returns the offset behind what was copied */
  #copy(
    item: { readonly id: Buffer; readonly start: number; readonly end: number },
    position: number,
    target: Buffer,
  ): number {
    const stop = Math.min(item.end, position + target.length)
    const part = target.subarray(0, stop - position)
    const found = readChunkPart(this.#source, item.id, position - item.start, part)
    const expected = item.end - item.start
    if (found !== expected) throw wrong('is not as long as its list says', { expected, found })
    return stop
  }

  /** The leaf list that holds the offset, which is below the size. */
  #leafAt(position: number): OpenList {
    const path = this.#path
    while (path.length > 0 && !holds(path.at(-1)!, position)) path.pop()
    if (path.length === 0) {
      const { content, size } = this.#file
      if (content?.kind !== 'list') throw wrong('has no list', { position })
      path.push(this.#open(content.id, content.level, { start: 0, size }))
    }
    for (;;) {
      const { list, start } = path.at(-1)!
      if (list.level === 0) return path.at(-1)!
      const index = list.indexOf(position - start)
      const below = list.startAt(index)
      const size = list.endAt(index) - below
      path.push(this.#open(list.idAt(index), list.level - 1, { start: start + below, size }))
    }
  }

  #open(
    id: Buffer,
    level: number,
    span: { readonly start: number; readonly size: number },
  ): OpenList {
    const list = this.#lists.read(id)
    if (list.level !== level) throw wrong('has a list of a wrong level', { level })
    if (list.size !== span.size) {
      throw wrong('is not as long as its entry says', { expected: span.size, found: list.size })
    }
    return { list, start: span.start }
  }
}

function holds({ list, start }: OpenList, position: number): boolean {
  return position >= start && position < start + list.size
}

/**
 * Files with several names: their inodes, each once, until the link table is written.
 *
 * Memory: the entry's bytes (about 130) in an arena and a map item of about 100 bytes; 230 MB for a
 * million such files.
 */
import { assert } from '@openmaas/kernel/assert'
import type { ChunkSink } from '@openmaas/pool/chunk/chunk'
import { type BuiltDirectory, DirectoryBuilder } from '@openmaas/pool/tree/directory-builder'
import { OFFSET } from '@openmaas/pool/tree/entry-layout'

const ARENA_SIZE = 1 << 20

/** Encoded entries, one behind the other, named by their keys; nlink counts the names seen. */
export type LinkBatch = readonly Uint8Array[]

interface Place {
  readonly arena: Buffer
  readonly offset: number
}

export class LinkCollector {
  readonly #places = new Map<string, Place>()
  readonly #arenas: { buffer: Buffer; used: number }[] = []

  /** Counts one more name. @returns false when the inode is not there yet */
  count(key: Buffer): boolean {
    const place = this.#places.get(key.toString('latin1'))
    if (place === undefined) return false
    this.#addNames(place, 1)
    return true
  }

  /** @param entry encoded, named by the key; its nlink is set to the names seen */
  add(entry: Buffer, names = 1): void {
    const length = entry.readUInt16LE(OFFSET.nameLength)
    const key = entry.toString('latin1', OFFSET.name, OFFSET.name + length)
    const known = this.#places.get(key)
    if (known !== undefined) {
      this.#addNames(known, names)
      return
    }
    let last = this.#arenas.at(-1)
    if (last === undefined || last.used + entry.length > last.buffer.length) {
      last = { buffer: Buffer.alloc(Math.max(ARENA_SIZE, entry.length)), used: 0 }
      this.#arenas.push(last)
    }
    const place = { arena: last.buffer, offset: last.used }
    entry.copy(last.buffer, last.used)
    last.used += entry.length
    last.buffer.writeUInt32LE(names, place.offset + OFFSET.nlink)
    this.#places.set(key, place)
  }

  #addNames({ arena, offset }: Place, names: number): void {
    arena.writeUInt32LE(arena.readUInt32LE(offset + OFFSET.nlink) + names, offset + OFFSET.nlink)
  }

  get size(): number {
    return this.#places.size
  }

  /** What another lane or the coordinator takes over with `addBatch`. */
  batch(): LinkBatch {
    return this.#arenas.map(({ buffer, used }) => buffer.subarray(0, used))
  }

  addBatch(batch: LinkBatch): void {
    for (const bytes of batch) {
      const arena = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      for (let offset = 0; offset < arena.length;) {
        const length = arena.readUInt32LE(offset)
        const entry = arena.subarray(offset, offset + length)
        this.add(entry, entry.readUInt32LE(OFFSET.nlink))
        offset += length
      }
    }
  }

  /** Writes the link table. @returns undefined when there is nothing to write */
  write(sink: ChunkSink): BuiltDirectory | undefined {
    if (this.#places.size === 0) return undefined
    const builder = new DirectoryBuilder(sink, { linkTable: true })
    for (const key of [...this.#places.keys()].sort()) {
      const { arena, offset } = this.#places.get(key)!
      const end = offset + arena.readUInt32LE(offset)
      assert(arena.readUInt32LE(offset + OFFSET.nlink) > 0, 'a linked file has a name')
      builder.addEncoded(arena, offset, end)
    }
    return builder.finish()
  }
}

/** Writes file content from the pool: holes stay holes, neighbours go out in one write. */
import { posixError } from '@openmaas/kernel/posix/library'
import { ftruncate, pwrite } from '@openmaas/kernel/posix/files'
import { CHUNK_SIZE_MAX } from '@openmaas/pool/chunk/chunk'
import { MaasError } from '@openmaas/kernel/errors'
import { iterateContent } from '@openmaas/pool/tree/content'
import type { TreeEntry } from '@openmaas/pool/tree/entry'
import { announced, type RestoreSource } from './source.ts'

/** One write; a chunk fits behind what is gathered so far. */
const GATHER_SIZE = 2 << 20

export class ContentWriter {
  readonly #chunks: RestoreSource
  readonly #gather = Buffer.alloc(GATHER_SIZE + CHUNK_SIZE_MAX)
  readonly #onBytes: (count: number) => void

  constructor(chunks: RestoreSource, onBytes: (count: number) => void) {
    this.#chunks = chunks
    this.#onBytes = onBytes
  }

  /** Writes the bytes of [start, end); the file has its full size when `end` is the entry's. */
  write(fd: number, entry: TreeEntry, start = 0, end = entry.size): void {
    if (entry.content?.kind === 'single' && start === 0 && end === entry.size) {
      this.#writeSingle(fd, entry.content.id, entry.size)
      return
    }
    /** Where the gathered bytes begin in the file, and how many they are. */
    let base = start
    let filled = 0
    let sized = 0
    const flush = (): void => {
      if (filled > 0) {
        writeAll(fd, this.#gather.subarray(0, filled), base)
        sized = base + filled
        this.#onBytes(filled)
      }
      filled = 0
    }
    for (const { offset, length, id } of announced(
      this.#chunks,
      iterateContent(this.#chunks, entry, start),
    )) {
      if (offset >= end) break
      if (id === undefined) continue
      const [from, to] = [Math.max(offset, start), Math.min(offset + length, end)]
      if (from !== base + filled || filled >= GATHER_SIZE) {
        flush()
        base = from
      }
      const chunk = this.#chunks.readInto(id, this.#gather.subarray(filled))
      requireLength(chunk, length)
      if (from > offset)
        this.#gather.copyWithin(filled, filled + from - offset, filled + to - offset)
      filled += to - from
    }
    flush()
    if (end === entry.size && sized < end) ftruncate(fd, end)
  }

  /** As most files are: without anything that is made for each extent. */
  #writeSingle(fd: number, id: Buffer, size: number): void {
    const chunk = this.#chunks.readInto(id, this.#gather)
    requireLength(chunk, size)
    writeAll(fd, chunk, 0)
    this.#onBytes(size)
  }
}

function requireLength(chunk: Buffer, length: number): void {
  if (chunk.length === length) return
  throw new MaasError('TREE_INVALID', 'a chunk is not as long as its list says', { length })
}

function writeAll(fd: number, bytes: Buffer, offset: number): void {
  let done = 0
  while (done < bytes.length) {
    const count = pwrite(fd, done === 0 ? bytes : bytes.subarray(done), offset + done)
    if (count < 0) throw posixError(-count, 'write')
    done += count
  }
}

/** Look-ups in one run: bloom and fences from memory, one block of 4 KiB from the file. */
import { crc32c } from '@node-rs/crc32'
import { MaasError } from '@openmaas/kernel/errors'
import type { FileHandle, Fs } from '@openmaas/kernel/fs'
import type { Location } from '../pool/types.ts'
import { ENTRY_SIZE, ID_SIZE, decodeLocation } from './entry.ts'
import {
  BLOCK_SIZE,
  FENCE_SIZE,
  checkBlock,
  decodeRunTrailer,
  mayContain,
  runLayout,
} from './run-format.ts'
import type { RunTrailer } from './run-format.ts'

/** Opens a run and checks its trailer. @throws MaasError INDEX_INVALID, FS_NOT_FOUND */
export function openRun(
  fs: Fs,
  path: string,
  poolId: Buffer,
): { file: FileHandle; trailer: RunTrailer } {
  const file = fs.open(path, 'read')
  const size = fs.size(file)
  const bytes = Buffer.alloc(BLOCK_SIZE)
  const whole = size >= BLOCK_SIZE && fs.read(file, bytes, size - BLOCK_SIZE) === BLOCK_SIZE
  const trailer = whole ? decodeRunTrailer(bytes, size) : undefined
  if (trailer === undefined || !trailer.poolId.equals(poolId)) {
    fs.close(file)
    throw invalid(path, 'trailer')
  }
  return { file, trailer }
}

/** Reads fences and bloom into shared memory. @throws MaasError INDEX_INVALID */
export function loadRunTables(
  fs: Fs,
  opened: { file: FileHandle; trailer: RunTrailer; path: string },
  target: { fences: Buffer; bloom: Buffer },
): void {
  const { file, trailer, path } = opened
  const layout = runLayout(trailer.blockCount, trailer.bloomSize)
  const load = (bytes: Buffer, offset: number, crc: number, what: string): void => {
    if (fs.read(file, bytes, offset) !== bytes.length || crc32c(bytes) !== crc) {
      throw invalid(path, what)
    }
  }
  load(target.fences, layout.fencesOffset, trailer.fencesCrc, 'fences')
  load(target.bloom, layout.bloomOffset, trailer.bloomCrc, 'bloom')
  const padding = Buffer.alloc(layout.trailerOffset - layout.bloomOffset - trailer.bloomSize)
  fs.read(file, padding, layout.bloomOffset + trailer.bloomSize)
  if (padding.some((byte) => byte !== 0)) throw invalid(path, 'padding')
}

export interface RunTables {
  readonly path: string
  readonly blockCount: number
  /** Big-endian prefixes as they stand in the file. */
  readonly fences: Buffer
  readonly bloom: Uint32Array
}

/** One per thread and run: holds an open file and a block buffer. */
export class RunReader {
  readonly #fs: Fs
  readonly #tables: RunTables
  readonly #block = Buffer.alloc(BLOCK_SIZE)
  #file: FileHandle | undefined

  constructor(fs: Fs, tables: RunTables) {
    this.#fs = fs
    this.#tables = tables
  }

  close(): void {
    if (this.#file !== undefined) this.#fs.close(this.#file)
    this.#file = undefined
  }

  /** @throws MaasError INDEX_INVALID; FS_NOT_FOUND when a merge has replaced the run */
  find(id: Buffer, accept: (packNo: number) => boolean): Location | undefined {
    const { fences, blockCount, bloom } = this.#tables
    if (!mayContain(bloom, id)) return undefined
    // Ids with one prefix, and several locations of one id, may span blocks.
    for (let number = this.#firstBlock(id); number < blockCount; number += 1) {
      const at = number * FENCE_SIZE
      if (id.compare(fences, at, at + FENCE_SIZE, 0, FENCE_SIZE) < 0) return undefined
      const count = this.#readBlock(number)
      const found = this.#search(count, id, accept)
      if (found !== 'further') return found
    }
    return undefined
  }

  /** Every entry, in order: the offset of its 52 bytes in the given block. */
  *entries(): Generator<{ block: Buffer; offset: number }> {
    for (let number = 0; number < this.#tables.blockCount; number += 1) {
      const count = this.#readBlock(number)
      for (let i = 0; i < count; i += 1) yield { block: this.#block, offset: i * ENTRY_SIZE }
    }
  }

  /** The last block whose fence is below the id's prefix, or the first block. */
  #firstBlock(id: Buffer): number {
    const { fences, blockCount } = this.#tables
    let low = 0
    let high = blockCount
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = middle * FENCE_SIZE
      if (id.compare(fences, at, at + FENCE_SIZE, 0, FENCE_SIZE) > 0) low = middle + 1
      else high = middle
    }
    return Math.max(0, low - 1)
  }

  #search(
    count: number,
    id: Buffer,
    accept: (packNo: number) => boolean,
  ): Location | undefined | 'further' {
    let low = 0
    let high = count
    while (low < high) {
      const middle = (low + high) >>> 1
      const at = middle * ENTRY_SIZE
      if (id.compare(this.#block, at, at + ID_SIZE) > 0) low = middle + 1
      else high = middle
    }
    for (let i = low; i < count; i += 1) {
      const at = i * ENTRY_SIZE
      if (id.compare(this.#block, at, at + ID_SIZE) !== 0) return undefined
      if (accept(this.#block.readUInt32LE(at + ID_SIZE))) return decodeLocation(this.#block, at)
    }
    return 'further'
  }

  #readBlock(number: number): number {
    this.#file ??= this.#fs.open(this.#tables.path, 'read')
    const read = this.#fs.read(this.#file, this.#block, number * BLOCK_SIZE)
    const count = read === BLOCK_SIZE ? checkBlock(this.#block) : undefined
    if (count === undefined) throw invalid(this.#tables.path, `block ${number}`)
    return count
  }
}

function invalid(path: string, what: string): MaasError {
  return new MaasError('INDEX_INVALID', `the index run has a bad ${what}`, { path })
}

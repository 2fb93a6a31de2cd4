/** Writes one run from entries that come in ascending order of id; see run-format.ts. */
import { crc32c } from '@node-rs/crc32'
import { assert } from '@openmaas/kernel/assert'
import type { FileHandle, Fs } from '@openmaas/kernel/fs'
import { ENTRY_SIZE, ID_SIZE } from './entry.ts'
import {
  BLOCK_ENTRIES_MAX,
  BLOCK_SIZE,
  FENCE_SIZE,
  addToBloom,
  bloomSizeOf,
  encodeRunTrailer,
  runLayout,
  sealBlock,
} from './run-format.ts'

/** Blocks written by one call: 1 MiB. */
const BATCH_BLOCKS = 256

export interface RunWriterOptions {
  readonly fs: Fs
  readonly path: string
  readonly poolId: Buffer
  /** At least as many as will come; sizes the bloom filter. */
  readonly entryCountMax: number
}

export class RunWriter {
  readonly #fs: Fs
  readonly #file: FileHandle
  readonly #poolId: Buffer
  readonly #batch = Buffer.alloc(BATCH_BLOCKS * BLOCK_SIZE)
  readonly #fences: Buffer
  readonly #bloom: Uint32Array<ArrayBuffer>
  readonly #last = Buffer.alloc(ID_SIZE)
  #blocksWritten = 0
  #blocksInBatch = 0
  #entriesInBlock = 0
  #entryCount = 0

  constructor(options: RunWriterOptions) {
    this.#fs = options.fs
    this.#poolId = options.poolId
    this.#file = options.fs.open(options.path, 'create')
    this.#bloom = new Uint32Array(bloomSizeOf(options.entryCountMax) / 4)
    const blockCountMax = Math.ceil(options.entryCountMax / BLOCK_ENTRIES_MAX)
    this.#fences = Buffer.alloc(blockCountMax * FENCE_SIZE)
  }

  get entryCount(): number {
    return this.#entryCount
  }

  /** Takes the 52 bytes at the offset of source. */
  append(source: Buffer, offset: number): void {
    assert(
      this.#entryCount === 0 || this.#last.compare(source, offset, offset + ID_SIZE) <= 0,
      'entries come in ascending order',
    )
    source.copy(this.#last, 0, offset, offset + ID_SIZE)
    const block = this.#blocksInBatch * BLOCK_SIZE
    if (this.#entriesInBlock === 0) {
      const fence = (this.#blocksWritten + this.#blocksInBatch) * FENCE_SIZE
      source.copy(this.#fences, fence, offset, offset + FENCE_SIZE)
    }
    source.copy(this.#batch, block + this.#entriesInBlock * ENTRY_SIZE, offset, offset + ENTRY_SIZE)
    addToBloom(this.#bloom, source, offset)
    this.#entriesInBlock += 1
    this.#entryCount += 1
    if (this.#entriesInBlock === BLOCK_ENTRIES_MAX) this.#sealBlock()
  }

  /** Durable content on return; the caller makes the name durable. */
  seal(): void {
    assert(this.#entryCount > 0, 'a run holds an entry')
    if (this.#entriesInBlock > 0) this.#sealBlock()
    this.#writeBatch()
    const bloom = Buffer.from(this.#bloom.buffer)
    const fences = this.#fences.subarray(0, this.#blocksWritten * FENCE_SIZE)
    const layout = runLayout(this.#blocksWritten, bloom.length)
    const tail = Buffer.alloc(layout.size - layout.fencesOffset)
    fences.copy(tail, 0)
    bloom.copy(tail, layout.bloomOffset - layout.fencesOffset)
    const trailer = encodeRunTrailer({
      poolId: this.#poolId,
      blockCount: this.#blocksWritten,
      bloomSize: bloom.length,
      fencesCrc: crc32c(fences),
      bloomCrc: crc32c(bloom),
      entryCount: this.#entryCount,
    })
    trailer.copy(tail, layout.trailerOffset - layout.fencesOffset)
    this.#fs.write(this.#file, tail, layout.fencesOffset)
    this.#fs.dataSync(this.#file)
    this.#fs.close(this.#file)
  }

  /** After an error: gives the file up; the caller removes it. */
  abandon(): void {
    this.#fs.close(this.#file)
  }

  #sealBlock(): void {
    const start = this.#blocksInBatch * BLOCK_SIZE
    sealBlock(this.#batch.subarray(start, start + BLOCK_SIZE), this.#entriesInBlock)
    this.#entriesInBlock = 0
    this.#blocksInBatch += 1
    if (this.#blocksInBatch === BATCH_BLOCKS) this.#writeBatch()
  }

  #writeBatch(): void {
    if (this.#blocksInBatch === 0) return
    const bytes = this.#batch.subarray(0, this.#blocksInBatch * BLOCK_SIZE)
    this.#fs.write(this.#file, bytes, this.#blocksWritten * BLOCK_SIZE)
    this.#blocksWritten += this.#blocksInBatch
    this.#blocksInBatch = 0
  }
}

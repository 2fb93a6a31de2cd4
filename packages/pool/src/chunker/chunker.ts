/**
 * Content-defined chunking in WebAssembly (docs/formats/chunking.md). About 2 GB/s per core.
 *
 * One per thread: each has its own input memory, page aligned, so that a file can be read by
 * direct I/O straight to where it is cut, without a copy. Memory: 16 MiB + 64 KiB.
 */
import { assert } from '@openmaas/kernel/assert'
import { KiB, MiB } from '@openmaas/kernel/units'
import { deriveGearTable } from '../keys/key-ring.ts'
import { CHUNK_SIZE_MIN } from './gear-constants.ts'
import { GEAR_KERNEL_BASE64 } from './gear-kernel.ts'

/** Bytes that can be cut at once: large reads, small next to a lane's packs. */
export const CHUNKER_INPUT_SIZE = 16 * MiB

/** Room that an array of lengths needs for any input of CHUNKER_INPUT_SIZE. */
export const CUT_COUNT_MAX = CHUNKER_INPUT_SIZE / CHUNK_SIZE_MIN + 1

const WASM_PAGE_SIZE = 64 * KiB
/** First page: table and lengths. The input follows, on a page boundary. */
const TABLE_AT = 1 * KiB
const LENGTHS_AT = 8 * KiB
const INPUT_AT = WASM_PAGE_SIZE

/** The part of the WebAssembly interface used; the compiler's own types come only with the DOM. */
declare const WebAssembly: {
  readonly Memory: new (options: { readonly initial: number }) => { readonly buffer: ArrayBuffer }
  readonly Module: new (bytes: Buffer) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: object }
}

interface GearKernel {
  cutAll(input: number, length: number, table: number, lengths: number, isEnd: number): number
}

let gearModule: object | undefined

export class Chunker {
  /** CHUNKER_INPUT_SIZE bytes, page aligned: read here, cut here. */
  readonly input: Buffer
  readonly #lengths: Uint32Array
  readonly #kernel: GearKernel

  constructor(chunkerKey: Buffer) {
    const memory = new WebAssembly.Memory({
      initial: (INPUT_AT + CHUNKER_INPUT_SIZE) / WASM_PAGE_SIZE,
    })
    deriveGearTable(chunkerKey).copy(Buffer.from(memory.buffer), TABLE_AT)
    this.input = Buffer.from(memory.buffer, INPUT_AT, CHUNKER_INPUT_SIZE)
    this.#lengths = new Uint32Array(memory.buffer, LENGTHS_AT, CUT_COUNT_MAX)
    gearModule ??= new WebAssembly.Module(Buffer.from(GEAR_KERNEL_BASE64, 'base64'))
    const instance = new WebAssembly.Instance(gearModule, { env: { memory } })
    this.#kernel = instance.exports as GearKernel
  }

  /**
   * Finds the chunks of buffer[0 … length).
   *
   * @param buffer best a part of `input`; any other is copied there first
   * @param lengths receives the chunk lengths; has room for length / CHUNK_SIZE_MIN + 1
   * @param isEnd false when more bytes of the same file follow: then the lengths leave out a
   *   last chunk that those bytes could still change, and the caller carries it over
   * @returns count of lengths; they sum up to length when isEnd
   */
  cut(buffer: Buffer, length: number, lengths: Uint32Array, isEnd = true): number {
    assert(length >= 0 && length <= buffer.length, 'the length lies in the buffer')
    assert(length <= CHUNKER_INPUT_SIZE, 'at most CHUNKER_INPUT_SIZE bytes are cut at once')
    assert(lengths.length > length / CHUNK_SIZE_MIN, 'there is room for all lengths')
    if (isEnd && length <= CHUNK_SIZE_MIN) {
      // Most files of a tree: one chunk, no call.
      lengths[0] = length
      return length > 0 ? 1 : 0
    }
    const inside = buffer.buffer === this.input.buffer && buffer.byteOffset >= INPUT_AT
    if (!inside) buffer.copy(this.input, 0, 0, length)
    const at = inside ? buffer.byteOffset : INPUT_AT
    const count = this.#kernel.cutAll(at, length, TABLE_AT, LENGTHS_AT, isEnd ? 1 : 0)
    lengths.set(this.#lengths.subarray(0, count))
    return count
  }
}

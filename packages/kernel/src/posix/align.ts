/**
 * Page-aligned buffers, for O_DIRECT. A Buffer of Node may begin anywhere; the memory of a
 * WebAssembly.Memory begins on a page. Works on every platform, without a native call.
 *
 * Such memory takes 10 GiB of address space each (not of RAM) and goes back late, by garbage
 * collection: make few, reuse them.
 */
import { assert } from '../assert.ts'

/** The part of the WebAssembly interface used; the compiler's own types come only with the DOM. */
declare const WebAssembly: {
  readonly Memory: new (options: {
    readonly initial: number
    readonly maximum?: number
    readonly shared?: boolean
  }) => { readonly buffer: ArrayBuffer | SharedArrayBuffer }
}

/** Unit of WebAssembly.Memory, bytes. */
const WASM_PAGE = 65_536

/** The largest a memory of 32-bit pages can be: 4 GiB less one page. */
export const ALIGNED_SIZE_MAX = 65_535 * WASM_PAGE

function pagesFor(size: number): number {
  assert(size > 0 && size <= ALIGNED_SIZE_MAX, 'an aligned buffer is 1 byte to 4 GiB')
  return Math.ceil(size / WASM_PAGE)
}

/** A zeroed Buffer whose address is a multiple of 4096. Takes whole 64 KiB of memory. */
export function alignedBuffer(size: number): Buffer<ArrayBuffer> {
  const memory = new WebAssembly.Memory({ initial: pagesFor(size) })
  return Buffer.from(memory.buffer as ArrayBuffer, 0, size)
}

/**
 * The same on a SharedArrayBuffer, for several threads at once. Post `.buffer` to the other
 * thread and wrap it there with `Buffer.from(shared, 0, size)`.
 */
export function alignedSharedBuffer(size: number): Buffer<SharedArrayBuffer> {
  const pages = pagesFor(size)
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  return Buffer.from(memory.buffer as SharedArrayBuffer, 0, size)
}
